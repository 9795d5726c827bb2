"""The routes that classify pictures: HTTP in, one call, HTTP out. Errors are translated in `problems`."""

from fastapi import APIRouter, Request

from service.departures import cancelled_when_gone
from service.dependencies import ClientDeadline, RuntimeDep, TopK
from service.errors import ModelFailed, ServiceError
from service.openapi import ANY_PROBLEM, UPLOAD, upload_problems
from service.pool import in_seconds
from service.problems import problem_of
from service.request_ids import request_id_of
from service.runtime import Runtime
from service.schemas import PredictAnswer, PredictManyAnswer, Problem
from service.uploads import read_pictures
from shared.errors import PictureError

router = APIRouter(responses=ANY_PROBLEM)


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
