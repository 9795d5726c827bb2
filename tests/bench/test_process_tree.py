"""A process and what it has started, as /proc tells of them."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.process_tree import (
    end,
    freeze,
    memory_mb,
    own_processor_s,
    processor_s,
    tells_children,
    thaw,
    threads_s,
    tree,
)
from tests.bench.processes import state_of
from tests.service.waiting import until

TICKS = os.sysconf("SC_CLK_TCK")


def stat(pid: int, name: str, *, user_s: float = 0, system_s: float = 0, children_s: float = 0) -> str:
    """A line as in proc(5), with what counts here in its fields 14 to 16."""
    times = " ".join(str(int(seconds * TICKS)) for seconds in (user_s, system_s, children_s, 0))
    return f"{pid} ({name}) S 1 1 1 0 -1 4194304 0 0 0 0 {times} 20 0 1 0 100 0 0\n"


def add(proc: Path, pid: int, told: str, *, children: str = "", threads: dict[int, str] | None = None) -> None:
    """A process with its threads; the first one has started its children."""
    (proc / f"{pid}").mkdir(parents=True)
    (proc / f"{pid}/stat").write_text(told)
    for tid, line in {pid: told, **(threads or {})}.items():
        (proc / f"{pid}/task/{tid}").mkdir(parents=True)
        (proc / f"{pid}/task/{tid}/stat").write_text(line)
        (proc / f"{pid}/task/{tid}/children").write_text(children if tid == pid else "")


def test_a_tree_is_the_process_and_all_that_come_from_it(tmp_path: Path) -> None:
    add(tmp_path, 1, stat(1, "front"), children="2 3 ")
    add(tmp_path, 2, stat(2, "worker"), children="4 ")
    add(tmp_path, 4, stat(4, "helper"))
    add(tmp_path, 5, stat(5, "stranger"))

    assert tree(1, tmp_path) == [1, 2, 3, 4], "3 has ended meanwhile, and has no children"


def test_one_that_ends_while_its_folder_is_read_has_started_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder was there when it was looked for, and is gone when it is opened."""
    add(tmp_path, 1, stat(1, "front"), children="2 3 ")
    add(tmp_path, 2, stat(2, "ending"))
    add(tmp_path, 3, stat(3, "worker", user_s=1))
    scandir = os.scandir

    def gone_with(path: str | os.PathLike[str]) -> object:
        if os.fspath(path) == f"{tmp_path}/2/task":
            raise FileNotFoundError(os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", gone_with)

    assert tree(1, tmp_path) == [1, 2, 3]
    assert [threads_s(pid, tmp_path) for pid in (2, 3)] == [{}, {"main": 1.0}]


def test_processor_time_is_that_of_all_with_children_that_have_ended(tmp_path: Path) -> None:
    add(tmp_path, 1, stat(1, "a) S 9 (b", user_s=1, system_s=2, children_s=4))
    add(tmp_path, 2, stat(2, "worker", user_s=8))

    assert processor_s([1, 2, 3], tmp_path) == 15.0, "3 is gone"


def test_threads_are_told_apart_by_name_and_the_first_one_is_main(tmp_path: Path) -> None:
    threads = {11: stat(11, "lane", user_s=2), 12: stat(12, "lane", system_s=3), 13: stat(13, "log", user_s=0.5)}
    add(tmp_path, 10, stat(10, "python", user_s=1, children_s=7), threads=threads)

    assert threads_s(10, tmp_path) == {"main": 1.0, "lane": 5.0, "log": 0.5}
    assert threads_s(99, tmp_path) == {}


def test_a_system_that_does_not_tell_of_children_is_noticed(tmp_path: Path) -> None:
    assert not tells_children(tmp_path)
    (tmp_path / "self/task/1").mkdir(parents=True)
    (tmp_path / "self/task/1/children").write_text("")
    assert tells_children(tmp_path)


def test_a_process_is_frozen_and_goes_on() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            freeze([process.pid])
            until(lambda: state_of(process.pid) == "T")
            thaw([process.pid])
            until(lambda: state_of(process.pid) == "S")
        finally:
            process.kill()


def test_what_does_not_end_by_itself_is_killed_with_all_that_it_has_started() -> None:
    """Frozen or not: what is left over would take a core from the next measurement."""
    with parent_of("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)") as process:
        pids = tree(process.pid)
        freeze(pids)

        end(process.pid, within_s=0.2)

        assert len(pids) == 2
        assert process.wait(5) == -signal.SIGTERM
        until(lambda: not Path(f"/proc/{pids[1]}").exists() or state_of(pids[1]) == "Z")


def test_what_has_lost_its_parent_is_ended_if_it_was_known() -> None:
    """A server's first process may go at once when it is asked to, and leave its workers."""
    with parent_of("pass") as process:
        pids = tree(process.pid)
        process.terminate()
        assert process.wait(5) == -signal.SIGTERM

        end(process.pid, known=pids, within_s=0.2)

        until(lambda: not Path(f"/proc/{pids[1]}").exists() or state_of(pids[1]) == "Z")


@contextlib.contextmanager
def parent_of(child: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that has started another one, which has run this program and waits; both are there."""
    waits = f"{child}; import time; print(1, flush=True); time.sleep(60)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {waits!r}])"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        yield process


def test_memory_and_processor_time_are_those_of_the_process() -> None:
    """A page more is a page more; the unit is 10^6 bytes."""
    before_mb = memory_mb([os.getpid()])
    block = bytearray(os.urandom(32_000_000))

    assert memory_mb([os.getpid()]) - before_mb == pytest.approx(len(block) / 1e6, abs=8)
    assert processor_s([os.getpid()]) == pytest.approx(own_processor_s(), abs=0.1), "ticks are of 0.01 s, four of them"
    assert memory_mb([2**22 + 1]) == 0
