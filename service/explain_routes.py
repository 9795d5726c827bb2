"""The routes that explain what a picture is taken for: HTTP in, one call, HTTP out."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from service.access_log import note_model
from service.admitted import let_in
from service.departures import cancelled_when_gone
from service.dependencies import ClientDeadline, RuntimeDep
from service.explain_schemas import ExplainAnswer
from service.explainer import Explainer
from service.explaining import OCCLUSION_RUNS
from service.openapi import ANY_PROBLEM, UPLOAD, upload_problems
from service.parameters import check_parameters
from service.pool import in_seconds
from service.request_errors import TooManyPictures
from service.request_ids import request_id_of
from service.runtime import Runtime
from service.uploads import read_pictures

router = APIRouter(responses=ANY_PROBLEM)

PARAMETERS = ("label",)

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
    check_parameters(request.scope, *PARAMETERS)
    asked = await let_in(request, runtime, model, client_deadline, _read_one_picture)
    if runtime.registry.require(asked.model).evidence is None:  # each run waits for a turn of its own
        left_s = asked.deadline - in_seconds(0)
        runtime.admission.admit(asked.model, patience_s=left_s / OCCLUSION_RUNS)
    explainer = Explainer(runtime.registry, runtime.classifier)
    async with cancelled_when_gone(request.scope, request.receive):
        found = await explainer.explain(
            asked.body, model=asked.model, label=label, deadline=asked.deadline, times=asked.times
        )
    note_model(request.scope, asked.model, found.version)
    return ExplainAnswer.of(found, request_id=request_id_of(request.scope))


async def _read_one_picture(request: Request) -> bytes:
    pictures = await read_pictures(request)
    if len(pictures) > 1:
        raise TooManyPictures(len(pictures))
    return pictures[0]
