"""What several files of routes share: the runtime, how long the client waits, which labels it wants."""

import math
import re
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from service.pool import in_seconds
from service.runtime import Runtime

_PLAIN_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?([eE]-?[0-9]+)?|-?\.[0-9]+", re.ASCII)
_WHOLE_NUMBER = re.compile(r"-?[0-9]+", re.ASCII)


async def _runtime(request: Request) -> Runtime:  # async: FastAPI sends plain functions through a thread
    runtime: Runtime = request.app.state.runtime
    return runtime


TimeoutMs = Annotated[
    int | None,
    Header(
        alias="X-Request-Timeout-Ms",
        ge=1,
        le=10**9,
        description="How long the client will wait, from sending the request; lowers the service's own limit.",
    ),
]


async def _client_deadline(timeout_ms: TimeoutMs = None) -> float:  # called before the body is read: at the arrival
    return math.inf if timeout_ms is None else in_seconds(timeout_ms / 1000)


RuntimeDep = Annotated[Runtime, Depends(_runtime)]
ClientDeadline = Annotated[float, Depends(_client_deadline)]


def _plain(text: object) -> object:
    """Refuse what only Python takes for a number, such as `1_0`: other services and clients read it otherwise."""
    if isinstance(text, str) and not _PLAIN_NUMBER.fullmatch(text):
        raise PydanticCustomError("number", "expected is a number such as 0.9")
    return text


def _whole(text: object) -> object:
    """The same of whole numbers: `2.0` is none."""
    if isinstance(text, str) and not _WHOLE_NUMBER.fullmatch(text):
        raise PydanticCustomError("whole_number", "expected is a whole number in digits")
    return text


# The validators stand last: before `Query` they would hide its bounds from the description.
TopK = Annotated[
    int, Query(ge=1, description="How many labels to return; more than there are is clamped."), BeforeValidator(_whole)
]
Threshold = Annotated[
    float,
    Query(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Smallest score for a label: below it `label` is null; score and predictions stay.",
    ),
    BeforeValidator(_plain),
]
