"""A real service whose versions go bad one after the other: the good one serves throughout, and all is on record."""

import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.broken import BROKEN, events_of, put_in
from tests.service.bundles import publish_bundle
from tests.service.pictures import GREEN, picture
from tests.service.running import ServiceProcess, running_process
from tests.service.waiting import until

Answer = tuple[int, str, str]


@contextlib.contextmanager
def asked_all_the_time(service: ServiceProcess, *, clients: int = 3) -> Iterator[list[Answer]]:
    """Status, version and label of answer after answer."""
    answers: list[Answer] = []
    over = threading.Event()

    def ask() -> None:
        with service.client() as client:
            while not over.is_set():
                answer = client.post("/predict", files={"file": picture(GREEN)})
                told = answer.json()
                answers.append((answer.status_code, told.get("version", ""), told.get("label", told.get("type"))))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join(30)


def wait_for_more(answers: list[Answer], count: int = 10) -> None:
    enough = len(answers) + count
    until(lambda: len(answers) >= enough)


@pytest.mark.slow
def test_a_good_version_serves_through_five_bad_ones_until_the_next_good_one(models_dir: Path, tmp_path: Path) -> None:
    elsewhere, log = tmp_path / "elsewhere", tmp_path / "log"
    good = publish_bundle(models_dir).version
    with (
        running_process(models_dir, "--poll-interval-s", "0.05", log=log) as service,
        service.client() as client,
    ):
        service.wait_until_ready()
        tried = []
        with asked_all_the_time(service) as answers:
            for publish_broken, _ in BROKEN.values():
                tried.append(version := put_in(publish_broken(elsewhere), models_dir))
                until(lambda version=version: newest_failure(client) == version)
                wait_for_more(answers)
            count = len(answers)
            assert {version for _, version, _ in answers} == {good}
            other = put_in(publish_bundle(elsewhere, labels=("rot", "gruen", "blau")), models_dir)
            until(lambda: client.get("/models/colours").json()["version"] == other)
            wait_for_more(answers)
        told, metrics = client.get("/models/colours").json(), client.get("/metrics").text
        assert service.stop() == 0

    assert {status for status, _, _ in answers} == {200}
    assert {(version, label) for _, version, label in answers} == {(good, "green"), (other, "gruen")}
    assert {version for _, version, _ in answers[-5:]} == {other}
    assert count > 50
    failures = told["failed_loads"][::-1]
    assert [failure["version"] for failure in failures] == tried
    for failure, (_, message) in zip(failures, BROKEN.values(), strict=True):
        assert message in failure["error"]
        assert failure["attempts"] >= 1
    assert told["last_reload_error"] == failures[-1]
    assert told["reloads"] == {"failed": sum(failure["attempts"] for failure in failures), "loaded": 2}
    assert counted(metrics) == told["reloads"]
    logged = events_of(log, "load failed")
    assert [(line["version"], line["attempts"]) for line in logged if line["attempts"] == 1] == [(v, 1) for v in tried]
    assert len(logged) == told["reloads"]["failed"]


def newest_failure(client: httpx.Client) -> str | None:
    last = client.get("/models/colours").json()["last_reload_error"]
    return None if last is None else last["version"]


def counted(metrics: str) -> dict[str, int]:
    found = re.findall(
        r'^finial_reloads_total\{(?=.*model="colours").*outcome="(\w+)".*\} (\S+)$', metrics, re.MULTILINE
    )
    return {outcome: n for outcome, count in found if (n := int(float(count)))}
