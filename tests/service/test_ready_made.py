"""Refusals as bytes: exactly what the app and uvicorn would have written."""

import asyncio
import logging

import pytest
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.errors import ServiceError
from service.model_errors import ModelNotLoaded, NoModel
from service.pool_errors import PoolClosed, TooManyWaiting
from service.problems import problem_response
from service.ready_made import ready_made

DATE = [(b"date", b"Thu, 01 Jan 2026 00:00:00 GMT")]
ERRORS = (
    TooManyWaiting(waiting=64, lanes=2),
    NoModel(),
    PoolClosed(),
    ModelNotLoaded("100%% %(id)s"),
    ModelNotLoaded("café"),
)


class Paper:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        pass


class Flow:
    """Never in the way."""

    write_paused = False


async def from_the_app(error: ServiceError, request_id: str, path: str, *, closes: bool) -> bytes:
    """What uvicorn writes when the app answers with an error's problem."""
    scope: Scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    scope["state"] = {"request_id": request_id}
    paper, log = Paper(), logging.getLogger(__name__)
    cycle = RequestResponseCycle(
        scope=scope,  # type: ignore[arg-type]
        transport=paper,  # type: ignore[arg-type]
        flow=Flow(),  # type: ignore[arg-type]
        logger=log,
        access_logger=log,
        access_log=False,
        default_headers=DATE,
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=not closes,
        on_response=lambda: None,
    )
    await problem_response(error, scope)(scope, cycle.receive, cycle.send)  # type: ignore[arg-type]
    return paper.written


@pytest.mark.anyio
@pytest.mark.parametrize("closes", [False, True])
@pytest.mark.parametrize("path", ["/predict", "/v2/models/colours/infer"])
@pytest.mark.parametrize("error", ERRORS, ids=str)
async def test_it_is_what_the_app_would_answer(error: ServiceError, path: str, *, closes: bool) -> None:
    """Clients cannot tell which of the two refused them."""
    for request_id in ("a", "0123456789abcdef" * 8):
        expected = await from_the_app(error, request_id, path, closes=closes)

        assert ready_made(error, path).written(request_id, server_headers=DATE, closes=closes) == expected


def test_each_message_has_an_answer_of_its_own() -> None:
    assert ready_made(NoModel(), "/v2/models/a/infer") != ready_made(NoModel(), "/predict")
    first, second = (ready_made(TooManyWaiting(waiting=count, lanes=2)) for count in (8, 9))

    assert first.written("a", server_headers=(), closes=False) != second.written("a", server_headers=(), closes=False)
    assert (first.status, first.slug) == (503, "queue-full")
