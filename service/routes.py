"""The routes about the service itself: models, health, metrics. HTTP in, one call, HTTP out."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from service.dependencies import RuntimeDep
from service.openapi import ANY_PROBLEM
from service.prediction_families import drift_now
from service.schemas import DeviceAnswer, HealthAnswer, ModelAnswer, ModelsAnswer
from service.telemetry import CONTENT_TYPE

router = APIRouter(responses=ANY_PROBLEM)


@router.get("/models", tags=["models"])
async def list_models(runtime: RuntimeDep) -> ModelsAnswer:
    """Every model that is served or could not be loaded."""
    answers = [ModelAnswer.of(name, status) for name, status in runtime.registry.overview().items()]
    return ModelsAnswer(
        default=runtime.registry.default_model,
        models=answers,
        store_error=runtime.registry.store_error,
        max_upload_bytes=runtime.settings.max_upload,
        device=DeviceAnswer.of(runtime.device),
    )


@router.get("/models/{name}", tags=["models"])
async def describe_model(runtime: RuntimeDep, name: str) -> ModelAnswer:
    """What is served under a name: version, labels, metrics, provider, and why the last reload failed, if it did."""
    status = runtime.registry.look_up(name)
    drift = None if status.generation is None else drift_now(runtime.counts.predictions, status.generation)
    return ModelAnswer.of(name, status).and_drift(drift)


@router.head("/health/live", include_in_schema=False)
@router.get("/health/live", tags=["health"], responses={503: {"model": HealthAnswer, "description": "Not alive."}})
async def is_alive(runtime: RuntimeDep, response: Response) -> HealthAnswer:
    """The process answers, and what it needs for its work is there; if not, only a restart helps."""
    reason = runtime.lifecycle.broken
    if reason is None:
        return HealthAnswer(status="alive")
    response.status_code = 503
    return HealthAnswer(status="broken", reason=reason)


@router.head("/health/ready", include_in_schema=False)
@router.get("/health/ready", tags=["health"], responses={503: {"model": HealthAnswer, "description": "Not ready."}})
async def is_ready(runtime: RuntimeDep, response: Response) -> HealthAnswer:
    """A model is warm, the device is what was required, and the service is not shutting down."""
    reason, device = runtime.not_ready_reason, DeviceAnswer.of(runtime.device)
    if reason is None:
        return HealthAnswer(status="ready", device=device)
    response.status_code = 503
    return HealthAnswer(status="not ready", reason=reason, device=device)


@router.get("/metrics", tags=["health"], response_class=PlainTextResponse)
async def read_metrics(runtime: RuntimeDep) -> Response:
    """Counts and state for Prometheus, in its text format."""
    return Response(await runtime.metrics_text(), media_type=CONTENT_TYPE)
