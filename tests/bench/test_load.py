"""The client that measures: what it counts, and from when."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bench.connection import Connection, is_chunked, length_of
from bench.load import CUT, LATE, closed_loop, open_loop, schedule

REQUEST = b"POST /predict HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
CLOSING = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"

AnswerOf = Callable[[int], tuple[float, bytes]]
"""The number of a request -> how long it takes, in s, and what is answered; nothing hangs up."""


@contextlib.contextmanager
def served(answer_of: AnswerOf, asked_over: Callable[[int], None] = lambda _: None) -> Iterator[int]:
    """A server that does one thing at a time, in a thread of its own; its port. It tells which connection asks."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    busy, asked, ports = asyncio.Lock(), list[int](), list[int]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readexactly(len(REQUEST))
                asked_over(id(writer))
                async with busy:
                    seconds, answer = answer_of(len(asked))
                    asked.append(1)
                    await asyncio.sleep(seconds)
                writer.write(answer)
                if answer in (b"", CLOSING):
                    return

    async def listen() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        while not over.is_set():
            await asyncio.sleep(0.005)
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    over = threading.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(listen()))
    thread.start()
    ready.wait(5)
    try:
        yield ports[0]
    finally:
        over.set()
        thread.join()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def test_requests_are_due_at_a_constant_rate_from_the_begin() -> None:
    assert schedule(4, 1.0) == [0.0, 0.25, 0.5, 0.75]
    assert schedule(100, 0.001) == []


@pytest.mark.parametrize("answer", [OK, CHUNKED])
def test_a_closed_loop_asks_again_when_it_has_its_answer(answer: bytes) -> None:
    with served(lambda _: (0.001, answer)) as port:
        load = closed_loop(port, REQUEST, callers=2, seconds=0.2, warm_s=0.02)

    assert load.answered == len(load.latencies_s) > 2, "each of the two has asked at least once more"
    assert not load.failures
    assert load.watched[1] - load.watched[0] > 0.19, "told at both ends of the window; timers have a grain of 1 ms"


def test_latency_in_an_open_loop_counts_from_when_a_request_was_due() -> None:
    """The first request blocks the server for a while: those that were due meanwhile have waited, sent or not."""
    with served(lambda number: (0.3 if number == 0 else 0.0, OK)) as port:
        load = open_loop(port, REQUEST, callers=1, per_s=50, seconds=0.5, warm_s=0.0)

    waited = [seconds for seconds in load.latencies_s if seconds > 0.1]
    assert len(load.latencies_s) == 25
    assert len(waited) >= 10, "only the one that was sent has waited"


def test_every_request_that_was_due_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes to say when they are: else the last ones fall out of the window."""

    def slowly(per_s: float, seconds: float) -> list[float]:
        time.sleep(0.1)
        return schedule(per_s, seconds)

    monkeypatch.setattr("bench.load.schedule", slowly)
    with served(lambda _: (0.0, OK)) as port:
        load = open_loop(port, REQUEST, callers=2, per_s=100, seconds=0.2, warm_s=0.05)

    assert len(load.latencies_s) == 20


def test_what_is_refused_or_cut_off_is_a_failure_and_no_answer() -> None:
    answers = {0: BUSY, 1: b""}
    with served(lambda number: (0.0, answers.get(number, OK))) as port:
        load = open_loop(port, REQUEST, callers=1, per_s=20, seconds=0.5, warm_s=0.0)

    assert load.failures == {"503": 1, CUT: 1}
    assert [refusal.answer for refusal in load.refusals] == [BUSY, b""]
    assert len(load.latencies_s) == load.answered == 8


def test_a_refusal_counts_from_when_its_request_was_due() -> None:
    """Coordinated omission hides here as well: refused late is late, whoever was busy."""
    with served(lambda number: (0.3, OK) if number == 0 else (0.0, BUSY)) as port:
        load = open_loop(port, REQUEST, callers=1, per_s=50, seconds=0.5, warm_s=0.0)

    assert len(load.refusals) == load.failures["503"] == 24
    assert sum(refusal.seconds > 0.1 for refusal in load.refusals) >= 9, "only what was sent has waited"
    assert {refusal.answer for refusal in load.refusals} == {BUSY}


def test_a_refusal_in_pieces_is_kept_whole() -> None:
    ends = list[tuple[int, bytes]]()
    connection = Connection(REQUEST, lambda _, __, status, answer: ends.append((status, answer)))
    connection.ask(1.0)
    for piece in (BUSY[:9], BUSY[9:-3], BUSY[-3:-1], BUSY[-1:]):
        connection.data_received(piece)
    connection.ask(2.0)
    connection.data_received(OK)

    assert ends == [(503, BUSY), (200, b"")]


def test_a_connection_that_is_said_to_close_is_not_used_again() -> None:
    """What is sent over it is cut off, and that would be the client's fault."""
    with served(lambda _: (0.001, CLOSING)) as port:
        load = closed_loop(port, REQUEST, callers=2, seconds=0.3, warm_s=0.0)

    assert load.answered > 2
    assert not load.failures


def test_a_window_opens_once_every_caller_was_answered() -> None:
    """The first ones of a crowd had a shorter line before them: their waits say nothing."""
    with served(lambda _: (0.02, OK)) as port:
        load = closed_loop(port, REQUEST, callers=10, seconds=0.3, warm_s=0.0)

    assert load.latencies_s
    assert min(load.latencies_s) > 0.15, "nine others were before each"


def test_a_caller_is_spread_over_all_connections() -> None:
    """A server of several processes would answer one connection by one of these alone."""
    used = set[int]()
    with served(lambda _: (0.001, OK), used.add) as port:
        load = closed_loop(port, REQUEST, callers=1, connections=4, seconds=0.3, warm_s=0.0)

    assert len(used) == 4
    assert not load.failures


def test_who_loses_a_connection_goes_on_over_another_one() -> None:
    """Else a server that has closed a few would be asked by fewer for the rest of the window."""
    answers = {0: b"", 1: b""}
    with served(lambda number: (0.0, answers.get(number, OK))) as port:
        load = closed_loop(port, REQUEST, callers=1, seconds=0.2, warm_s=0.1)

    assert load.answered > 1
    assert not load.failures, "both were cut off before the window"


def test_what_never_comes_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.load.LIMIT_S", 0.2)
    with served(lambda _: (1.0, OK)) as port:
        load = closed_loop(port, REQUEST, callers=3, seconds=0.1, warm_s=0.0)

    assert load.failures == {LATE: 3}


def test_an_answer_says_where_it_ends() -> None:
    assert length_of(b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 12\r\nA: b") == 12
    assert is_chunked(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked")
    with pytest.raises(ValueError, match="without Content-Length"):
        length_of(b"HTTP/1.1 200 OK")
