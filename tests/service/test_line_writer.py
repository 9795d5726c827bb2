"""Lines are written whole and in order, and nobody waits for who reads them."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from service.line_writer import LineWriter, write_to

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0


def lost(count: int) -> str:
    return f"lost {count}"


class Reader:
    """Takes what is written, once it is let."""

    def __init__(self) -> None:
        self.awake, self.taken, self.pieces = threading.Event(), b"", []  # type: ignore[var-annotated]

    def __call__(self, data: bytes) -> None:
        assert self.awake.wait(PATIENCE_S)
        self.taken += data
        self.pieces.append(data)

    @property
    def lines(self) -> list[str]:
        return self.taken.decode().splitlines()


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    reader.awake.set()


def test_lines_come_out_as_they_came_in(reader: Reader) -> None:
    reader.awake.set()
    writer = LineWriter(reader, of_lost=lost)
    given = [f"line {n} \u00e9" for n in range(2000)]

    for line in given:
        writer.put(line)

    assert writer.flush(PATIENCE_S)
    assert reader.lines == given


def test_who_hands_a_line_in_does_not_wait_for_the_reader(reader: Reader) -> None:
    """What does not fit is lost; how much is told as soon as somebody reads again."""
    writer = LineWriter(reader, of_lost=lost, max_waiting=60)

    writer.put("first")
    until_taken = time.monotonic() + PATIENCE_S
    while writer._waiting and time.monotonic() < until_taken:
        time.sleep(0.001)
    for _ in range(30):
        writer.put("123456789")
    assert not writer.flush(0.01), "nobody has read yet"
    reader.awake.set()

    assert writer.flush(PATIENCE_S)
    assert reader.lines == ["first", "lost 24", *["123456789"] * 6]


def test_what_is_written_at_once_is_whole_lines_and_no_more_than_a_pipe_takes_at_once(reader: Reader) -> None:
    """Workers share one pipe: only so their lines do not run into each other."""
    writer = LineWriter(reader, of_lost=lost)
    for size in (10, 3000, 1000, 1000, 5000, 10, 4095, 10):
        writer.put("x" * size)
    reader.awake.set()

    assert writer.flush(PATIENCE_S)
    assert all(piece.endswith(b"\n") for piece in reader.pieces)
    assert all(len(piece) <= 4096 or piece.count(b"\n") == 1 for piece in reader.pieces)


def test_a_reader_who_has_gone_is_no_error() -> None:
    def gone(data: bytes) -> None:
        raise BrokenPipeError(data)

    writer = LineWriter(gone, of_lost=lost)

    writer.put("nobody will read this")
    assert writer.flush(PATIENCE_S)
    writer.put("nor this")
    assert writer.flush(PATIENCE_S)


def test_what_cannot_be_written_is_counted_once_and_told_when_it_can() -> None:
    """The line that tells of a loss, lost itself, is none of them; what it told of still is."""
    written: list[bytes] = []

    def fails_five_times(data: bytes) -> None:
        written.append(data)
        if len(written) <= 5:
            raise OSError("full")

    writer = LineWriter(fails_five_times, of_lost=lost)
    for _ in range(6):
        writer.put("line")
        assert writer.flush(PATIENCE_S)

    assert written[-1] == b"lost 5\nline\n"


def test_a_finaliser_may_log_wherever_it_is_run(reader: Reader) -> None:
    """The collector calls it in the midst of anything, also of taking lines: there it would wait for itself."""
    reader.awake.set()

    def logs_meanwhile(count: int) -> str:
        writer.put("of a finaliser")
        return lost(count)

    writer = LineWriter(reader, of_lost=logs_meanwhile, max_waiting=20)
    writer._lose(1)
    writer.put("line")
    writing = threading.Thread(target=writer.flush, args=(PATIENCE_S,), daemon=True)
    writing.start()
    writing.join(PATIENCE_S / 4)

    assert not writing.is_alive(), "the writer waits for itself"
    assert reader.lines == ["lost 1", "line", "of a finaliser"]


@pytest.mark.parametrize("blocking", [True, False])
def test_a_pipe_that_takes_little_at_a_time_gets_all_of_it(*, blocking: bool) -> None:
    """Also one that was made non-blocking by another process that has it."""
    out, into = os.pipe()
    os.set_blocking(into, blocking)
    data = os.urandom(300_000)
    writing = threading.Thread(target=partial(write_to, into, data))
    writing.start()

    found = b""
    while len(found) < len(data):
        found += os.read(out, 50_000)
    writing.join(PATIENCE_S)
    os.close(out)
    os.close(into)

    assert found == data


FLOOD = """
import logging, sys
from service.logs import configure_logging
configure_logging()
for n in range(3000):
    logging.getLogger("flood").info("x" * 200, extra={"n": n})
print("went on", flush=True)
sys.stdin.readline()
"""


def test_a_program_whose_log_nobody_reads_works_on() -> None:
    """600 kB into a pipe of 64 KiB. Afterwards, as soon as somebody reads, every line is there, in order."""
    command = [sys.executable, "-c", FLOOD]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        stuck = threading.Timer(PATIENCE_S, process.kill)  # else the test would wait as long as the program
        stuck.start()
        assert process.stderr is not None
        assert process.stdout.readline() == b"went on\n"
        process.stdin.close()
        lines = process.stderr.read().decode().splitlines()
        stuck.cancel()

    assert process.returncode == 0
    assert [int(line.rpartition(" ")[2].rstrip("}")) for line in lines] == list(range(3000))
