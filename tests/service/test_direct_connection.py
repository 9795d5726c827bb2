"""What a connection does with a plain prediction, whatever comes before and behind it; judge and gate are made up."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
import uvloop
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from service import direct_connection
from service.access_errors import KeyMissing
from service.connection import ConnectionLimits
from service.direct_connection import DirectConnection
from service.gate import GatedRoute, TurnedAway
from tests.service.raw_http import LIVE, head
from tests.service.test_closing import Stuck

pytestmark = pytest.mark.anyio

LIMITS = ConnectionLimits(max_connections=10, head_bytes=32768, head_s=10.0, send_s=10.0)
ANSWER = b"the answer"


def post(body: bytes) -> bytes:
    return head(f"Content-Length: {len(body)}") + body


class Asked:
    """A prediction that is over when a test says so."""

    def __init__(self, fails_to: str) -> None:
        self.body = b""
        self.has_begun = self.is_over = self.closed = False
        self.handed_over: list[Exception | None] = []
        self._fails_to = fails_to

    def add(self, piece: bytes) -> None:
        self.body += piece

    def begin(self, told: Callable[[], object]) -> None:
        self.has_begun, self._told = True, told

    def end(self) -> None:
        self.is_over = True
        self._told()

    def answer(self) -> bytes:
        return b"{}"

    def written(self, *_: object, **__: object) -> bytes:
        self._perhaps_fail("be written")
        return ANSWER

    def count(self) -> None:
        self._perhaps_fail("be counted")

    def _perhaps_fail(self, to: str) -> None:
        if self._fails_to == to:
            raise ZeroDivisionError(to)

    def cancel(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def hand_over(self, error: Exception | None = None, *, unread: bool = False) -> bytes:
        self.handed_over.append(error)
        self.closed = True
        return b"" if unread else self.body


class MadeUpWay:
    """Takes all predictions."""

    is_draining = False

    def __init__(self, fails_to: str) -> None:
        self.asked: list[Asked] = []
        self._fails_to = fails_to

    def take(self, scope: Scope) -> Asked | None:
        if scope["path"] != "/predict":
            return None
        self.asked.append(Asked(self._fails_to))
        return self.asked[-1]


class MadeUpGate:
    """Turns all predictions away, or none, and remembers how much came of the bodies."""

    def __init__(self, *, closed: bool) -> None:
        self.bytes_in: list[int] = []
        self._closed = closed

    def turned_away(self, scope: Scope) -> TurnedAway | None:
        if scope["path"] != "/predict" or not self._closed:
            return None
        return TurnedAway(GatedRoute("/predict"), KeyMissing(has_authorization=False), scope)

    def more_headers(self, _scope: Scope) -> list[tuple[bytes, bytes]]:
        return []

    def count(self, _turned: TurnedAway, _status: int, *, bytes_in: int) -> None:
        self.bytes_in.append(bytes_in)


class App:
    """Reads what it is asked, and answers when it may."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.body = b""

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.set()
        more = True
        while more:
            message = await receive()
            self.body += message.get("body", b"")
            more = message.get("more_body", False)
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


class Connected:
    """A connection, and all that it knows."""

    def __init__(self, *, fails_to: str = "", gate_closed: bool = False) -> None:
        self.app, self.gate, self.transport = App(), MadeUpGate(closed=gate_closed), Stuck()
        short_way = MadeUpWay(fails_to)
        self.asked = short_way.asked
        self.connection = DirectConnection(
            config=Config(cast("Any", self.app), lifespan="off", log_config=None),
            server_state=ServerState(),
            app_state={},
            limits=LIMITS,
            gate=cast("Any", self.gate),
            short_way=cast("Any", short_way),
        )
        self.connection.connection_made(self.transport)
        self.receive = self.connection.data_received


async def until(event: asyncio.Event) -> None:
    async with asyncio.timeout(30):
        await event.wait()


@pytest.mark.parametrize("came", [0, 3, 6])
async def test_a_body_begun_behind_another_request_comes_whole(came: int) -> None:
    """And none of it stays on the connection, which may be idle for long."""
    it = Connected()
    whole = post(b"second")
    it.receive(post(b"first") + whole[: len(whole) - 6 + came])
    it.asked[0].end()
    it.receive(whole[len(whole) - 6 + came :])
    assert (it.asked[1].body, it.asked[1].has_begun, bytes(it.connection.cycle.body)) == (b"second", True, b"")
    it.asked[1].end()
    assert it.transport.written == 2 * ANSWER
    it.connection.connection_lost(None)


@pytest.mark.parametrize("came", [0, 3])
async def test_who_falls_silent_in_a_body_behind_another_request_is_left_to_the_app(
    monkeypatch: pytest.MonkeyPatch, came: int
) -> None:
    monkeypatch.setattr(direct_connection, "WHOLE_S", 0.01)
    it = Connected()
    whole = post(b"second")
    it.receive(post(b"first") + whole[: len(whole) - 6 + came])
    it.asked[0].end()
    await until(it.app.asked)
    it.receive(whole[len(whole) - 6 + came :])
    it.app.may_answer.set()
    async with asyncio.timeout(30):
        while not it.connection.cycle.response_complete:
            await asyncio.sleep(0)
    assert it.app.body == b"second"
    it.connection.connection_lost(None)


def test_an_event_loop_that_is_late_does_not_take_a_body_for_slow_that_has_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It calls who is due before it reads again: each picture of a busy service would be handed to the app as well."""
    monkeypatch.setattr(direct_connection, "WHOLE_S", 0.01)
    whole = post(b"picture")

    async def come_while_the_loop_is_busy() -> list[Exception | None]:
        it, (ours, theirs) = Connected(), socket.socketpair()
        loop, is_read = asyncio.get_running_loop(), asyncio.Event()

        def read() -> None:
            first = not it.asked
            it.receive(ours.recv(1000))
            if first:
                theirs.send(whole[-3:])
                time.sleep(0.05)
            else:
                is_read.set()

        with ours, theirs:
            loop.add_reader(ours, read)
            theirs.send(whole[:-3])
            await until(is_read)
            loop.remove_reader(ours)
        it.connection.connection_lost(None)
        return it.asked[0].handed_over

    handed_over = uvloop.run(come_while_the_loop_is_busy())
    assert [type(error) for error in handed_over] == [ClientDisconnect]


async def test_what_came_before_its_turn_is_counted_of_who_is_turned_away() -> None:
    it = Connected(gate_closed=True)
    whole = post(b"second")
    it.receive(LIVE + whole[:-3])
    it.app.may_answer.set()
    async with asyncio.timeout(30):
        while not it.transport.written:
            await asyncio.sleep(0)
    assert it.connection._body_timer.runs, "else one who falls silent now is never told"
    assert bytes(it.connection.cycle.body) == b""
    it.receive(whole[-3:])
    assert it.gate.bytes_in == [6]
    it.connection.connection_lost(None)


async def test_a_connection_that_closes_takes_no_prediction() -> None:
    """Its gate is not asked any more, so the app has to ask who that is."""
    it = Connected()
    it.transport.close()
    it.receive(post(b"picture"))
    await until(it.app.asked)
    assert it.asked == []
    it.connection.connection_lost(None)


async def test_a_connection_reads_on_once_to_learn_that_its_client_goes() -> None:
    """And not for ever: what is sent meanwhile stays in memory."""
    it = Connected()
    it.receive(post(b"first") + post(b"second"))
    assert it.transport.reads
    it.receive(post(b"third"))
    assert not it.transport.reads
    it.connection.connection_lost(None)
    assert len(it.asked) == 1
    assert [type(error) for error in it.asked[0].handed_over] == [ClientDisconnect]


async def test_what_fails_while_it_is_written_is_told_by_the_app() -> None:
    it = Connected(fails_to="be written")
    it.receive(post(b"picture"))
    it.asked[0].end()
    await until(it.app.asked)
    assert [type(error) for error in it.asked[0].handed_over] == [ZeroDivisionError]
    it.connection.connection_lost(None)


async def test_what_cannot_be_counted_is_logged_and_its_connection_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    it = Connected(fails_to="be counted")
    it.receive(post(b"picture"))
    it.asked[0].end()
    assert (it.asked[0].closed, it.asked[0].handed_over, it.transport.written) == (True, [], b"")
    assert it.transport.aborted.is_set() and "could not be counted" in caplog.text
    it.connection.connection_lost(None)
