"""The supervisor with workers that do as a test wants: small programs instead of services."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import workers
from service.settings import ServiceSettings
from service.workers import MAX_FAILED_STARTS, Assignment, Supervisor, private_folder, share_of
from shared.cores import usable_cores
from tests.service.waiting import until

SERVES = """
import sys
assignment = sys.stdin.readline()
open(sys.argv[1], "a").write(assignment)
print("serves\\nlooked", flush=True)
sys.stdin.read()
"""
LOOKS_FIRST = """
import sys, time
open(sys.argv[1], "a").write(sys.stdin.readline())
print("looked", flush=True)
time.sleep(0.3)
print("serves", flush=True)
sys.stdin.read()
"""
DIES = """
import sys
open(sys.argv[1], "a").write(sys.stdin.readline())
sys.exit(3)
"""
SERVES_A_MOMENT = """
import sys, time
open(sys.argv[1], "a").write(sys.stdin.readline())
print("serves\\nlooked", flush=True)
time.sleep(0.3)
"""
HANGS = SERVES + "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.pause()\n"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Where the small programs write what they were told."""
    path = tmp_path / "told"
    path.touch()
    return path


def supervisor(
    models_dir: Path, listener: socket.socket, told: Path, program: str, *, count: int = 2, **fields: float
) -> Supervisor:
    settings = ServiceSettings(models_dir=models_dir, workers=count, **fields)  # type: ignore[arg-type]
    command = (sys.executable, "-c", program, str(told))
    return Supervisor(settings, listener, told.parent, command=command)


def assignments(told: Path) -> list[Assignment]:
    return [Assignment.model_validate_json(line) for line in told.read_text("utf-8").splitlines()]


def when(holds: object, then: int = signal.SIGTERM) -> threading.Thread:
    """Signal this process, which supervises meanwhile, once something holds."""

    def wait_and_signal() -> None:
        try:
            until(holds)  # type: ignore[arg-type]
        finally:
            os.kill(os.getpid(), then)

    thread = threading.Thread(target=wait_and_signal)
    thread.start()
    return thread


def test_the_first_serves_while_models_load_and_the_others_when_they_are_loaded(
    models_dir: Path, listener: socket.socket, told: Path
) -> None:
    """Else a client that has seen the service ready could meet a worker that is not."""
    waiting = when(lambda: len(assignments(told)) == 3)
    assert supervisor(models_dir, listener, told, SERVES, count=3).run() == 0
    waiting.join()

    found = assignments(told)
    assert (found[0].index, found[0].waits_for_models) == (0, False)
    assert sorted((each.index, each.waits_for_models) for each in found[1:]) == [(1, True), (2, True)]
    assert {each.count for each in found} == {3}


def test_each_worker_that_serves_is_told_in_the_log_whatever_it_says_first(
    models_dir: Path, listener: socket.socket, told: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """All but the first look before they serve; whoever stops listening then takes them for failed starts."""
    caplog.set_level("INFO")

    def those_that_serve() -> list[int]:
        return sorted(one.worker for one in caplog.records if one.message == "worker serves")  # type: ignore[attr-defined]

    waiting = when(lambda: those_that_serve() == [0, 1])
    assert supervisor(models_dir, listener, told, LOOKS_FIRST).run() == 0
    waiting.join()

    assert those_that_serve() == [0, 1]


def test_where_no_worker_is_left_the_next_one_accepts_at_once(
    models_dir: Path, listener: socket.socket, told: Path
) -> None:
    """One model whose files hang would else keep all connections waiting, of probes too."""
    waiting = when(lambda: len(assignments(told)) == 3)
    supervisor(models_dir, listener, told, SERVES_A_MOMENT, count=1).run()
    waiting.join()

    assert not any(each.waits_for_models for each in assignments(told))


def test_a_worker_that_dies_at_its_start_again_and_again_ends_the_service(
    models_dir: Path, listener: socket.socket, told: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert supervisor(models_dir, listener, told, DIES).run() == 1

    assert len(assignments(told)) == MAX_FAILED_STARTS
    assert "ended before it served, 5 times in a row (exit code 3)" in caplog.text
    pauses = [record.restarts_in_s for record in caplog.records if record.message == "worker ended"]  # type: ignore[attr-defined]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6], "and not in a hurry"


def test_a_worker_that_does_not_end_is_killed(
    models_dir: Path, listener: socket.socket, told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "KILL_AFTER_S", 0.1)
    waiting = when(lambda: assignments(told))
    assert supervisor(models_dir, listener, told, HANGS, count=1, grace_s=0.1).run() == 1
    waiting.join()


def test_cores_are_divided_and_lanes_that_are_given_are_each_workers_own(models_dir: Path) -> None:
    cores = usable_cores()
    assert share_of(ServiceSettings(models_dir=models_dir, workers=1)).lanes == cores
    assert share_of(ServiceSettings(models_dir=models_dir, workers=cores * 4)).lanes == 1
    assert share_of(ServiceSettings(models_dir=models_dir, workers=4, lanes=3)).lanes == 3


def test_the_sockets_lie_where_only_their_user_may_enter() -> None:
    with private_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_a_long_name_for_temporary_files_does_not_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Names of sockets are at most 108 bytes long."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))

    with private_folder() as folder, socket.socket(socket.AF_UNIX) as own:
        own.bind(str(folder / "255.socket"))
