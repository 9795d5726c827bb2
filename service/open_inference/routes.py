"""The routes of the Open Inference Protocol v2, for clients of KServe and Triton: HTTP in, one call, HTTP out.

Source: github.com/kserve/open-inference-protocol; binary data, classification and the index are Triton's extensions.
"""

from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request, Response

from service.access_log import note_model
from service.admitted import let_in
from service.departures import cancelled_when_gone
from service.dependencies import ClientDeadline, RuntimeDep
from service.model_errors import RepositoryNotControlled
from service.open_inference.answer import Written
from service.open_inference.body import read_body
from service.open_inference.description import ANY_ERROR, INDEX_BODY, INFER_ANSWER, INFER_BODY
from service.open_inference.form import MEDIA_TYPE, PREFIX
from service.open_inference.metadata import EXTENSIONS, SERVER_NAME, describe, index_of
from service.open_inference.request import Inference, read_as, read_inference
from service.open_inference.run import InferenceRun, served
from service.open_inference.schemas import (
    LiveAnswer,
    ModelMetadata,
    ModelReadyAnswer,
    ReadyAnswer,
    RepositoryEntry,
    RepositoryRequest,
    ServerMetadata,
)
from service.pool import in_seconds
from service.prediction_counts import note_answer
from service.runtime import Runtime

router = APIRouter(prefix=PREFIX, tags=["open inference"], responses=ANY_ERROR)

LENGTH_HEADER = "Inference-Header-Content-Length"
HeaderLength = Annotated[
    str | None, Header(alias=LENGTH_HEADER, description="How many bytes of the body are JSON; by default all.")
]


@router.get("")
async def describe_server(request: Request) -> ServerMetadata:
    """Who answers, and which extensions of the protocol it knows."""
    return ServerMetadata(name=SERVER_NAME, version=request.app.version, extensions=EXTENSIONS)


@router.head("/health/live", include_in_schema=False)
@router.get("/health/live", response_model_exclude_none=True)
async def is_server_live(runtime: RuntimeDep, response: Response) -> LiveAnswer:
    """As /health/live."""
    reason = runtime.lifecycle.broken
    response.status_code = 503 if reason else 200
    return LiveAnswer(live=reason is None, error=reason)


@router.head("/health/ready", include_in_schema=False)
@router.get("/health/ready", response_model_exclude_none=True)
async def is_server_ready(runtime: RuntimeDep, response: Response) -> ReadyAnswer:
    """As /health/ready."""
    reason = runtime.not_ready_reason
    response.status_code = 503 if reason else 200
    return ReadyAnswer(ready=reason is None, error=reason)


@router.get("/models/stats", include_in_schema=False, response_model_exclude_none=True)
async def refuse_statistics(runtime: RuntimeDep) -> ModelMetadata:
    """Triton's name for all models' statistics, unless a model has it."""
    if (generation := runtime.registry.find("stats")) is None:
        raise HTTPException(404)
    return describe(generation)


@router.get("/models/{name}", response_model_exclude_none=True)
async def describe_inference_model(runtime: RuntimeDep, name: str) -> ModelMetadata:
    """What a model takes and gives."""
    return describe(runtime.registry.require(name))


@router.get("/models/{name}/versions/{version}", response_model_exclude_none=True)
async def describe_inference_model_version(runtime: RuntimeDep, name: str, version: str) -> ModelMetadata:
    """The same of the version that is served; no other is known."""
    return describe(served(runtime.registry, name, version))


@router.get("/models/{name}/ready")
async def is_model_ready(runtime: RuntimeDep, name: str) -> ModelReadyAnswer:
    """Whether a model is served."""
    return ModelReadyAnswer(name=served(runtime.registry, name, None).name)


@router.get("/models/{name}/versions/{version}/ready")
async def is_model_version_ready(runtime: RuntimeDep, name: str, version: str) -> ModelReadyAnswer:
    """Whether a model is served in this version."""
    return ModelReadyAnswer(name=served(runtime.registry, name, version).name)


@router.post("/models/{name}/infer", responses=INFER_ANSWER, openapi_extra=INFER_BODY)
async def infer(
    request: Request,
    runtime: RuntimeDep,
    name: str,
    client_deadline: ClientDeadline,
    header_length: HeaderLength = None,
) -> Response:
    """Classify the pictures of a tensor."""
    return await _infer(request, runtime, name, None, client_deadline, header_length)


@router.post("/models/{name}/versions/{version}/infer", responses=INFER_ANSWER, openapi_extra=INFER_BODY)
async def infer_with_version(
    request: Request,
    runtime: RuntimeDep,
    name: str,
    version: str,
    client_deadline: ClientDeadline,
    header_length: HeaderLength = None,
) -> Response:
    """Classify the pictures of a tensor, if the model is served in this version."""
    return await _infer(request, runtime, name, version, client_deadline, header_length)


@router.post("/repository/index", openapi_extra=INDEX_BODY)
async def list_repository(request: Request, runtime: RuntimeDep) -> list[RepositoryEntry]:
    """Every model that is known, or every one that is served (`{"ready": true}`)."""
    wish = read_as(RepositoryRequest, await read_body(request) or b"{}")
    return index_of(runtime.registry.overview(), ready_only=wish.ready)


@router.post("/repository/models/{name}/load", include_in_schema=False)
@router.post("/repository/models/{name}/unload", include_in_schema=False)
async def control_model() -> None:
    """Refused: what is published is served."""
    raise RepositoryNotControlled


async def _infer(
    request: Request,
    runtime: Runtime,
    name: str,
    version: str | None,
    client_deadline: float,
    header_length: str | None,
) -> Response:
    async def read(request: Request) -> Inference:
        return read_inference(await read_body(request), header_length)

    def check(model: str) -> None:
        served(runtime.registry, model, version)

    asked = await let_in(request, runtime, name, client_deadline, read, check=check)
    deadline = min(asked.deadline, asked.begun + asked.body.patience_s)
    if (count := len(asked.body.pictures)) > 1:  # each waits for a turn of its own
        runtime.admission.admit(name, patience_s=(deadline - in_seconds(0)) / count)
    async with cancelled_when_gone(request.scope, request.receive):
        run = InferenceRun(asked.body, runtime, name=name, version=version, deadline=deadline, times=asked.times)
        answer, written = await run.answer()
    for each in answer:
        note_answer(request.scope, each)
    note_model(request.scope, name, answer[0].version)
    return _response(written)


def _response(written: Written) -> Response:
    if written.json_bytes is None:
        return Response(written.body, media_type=MEDIA_TYPE)
    headers = {LENGTH_HEADER: str(written.json_bytes)}
    return Response(written.body, headers=headers, media_type="application/octet-stream")
