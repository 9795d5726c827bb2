"""The routes that classify pictures: HTTP in, one call, HTTP out. Errors are translated in `problems`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request

from service.access_log import note_model
from service.admitted import let_in
from service.departures import cancelled_when_gone
from service.dependencies import ClientDeadline, RuntimeDep, Threshold, TopK
from service.errors import ServiceError
from service.model_errors import ModelFailed
from service.openapi import ANY_PROBLEM, UPLOAD, upload_problems
from service.parameters import check_parameters
from service.prediction_counts import note_answer
from service.problems import problem_of
from service.request_ids import request_id_of
from service.runtime import Runtime
from service.schemas import PredictAnswer, PredictManyAnswer, Problem
from service.uploads import read_pictures
from shared.errors import PictureError

router = APIRouter(responses=ANY_PROBLEM)

PARAMETERS = ("top_k", "threshold")
TOP_K, THRESHOLD = 5, 0.0
"""Their defaults."""


@dataclass(frozen=True)
class Wish:
    """What is to be said of each picture: how many labels, and from which score on the best one."""

    top_k: int
    threshold: float


@router.post("/predict", responses=upload_problems(), openapi_extra=UPLOAD, tags=["predict"])
async def predict(
    request: Request,
    runtime: RuntimeDep,
    client_deadline: ClientDeadline,
    top_k: TopK = TOP_K,
    threshold: Threshold = THRESHOLD,
) -> PredictAnswer | PredictManyAnswer:
    """Classify one picture, or several, with the default model.

    The default is the only model there is, or the one named by `--default-model`. For several pictures the answer is
    a list of results, in order.
    """
    return await _predict(request, runtime, None, Wish(top_k, threshold), client_deadline)


@router.post("/models/{name}/predict", responses=upload_problems(), openapi_extra=UPLOAD, tags=["predict"])
async def predict_with_model(
    request: Request,
    runtime: RuntimeDep,
    name: str,
    client_deadline: ClientDeadline,
    top_k: TopK = TOP_K,
    threshold: Threshold = THRESHOLD,
) -> PredictAnswer | PredictManyAnswer:
    """Classify one picture, or several, with the model of this name."""
    return await _predict(request, runtime, name, Wish(top_k, threshold), client_deadline)


async def predict_plainly(
    request: Request, runtime: Runtime, model: str | None, client_deadline: float
) -> PredictAnswer | PredictManyAnswer:
    """The same for a request without parameters; the model is the default where it is None."""
    return await _predict(request, runtime, model, Wish(TOP_K, THRESHOLD), client_deadline)


async def _predict(
    request: Request, runtime: Runtime, model: str | None, wish: Wish, client_deadline: float
) -> PredictAnswer | PredictManyAnswer:
    check_parameters(request.scope, *PARAMETERS)
    asked = await let_in(request, runtime, model, client_deadline, read_pictures)
    request_id = request_id_of(request.scope)

    async def answer(picture: bytes) -> PredictAnswer:
        found = await runtime.classifier.classify(
            picture, model=asked.model, count=wish.top_k, deadline=asked.deadline, times=asked.times
        )
        note_model(request.scope, asked.model, found.version)
        note_answer(request.scope, found)
        return PredictAnswer.of(found, request_id=request_id, threshold=wish.threshold)

    async with cancelled_when_gone(request.scope, request.receive):
        if len(asked.body) == 1:
            return await answer(asked.body[0])
        return PredictManyAnswer(results=await _each(asked.body, answer, request_id))


async def _each(
    pictures: Sequence[bytes], answer: Callable[[bytes], Awaitable[PredictAnswer]], request_id: str
) -> list[PredictAnswer | Problem]:
    """One after the other: a request holds one lane at most, however many pictures it brings."""
    results: list[PredictAnswer | Problem] = []
    for picture in pictures:
        try:
            results.append(await answer(picture))
        except (PictureError, ServiceError) as error:
            if not results and not isinstance(error, PictureError | ModelFailed):
                raise  # nothing was done for it; refused as a whole, it can simply be sent again
            results.append(problem_of(error, request_id=request_id))
    return results
