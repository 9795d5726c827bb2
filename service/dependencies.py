"""What several files of routes share: the runtime, how long the client waits, which labels it wants."""

import math
from typing import Annotated

from fastapi import Depends, Header, Query, Request

from service.pool import in_seconds
from service.runtime import Runtime


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
TopK = Annotated[int, Query(ge=1, description="How many labels to return; more than there are is clamped.")]
Threshold = Annotated[
    float,
    Query(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Smallest score for a label: below it `label` is null; score and predictions stay.",
    ),
]
