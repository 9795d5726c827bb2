"""The half of a connection that refuses: what is wrong is made a request of its own, and answered in its turn."""

import asyncio

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.access_log import NO_HEAD
from service.closing import ClosingConnection
from service.errors import ServiceError
from service.refusals import REFUSAL


class RefusingConnection(ClosingConnection):
    """A connection that can answer a request that is none; `service.refusals` says what."""

    _refused = False
    _in_head = True

    def _refuse(self, error: ServiceError) -> None:
        """Answer with an error, after what was asked before, and take no further request."""
        self._refused = True
        if self._in_head or self.cycle is None:
            self._start_refusal(error)
        elif self.cycle.response_complete:
            self.close()
        else:  # whoever reads the body is told
            self.cycle.scope["state"][REFUSAL] = error
            self.cycle.keep_alive = False
            self.cycle.message_event.set()

    def _start_refusal(self, error: ServiceError) -> None:
        before = self.cycle
        self.cycle = self._cycle_of_refusal(error)
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _cycle_of_refusal(self, error: ServiceError) -> RequestResponseCycle:
        super().on_message_begin()
        self.scope |= {"method": "GET", "path": "/", "raw_path": b"/", "query_string": b""}
        self.headers.append((b"transfer-encoding", b"chunked"))  # what follows has no known end
        self.scope["state"] |= {REFUSAL: error, NO_HEAD: True}
        return RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )

    def _pass_on(self, data: memoryview) -> None:
        """Let whoever reads the refused request away have the bytes."""
        if self.cycle.response_complete:
            return
        self.cycle.body += data
        if len(self.cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.cycle.message_event.set()
