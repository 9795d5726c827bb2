"""One client's connection: uvicorn's httptools protocol with bounds on time, heads and number, and polite refusals.

What breaks HTTP itself never reaches a route. It is made a request of its own whose scope holds the error
(`service.refusals` answers it), so that it is answered in turn, as a problem, and with a name like any other.
"""

import asyncio
from dataclasses import dataclass
from typing import Unpack

import httptools

from service.closing import OfUvicorn
from service.connection_errors import (
    HeadersTooLarge,
    HeadersTooSlow,
    RequestBrokenOff,
    RequestMalformed,
    TooManyConnections,
)
from service.errors import ServiceError
from service.heads import fault_of, origin_form, waits_for_continue, without_upgrade
from service.refusals import HAS_MORE, REFUSAL
from service.refusing import RefusingConnection
from service.timer import Timer

MAX_PIPELINED = 16
CROWD_RESERVE = 32
"""Connections above the bound that are still read, so that probes are answered in a crowd."""
CROWDED_HEAD_S = 1.0
"""How long each of these may take for its only request: who comes after them is not read at all."""
LAST_CHANCE_S = 1.0
"""How long an idle connection stays open at the end: a request may be on its way."""

_ALWAYS_ANSWERED = ("/health/", "/metrics", "/v2/health/")


@dataclass(frozen=True)
class ConnectionLimits:
    """The bounds that the connection itself keeps; those of bodies are kept by `upload_limit`.

    Attributes:
        max_connections: how many are served at once.
        head_bytes: largest head.
        head_s: longest time for a head to arrive.
        send_s: longest time that a client may take none of its answer.
    """

    max_connections: int
    head_bytes: int
    head_s: float
    send_s: float


class Connection(RefusingConnection):
    """A connection that cannot be held for ever, neither by silence nor by a drip.

    Args:
        limits: the bounds.
        of_uvicorn: the rest.
    """

    def __init__(self, *, limits: ConnectionLimits, **of_uvicorn: Unpack[OfUvicorn]) -> None:
        super().__init__(send_s=limits.send_s, **of_uvicorn)
        self._limits = limits
        self._crowded = self._ending = self._head_begun = False
        self._head_bytes = self._framing_bytes = 0
        self._fault: ServiceError | None = None
        self._head_timer, self._end_timer = Timer(), Timer()

    # --- the transport's calls ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: the first head is awaited from here on."""
        super().connection_made(transport)
        self._crowded = self._above > 0
        if self._above > CROWD_RESERVE:
            self._refuse(TooManyConnections(self._limits.max_connections))
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: nothing is left running."""
        for timer in (self._head_timer, self._end_timer):
            timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what came; after a refusal, only read it away."""
        self._unset_keepalive_if_required()
        if self._in_head and not self._refused:
            self._head_begun = True
        left = memoryview(data)
        while left:
            left = self._feed(left)
        if self._in_head and self._head_begun and not self._refused and not self._head_timer.runs:
            self._await_head()  # only now: most heads come whole

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more: what is half a request is refused, all else closed. True keeps it open."""
        if not self._refused:
            if not self._has_half_a_request:
                return False
            self._refuse(RequestBrokenOff())
        self.cycle.more_body = False  # so nobody waits to read it away
        self.cycle.message_event.set()
        return not self.transport.is_closing()

    # --- the parser's calls ---

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. Trailers are dropped: they would pass for headers that came first."""
        if self._in_head:
            super().on_header(name, value.rstrip(b" \t"))

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._head_begun = True

    def on_headers_complete(self) -> None:
        """A head is whole: judge it before the app sees it."""
        if self.parser.should_upgrade():
            return  # llhttp stops here; `_feed` starts it again
        self._check_place_and_target()
        self._in_head = False  # only now: what fails until here is this head's fault, not that of the request before
        self._framing_bytes = 0
        self._head_timer.cancel()
        version = self.parser.get_http_version()
        self.expect_100_continue = waits_for_continue(version, self.headers)
        state = self.scope["state"]
        state[HAS_MORE] = self._has_pipelined
        state[REFUSAL] = fault_of(version, self.headers)
        self._crowded &= self._above > 0
        if self._crowded and not self.url.startswith(tuple(path.encode() for path in _ALWAYS_ANSWERED)):
            state[REFUSAL] = state[REFUSAL] or TooManyConnections(self._limits.max_connections)
        super().on_headers_complete()
        self.cycle.keep_alive &= not self._crowded

    def _check_place_and_target(self) -> None:
        try:
            if len(self.pipeline) == MAX_PIPELINED:
                raise RequestMalformed(f"more than {MAX_PIPELINED} requests wait for the answer to another")
            self.url = origin_form(self.url)
        except RequestMalformed as fault:
            self._fault = fault  # the parser raises an error of its own instead
            raise

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._note_content(body)
        super().on_body(body)

    def _note_content(self, body: bytes) -> None:
        self._framing_bytes -= 16 * len(body)

    def on_message_complete(self) -> None:
        """The request is whole; another head may follow."""
        if self._in_head:
            return
        super().on_message_complete()
        self._in_head, self._head_begun, self._head_bytes = True, False, 0

    def on_response_complete(self) -> None:
        """The answer is written. At the end, the connection is not kept for long."""
        super().on_response_complete()
        if self._ending and not self.pipeline and not self.transport.is_closing():
            self._end_timer.start(self.loop, LAST_CHANCE_S, self._close_if_idle)

    # --- the end ---

    def shutdown(self) -> None:
        """End soon: what was begun is answered, and what is sent within the next second; then it is closed."""
        self._ending = True
        if self._is_idle:
            self._end_timer.start(self.loop, LAST_CHANCE_S, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self._is_idle and not self._head_begun:
            self.close()

    # --- within ---

    @property
    def _above(self) -> int:
        """How many connections there are beyond the bound."""
        return len(self.connections) - self._limits.max_connections

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    @property
    def _has_half_a_request(self) -> bool:
        if self._in_head:
            return self._head_begun and self._is_idle
        return not self.cycle.response_complete

    def _has_pipelined(self) -> bool:
        return bool(self.pipeline)

    def _feed(self, data: memoryview) -> memoryview:
        """Give the parser what it may have, and return what is left."""
        if self._refused:
            self._pass_on(data)
            return data[:0]
        # Behind a body another head may begin, within what is fed: so it is fed no more than that head may have.
        piece = data[: self._limits.head_bytes - (self._head_bytes if self._in_head else 0)]
        if self._in_head:
            self._head_bytes += len(piece)
        else:
            self._framing_bytes += len(piece)
        rest = data[len(piece) :]
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as offer:
            return memoryview(self._decline_upgrade() + data[offer.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(self._fault or RequestMalformed(str(error)))
        if (self._in_head and self._head_bytes == self._limits.head_bytes and rest) or self._is_all_framing:
            self._refuse(HeadersTooLarge(self._limits.head_bytes))
        return rest

    def _decline_upgrade(self) -> bytes:
        """llhttp takes what follows an offer to upgrade for another protocol; so the head is read again without it."""
        head = without_upgrade(self.parser.get_method(), self.url, self.parser.get_http_version(), self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self._head_bytes = 0
        return head

    @property
    def _is_all_framing(self) -> bool:
        """Whether chunks bring extensions and trailers instead of content."""
        return not self._in_head and self._framing_bytes > self._limits.head_bytes

    def _await_head(self) -> None:
        head_s = min(self._limits.head_s, CROWDED_HEAD_S) if self._crowded else self._limits.head_s
        self._head_timer.start(self.loop, head_s, self._give_head_up)

    def _give_head_up(self) -> None:
        if not self._is_idle:  # its turn has not come, and perhaps nothing is read meanwhile
            self._await_head()
        elif not self._head_begun:
            self.close()
        else:
            self._refuse(HeadersTooSlow(waited_s=self._limits.head_s))

    def _refuse(self, error: ServiceError) -> None:
        self._head_timer.cancel()
        super()._refuse(error)
