"""Replicas behind a real balancer: a new version, new containers and a lost one under load; what the balancer says."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import yaml

from bench.http_client import CUT, Ledger, asking, post
from bench.swap import mixed_up
from examples.client import Refused, classify
from shared.bundle import Bundle
from tests.container.conftest import free_port
from tests.container.engine import Project, run
from tests.container.replicas import BALANCER, NAMES, Replicas, named
from tests.container.test_containers import wait_until
from tests.deploy.conftest import prometheus
from tests.deploy.prometheus import DEPLOY, running_prometheus
from tests.load.slow_model import slow_model
from tests.service.bundles import publish_bundle
from tests.service.pictures import GREEN, picture
from tests.service.raw_http import RawClient, head
from tests.service.waiting import until
from tests.shared.pictures import encode, scene

__all__ = ["prometheus"]

pytestmark = [pytest.mark.container, pytest.mark.anyio]

SMALL_PICTURE = picture(GREEN)
LARGE_PICTURE = encode(scene(500, 300), "PNG")  # 0.4 MB: more than the balancer holds whole
LABELS = (("red", "green", "blue"), ("rot", "gruen", "blau"))
PRODUCTS = 1  # some 3 ms of a core for a picture
BASE_IMAGE = "python:3.11-slim-bookworm"  # ends at once: nobody types anything into its Python
LOST = {"502 about:blank", CUT}
NO_STATUS = 0  # of a try whose connection was cut


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    """Two of one model, not yet where replicas look."""
    folder = tmp_path_factory.mktemp("versions")
    return [publish_bundle(folder, model=slow_model(PRODUCTS), labels=labels) for labels in LABELS]


@pytest.fixture(scope="module")
def started(project: Project, versions: Sequence[Bundle]) -> Iterator[Replicas]:
    """The balancer and three replicas, which serve the first version."""
    replicas = Replicas(project, port=free_port(), operators_port=free_port())
    try:
        replicas.project("build", BALANCER).or_fail()
        replicas.project("up", "-d", BALANCER).or_fail()
        replicas.serve(versions[0].path)
        yield replicas
    finally:
        replicas.remove()


@pytest.fixture
def replicas(started: Replicas) -> Replicas:
    """All of them take requests, whatever was done to them before."""
    wait_until(started.all_take_requests)
    return started


@pytest.fixture
def client(started: Replicas) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=started.url, trust_env=False, timeout=30) as client:
        yield client


@dataclass
class Load:
    """What clients of each kind have been answered."""

    kept: Ledger
    anew: Ledger
    large: Ledger
    patient: list[str] = field(default_factory=list)
    given_up: list[Refused] = field(default_factory=list)

    @property
    def ledgers(self) -> tuple[Ledger, Ledger, Ledger]:
        return self.kept, self.anew, self.large

    async def go_on(self, count: int) -> None:
        """Wait until each kind has had so many more answers."""
        enough = [ledger.fates["200"] + count for ledger in self.ledgers]
        async with asyncio.timeout(60):
            while any(ledger.fates["200"] < least for ledger, least in zip(self.ledgers, enough, strict=True)):
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def load(replicas: Replicas) -> AsyncIterator[Load]:
    """Clients that keep their connection, that open one for each picture, with large pictures, and that try again."""
    small, large = [post(SMALL_PICTURE)], [post(LARGE_PICTURE)]
    async with (
        asking(replicas.port, small, clients=4, pause_s=0.02) as kept,
        asking(replicas.port, small, clients=2, keep_alive=False, pause_s=0.02) as anew,
        asking(replicas.port, large, clients=4, pause_s=0.02) as of_large,
    ):
        found, enough = Load(kept, anew, of_large), threading.Event()
        patient = asyncio.create_task(asyncio.to_thread(ask_patiently, replicas, found, enough))
        try:
            await found.go_on(10)
            yield found
        finally:
            enough.set()
            await patient


def ask_patiently(replicas: Replicas, found: Load, enough: threading.Event) -> None:
    """As the client in examples/ does, which tries again."""
    with httpx.Client(base_url=replicas.url, trust_env=False) as client:
        while not enough.is_set():
            try:
                found.patient.append(str(classify(client, LARGE_PICTURE)["version"]))
            except Refused as refused:
                found.given_up.append(refused)


@contextlib.contextmanager
def crowd(replicas: Replicas, pictures: Sequence[bytes]) -> Iterator[list[Future[list[int]]]]:
    """A client for each picture that asks on as long as the block lasts, and what statuses its tries were answered.

    They are more than replicas answer at once, so each of these has some of them in work.
    """
    enough = threading.Event()

    def ask_on(picture: bytes) -> list[int]:
        statuses: list[int] = []

        def note_try(_: httpx.Request) -> None:
            statuses.append(NO_STATUS)

        def note_status(response: httpx.Response) -> None:
            statuses[-1] = response.status_code

        hooks = {"request": [note_try], "response": [note_status]}
        with httpx.Client(base_url=replicas.url, trust_env=False, event_hooks=hooks) as client:
            while not enough.is_set():
                classify(client, picture)
        return statuses

    with ThreadPoolExecutor(len(pictures)) as threads:
        try:
            yield [threads.submit(ask_on, picture) for picture in pictures]
        finally:
            enough.set()


def assert_nothing_failed(found: Load) -> None:
    assert [set(ledger.fates) for ledger in found.ledgers] == [{"200"}] * 3
    assert [ledger.begun for ledger in found.ledgers] == [len(ledger.asked) for ledger in found.ledgers]
    assert (found.given_up, bool(found.patient)) == ([], True)


def versions_of(ledger: Ledger) -> list[str]:
    return [str(asked.answer.json()["version"]) for asked in ledger.by_fate("200") if asked.answer]


async def test_every_replica_has_its_share(replicas: Replicas) -> None:
    before = {name: replicas.answered(name) for name in NAMES}
    async with load(replicas) as found:
        await found.go_on(30)
    gained = {name: replicas.answered(name) - before[name] for name in NAMES}

    assert_nothing_failed(found)
    assert sum(gained.values()) >= 3 * 30
    assert min(gained.values()) > sum(gained.values()) / 6, gained


async def test_all_take_over_a_new_version_and_no_request_fails(replicas: Replicas, versions: Sequence[Bundle]) -> None:
    """For a moment both versions answer, each with its own labels."""
    old, new = versions
    async with load(replicas) as found:
        await asyncio.to_thread(replicas.serve, new.path)
        async with asyncio.timeout(60):
            while set(versions_of(found.kept)[-30:]) != {new.version}:
                await asyncio.sleep(0.1)
        await found.go_on(10)

    assert_nothing_failed(found)
    assert set(versions_of(found.kept)) == {old.version, new.version}
    labels_of = {bundle.version: bundle.metadata.labels for bundle in versions}
    assert [mixed_up(ledger, labels_of) for ledger in found.ledgers] == [[]] * 3


async def test_new_containers_take_the_place_of_old_ones_and_no_request_fails(replicas: Replicas) -> None:
    """By the script, which waits for each: SIGTERM, not ready, out of the balancer, finished, gone; the next one in."""
    before = {name: replicas.container(name) for name in NAMES}
    tag = f"{replicas.tag}-next"
    with named(replicas.service_image, replicas.service_image_of(tag)):
        async with load(replicas) as found:
            rolled = await asyncio.to_thread(replicas.roll, FINIAL_TAG=tag)
            await found.go_on(10)
        after = {name: replicas.container(name) for name in NAMES}

    rolled.or_fail()
    assert_nothing_failed(found)
    assert not set(before.values()) & set(after.values())
    assert {replicas.image(name) for name in NAMES} == {replicas.service_image_of(tag)}


async def test_a_lost_replica_takes_no_more_with_it_than_it_was_doing(replicas: Replicas) -> None:
    """What the balancer still held whole it has asked another one; a client that tries again has its answer.

    The replica stands still for a moment before, so that there is something that it was doing.
    """
    retries = replicas.balancer_says("haproxy_backend_retry_warnings_total", proxy="replicas")
    async with load(replicas) as found:
        began_s = time.monotonic()
        with crowd(replicas, [SMALL_PICTURE, LARGE_PICTURE] * 12) as asking_on:
            run("docker", "pause", replicas.container("replica-2")).or_fail()
            await asyncio.to_thread(wait_until, lambda: replicas.in_flight("replica-2") >= 8)
            lost = await asyncio.to_thread(run, "docker", "kill", replicas.container("replica-2"))
            ended_s = time.monotonic()
            await found.go_on(10)
        told = [each.result() for each in asking_on]
        await found.go_on(30)
        await asyncio.to_thread(wait_until, lambda: not replicas.all_take_requests())
        run("docker", "start", replicas.container("replica-2")).or_fail()
        await asyncio.to_thread(wait_until, replicas.all_take_requests)
        before = replicas.answered("replica-2")
        await found.go_on(30)
    failed = [asked for asked in found.large.asked if asked.fate != "200"]

    lost.or_fail()
    assert [set(ledger.fates) for ledger in (found.kept, found.anew)] == [{"200"}] * 2
    assert {asked.fate for asked in failed} <= LOST
    assert all(asked.sent_at < ended_s and asked.sent_at + asked.seconds > began_s for asked in failed)
    assert len(failed) <= 4, "each client had one request on its way"
    assert (found.given_up, bool(found.patient)) == ([], True)
    small, large = ({status for statuses in each for status in statuses} for each in (told[::2], told[1::2]))
    assert small == {200}, "the balancer asked again"
    assert {200} < large <= {200, 502, NO_STATUS}, "the client asked again"
    assert {statuses[-1] for statuses in told} == {200}
    assert replicas.balancer_says("haproxy_backend_retry_warnings_total", proxy="replicas") > retries
    assert replicas.answered("replica-2") > before


async def test_an_image_that_does_not_start_takes_one_replica_out_and_no_request_with_it(replicas: Replicas) -> None:
    """The script ends there; the other two serve on, and what is wrong can be taken back."""
    before = {name: replicas.container(name) for name in NAMES}
    tag = f"{replicas.tag}-bad"
    with named(BASE_IMAGE, replicas.service_image_of(tag)):
        async with load(replicas) as found:
            rolled = await asyncio.to_thread(replicas.roll, FINIAL_TAG=tag, READY_WITHIN_S="3")
            await asyncio.to_thread(replicas.project, "up", "-d", "--no-deps", NAMES[0])
            await asyncio.to_thread(wait_until, replicas.all_take_requests)
            await found.go_on(10)

    assert rolled.exit_code == 1
    assert "replica-1 takes no requests after 3 s" in rolled.errors
    assert_nothing_failed(found)
    assert [replicas.container(name) == before[name] for name in NAMES] == [False, True, True]
    assert replicas.image(NAMES[0]) == replicas.service_image


def test_limits_and_problems_are_the_services_own(replicas: Replicas, client: httpx.Client) -> None:
    too_large = client.post("/predict", content=bytes(11 * 1024**2), headers={"Content-Type": "image/png"})
    long_head = client.get("/models", headers={"X-Long": "x" * 30_000})
    too_long_head = client.get("/models", headers={"X-Long": "x" * 40_000})
    no_picture = client.post("/predict", content=b"", headers={"Content-Type": "image/png"})

    found = [response.status_code for response in (too_large, long_head, too_long_head, no_picture)]
    assert found == [413, 200, 431, 400]
    kinds = [response.json()["type"].rpartition(":")[2] for response in (too_large, too_long_head, no_picture)]
    assert kinds == ["upload-too-large", "headers-too-large", "no-picture"]


def test_a_small_picture_that_does_not_come_is_the_balancers_to_refuse(replicas: Replicas) -> None:
    """It awaits those, to send them again if need be; large ones, and who asks whether to send at all, it holds not."""
    wait = "Expect: 100-continue"
    with contextlib.ExitStack() as stack:
        small, large, asking_first = (RawClient(stack.enter_context(socket.socket())) for _ in range(3))
        for each in (small, large, asking_first):
            each.socket.settimeout(60)
            each.socket.connect(("127.0.0.1", replicas.port))
        small.send(head("Content-Length: 1000", "X-Request-Id: late-small"), b"half")
        large.send(head("Content-Length: 100000", "X-Request-Id: late-large"), b"half")
        asking_first.send(head("Content-Length: 1000", wait, line="POST /models/none/predict HTTP/1.1"))
        told = [each.answer() for each in (asking_first, large, small)]

    assert [answer.status for answer in told] == [404, 408, 408]
    assert [answer.problem for answer in told] == ["unknown-model", "upload-too-slow", "blank"]
    assert [answer.headers["x-request-id"] for answer in told[1:]] == ["late-large", "late-small"]


def test_what_is_of_one_replica_is_not_asked_through_the_balancer(replicas: Replicas, client: httpx.Client) -> None:
    refused = [
        client.get("/metrics"),
        client.post("/admin/models/colours/reload"),
        client.post("/%61dmin/models/colours/reload"),
    ]

    assert [response.status_code for response in refused] == [403] * 3
    assert {response.headers["content-type"] for response in refused} == {"application/problem+json"}
    assert client.get("/models").json()["models"][0]["name"] == "colours"


def test_a_request_has_one_id_in_answer_and_both_logs(replicas: Replicas, client: httpx.Client) -> None:
    """And the client's address is in the balancer's: a replica believes nobody who says for whom he asks."""
    own = client.post("/predict", files={"file": SMALL_PICTURE}, headers={"X-Request-Id": "order-4711"})
    given = client.post("/predict", files={"file": SMALL_PICTURE}, headers={"X-Request-Id": 'no "id"'})

    ids = [response.headers["x-request-id"] for response in (own, given)]
    assert ids[0] == "order-4711" != ids[1]
    for request_id in ids:
        line = line_of(replicas, BALANCER, request_id)
        assert (line["method"], line["path"], line["status"]) == ("POST", "/predict", 200)
        assert line_of(replicas, line["replica"], request_id)["client"] == replicas.address(BALANCER)


def line_of(replicas: Replicas, name: str, request_id: str) -> dict[str, str]:
    """The line about a request in a container's log."""
    found: list[dict[str, str]] = []

    def is_there() -> bool:
        lines = (json.loads(line) for line in replicas.log(name).splitlines() if request_id in line)
        found[:] = [line for line in lines if line["request_id"] == request_id]
        return bool(found)

    until(is_there)
    return found[0]


def test_prometheus_sees_every_replica_and_the_balancer(replicas: Replicas, prometheus: str, tmp_path: Path) -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "replicas.yml").read_text("utf-8"))
    for job in config["scrape_configs"]:
        (targets,) = job["static_configs"]
        names = [target.split(":") for target in targets["targets"]]
        targets["targets"] = [f"{replicas.address(name)}:{port}" for name, port in names]
    with running_prometheus(prometheus, tmp_path, config, rules=[]) as ask:
        until(lambda: ask('count(up{job="finial"} == 1)') == [3.0])
        until(lambda: ask('haproxy_backend_active_servers{proxy="replicas"}') == [3.0])


def test_without_a_replica_it_is_said_when_to_come_back(replicas: Replicas, client: httpx.Client) -> None:
    """Last of all: every replica is stopped, and ends with exit code 0."""
    replicas.project("stop", *NAMES).or_fail()
    response = client.post("/predict", files={"file": SMALL_PICTURE})

    assert [replicas.inspect(name)["State"]["ExitCode"] for name in NAMES] == [0] * 3
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.json()["request_id"] == response.headers["x-request-id"]
