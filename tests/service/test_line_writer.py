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
