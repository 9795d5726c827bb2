"""The routes: HTTP in, one call, HTTP out. Errors are translated in `problems`."""

import math
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import PlainTextResponse

from service.departures import cancelled_when_gone
from service.errors import ModelFailed, ServiceError
from service.openapi import ANY_PROBLEM, UPLOAD, upload_problems
from service.pool import in_seconds
from service.problems import problem_of
from service.request_ids import request_id_of
from service.runtime import Runtime
from service.schemas import (
    DeviceAnswer,
    HealthAnswer,
    ModelAnswer,
    ModelsAnswer,
    PredictAnswer,
    PredictManyAnswer,
    Problem,
)
from service.telemetry import CONTENT_TYPE
from service.uploads import read_pictures
from shared.errors import PictureError

router = APIRouter(responses=ANY_PROBLEM)


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


@router.post("/predict", responses=upload_problems(), openapi_extra=UPLOAD, tags=["predict"])
async def predict(
    request: Request, runtime: RuntimeDep, client_deadline: ClientDeadline, top_k: TopK = 5
) -> PredictAnswer | PredictManyAnswer:
    """Classify one picture, or several, with the default model.

    The default is the only model there is, or the one named by `--default-model`. For several pictures the answer is
    a list of results, in order.
    """
    return await _predict(request, runtime, None, top_k, client_deadline)


@router.post("/models/{name}/predict", responses=upload_problems(), openapi_extra=UPLOAD, tags=["predict"])
async def predict_with(
    request: Request, runtime: RuntimeDep, name: str, client_deadline: ClientDeadline, top_k: TopK = 5
) -> PredictAnswer | PredictManyAnswer:
    """Classify one picture, or several, with the model of this name."""
    return await _predict(request, runtime, name, top_k, client_deadline)


@router.get("/models", tags=["models"])
async def models(runtime: RuntimeDep) -> ModelsAnswer:
    """Every model that is served or could not be loaded."""
    answers = [ModelAnswer.of(name, status) for name, status in runtime.registry.overview().items()]
    return ModelsAnswer(
        default=runtime.registry.default_model,
        models=answers,
        store_error=runtime.registry.store_error,
        device=DeviceAnswer.of(runtime.device),
    )


@router.get("/models/{name}", tags=["models"])
async def model(runtime: RuntimeDep, name: str) -> ModelAnswer:
    """What is served under a name: version, labels, metrics, provider, and why the last reload failed, if it did."""
    return ModelAnswer.of(name, runtime.registry.look_up(name))


@router.head("/health/live", include_in_schema=False)
@router.get("/health/live", tags=["health"], responses={503: {"model": HealthAnswer, "description": "Not alive."}})
async def live(runtime: RuntimeDep, response: Response) -> HealthAnswer:
    """The process answers, and what it needs for its work is there; if not, only a restart helps."""
    reason = runtime.lifecycle.broken
    if reason is None:
        return HealthAnswer(status="alive")
    response.status_code = 503
    return HealthAnswer(status="broken", reason=reason)


@router.head("/health/ready", include_in_schema=False)
@router.get("/health/ready", tags=["health"], responses={503: {"model": HealthAnswer, "description": "Not ready."}})
async def ready(runtime: RuntimeDep, response: Response) -> HealthAnswer:
    """A model is warm, the device is what was required, and the service is not shutting down."""
    reason, device = runtime.not_ready_reason, DeviceAnswer.of(runtime.device)
    if reason is None:
        return HealthAnswer(status="ready", device=device)
    response.status_code = 503
    return HealthAnswer(status="not ready", reason=reason, device=device)


@router.get("/metrics", tags=["health"], response_class=PlainTextResponse)
async def metrics(runtime: RuntimeDep) -> Response:
    """Counts and state for Prometheus, in its text format."""
    return Response(await runtime.metrics_text(), media_type=CONTENT_TYPE)


@router.head("/", include_in_schema=False)
@router.get("/", include_in_schema=False)
async def doors() -> dict[str, str]:
    """Where to go from here."""
    return {"predict": "POST /predict", "models": "/models", "ready": "/health/ready", "docs": "/docs"}


async def _predict(
    request: Request, runtime: Runtime, model: str | None, top_k: int, client_deadline: float
) -> PredictAnswer | PredictManyAnswer:
    name = runtime.admission.admit(model, patience_s=client_deadline - in_seconds(0))
    pictures = await read_pictures(request)
    deadline = min(client_deadline, in_seconds(runtime.settings.request_timeout_s))
    request_id = request_id_of(request.scope)

    async def answer(picture: bytes) -> PredictAnswer:
        found = await runtime.classifier.classify(picture, model=name, count=top_k, deadline=deadline)
        return PredictAnswer.of(found, request_id=request_id)

    async with cancelled_when_gone(request.receive):
        if len(pictures) == 1:
            return await answer(pictures[0])
        results: list[PredictAnswer | Problem] = []
        # One after the other: a request holds one lane at most, however many pictures it brings.
        for picture in pictures:
            try:
                results.append(await answer(picture))
            except (PictureError, ServiceError) as error:
                if not results and not isinstance(error, PictureError | ModelFailed):
                    raise  # nothing was done for it; refused as a whole, it can simply be sent again
                results.append(problem_of(error, request_id=request_id))
        return PredictManyAnswer(results=results)
