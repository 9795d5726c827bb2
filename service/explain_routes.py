"""The routes that explain what a picture is taken for: HTTP in, one call, HTTP out."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from service.access_log import note_model
from service.departures import cancelled_when_gone
from service.dependencies import ClientDeadline, RuntimeDep
from service.explain_schemas import ExplainAnswer
from service.explainer import Explainer
from service.openapi import ANY_PROBLEM, UPLOAD, upload_problems
from service.parameters import check_parameters
from service.pool import in_seconds
from service.request_errors import TooManyPictures
from service.request_ids import request_id_of
from service.runtime import Runtime
from service.stage_times import stage_times_of
from service.uploads import read_pictures

router = APIRouter(responses=ANY_PROBLEM)

ONE_PICTURE = {
    "requestBody": UPLOAD["requestBody"]
    | {"description": "One picture: JPEG, PNG, WebP, BMP or GIF, told by its content. Of a form, its one part."}
}

WantedLabel = Annotated[
    str | None,
    Query(min_length=1, max_length=1000, description="Whose evidence is wanted; the best label's if left out."),
]


@router.post("/explain", responses=upload_problems(), openapi_extra=ONE_PICTURE, tags=["predict"])
async def explain(
    request: Request, runtime: RuntimeDep, client_deadline: ClientDeadline, label: WantedLabel = None
) -> ExplainAnswer:
    """Say where in one picture the evidence for a label lies, by the default model."""
    return await _explain(request, runtime, None, label, client_deadline)


@router.post("/models/{name}/explain", responses=upload_problems(), openapi_extra=ONE_PICTURE, tags=["predict"])
async def explain_with_model(
    request: Request, runtime: RuntimeDep, name: str, client_deadline: ClientDeadline, label: WantedLabel = None
) -> ExplainAnswer:
    """Say where in one picture the evidence for a label lies, by the model of this name."""
    return await _explain(request, runtime, name, label, client_deadline)


async def _explain(
    request: Request, runtime: Runtime, model: str | None, label: str | None, client_deadline: float
) -> ExplainAnswer:
    check_parameters(request.scope, "label")
    name = runtime.admission.admit(model, patience_s=client_deadline - in_seconds(0))
    note_model(request.scope, name)
    times = stage_times_of(request.scope)
    times.begin("receive")
    pictures = await read_pictures(request)
    times.end()
    if len(pictures) > 1:
        raise TooManyPictures(len(pictures))
    deadline = min(client_deadline, in_seconds(runtime.settings.request_timeout_s))
    explainer = Explainer(runtime.registry, runtime.classifier)
    async with cancelled_when_gone(request.receive):
        found = await explainer.explain(pictures[0], model=name, label=label, deadline=deadline, times=times)
    note_model(request.scope, name, found.version)
    return ExplainAnswer.of(found, request_id=request_id_of(request.scope))
