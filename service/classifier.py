"""From bytes to predictions, within a lease: decode -> preprocess -> run -> the best labels. Knows no HTTP."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.answers import Answer, Computed, answer_of, computed_of
from service.generation import Generation
from service.lane import Lane
from service.lane_turn import Turn
from service.lane_work import done_on_lane
from service.model_errors import ModelFailed
from service.pool import Pool
from service.pool_errors import PoolTimeout, TooManyWaiting
from service.registry import Registry
from service.runner import Outputs
from service.sources import Source, decoded_file
from service.stage_times import StageTimes
from shared.decode import DecodeLimits
from shared.errors import RunFailed

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


def _run(
    images: NDArray[np.uint8], generation: Generation, lane: Lane, also: Sequence[str], times: StageTimes
) -> Outputs:
    times.begin("run")
    with lane.widen(useful=generation.can_widen) as wide, _failures_told(generation):
        outputs = generation.run(images, wide=wide, also=also)
    times.end()
    return outputs


@contextlib.contextmanager
def _failures_told(generation: Generation) -> Iterator[None]:
    """Log what ONNX Runtime says, which is for the operator, and tell the client that its picture is the occasion."""
    try:
        yield
    except RunFailed as error:
        told = {"model": generation.name, "version": generation.version, "error": str(error)}
        logger.error("run failed", extra=told)
        raise ModelFailed(generation.name, generation.version) from error


def _read(
    source: Source, generation: Generation, lane: Lane, limits: DecodeLimits, times: StageTimes
) -> NDArray[np.uint8]:
    lane.check_deadline("it was decoded")
    times.begin("decode")
    pixels = source(generation, limits)
    lane.check_deadline("it was run")
    return pixels[np.newaxis]


@dataclass(frozen=True)
class _Job(Generic[Result]):
    source: Source
    model: str
    deadline: float
    times: StageTimes
    finish: Callable[[Outputs, Generation], Result]
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pending:
    """A picture that was handed to a generation which runs many together; that answers it even once it is retired."""

    generation: Generation
    outputs: "Future[Outputs]"


class Classifier:
    """Classifies pictures for many callers at once.

    Args:
        registry: which generation a model's name means.
        pool: when a caller's turn is.
        executor: threads to work on, at least one per lane.
        limits: sizes and formats of pictures that are accepted.
    """

    def __init__(self, *, registry: Registry, pool: Pool, executor: Executor, limits: DecodeLimits) -> None:
        self._registry, self._pool, self._executor, self._limits = registry, pool, executor, limits

    def admit(self, model: str | None) -> str:
        """Name of the model that is meant; refuses at once what would be refused after the upload.

        Raises:
            ServiceError: no such model, none chosen, none served, or its queue is full.
        """
        name = self._registry.choose(model)
        self._pool.check_admission(name, room=self._room_of(name))
        return name

    async def classify(
        self, data: bytes, *, model: str, count: int, deadline: float, times: StageTimes | None = None
    ) -> Answer:
        """Wait for a lane, then classify one picture on a thread. The version is the one current at that moment.

        `times` is told of each stage, also where one fails.

        Raises:
            PoolError: too many are waiting, or the deadline passed before the run.
            UnknownModel, ModelNotLoaded: the model is not there, or not any more.
            PictureError: the picture cannot be used.
            ModelFailed: the graph fails with it.
            RunnerBroken: nothing can be computed any more.
        """
        finish = partial(answer_of, count=count)
        return await self._timed(_Job(decoded_file(data), model, deadline, times or StageTimes(), finish))

    def begin(
        self, data: bytes, *, model: str, count: int, deadline: float, times: StageTimes, told: Callable[[], object]
    ) -> Turn["Answer | Pending"]:
        """As `classify`, for who does not wait, but is told by the event loop when the turn may be over.

        What comes of it is pending where the model runs pictures together: that is `classify`'s business, and to be
        taken back by who does not wait for it (`take_back`).

        Raises:
            TooManyWaiting, PoolClosed: at once.
        """
        times.begin("queue")
        job = _Job(decoded_file(data), model, deadline, times, partial(answer_of, count=count))
        turn = Turn(self._pool, self._executor, partial(self._classify_leased, job), told)
        try:
            turn.enter(deadline, queue=model, room=self._room_of(model))
        except TooManyWaiting:
            times.forget()
            raise
        return turn

    async def compute(
        self,
        source: Source,
        *,
        model: str,
        deadline: float,
        also: Sequence[str] = (),
        times: StageTimes | None = None,
    ) -> Computed:
        """As `classify`, for whoever wants tensors, or has pixels already.

        Args:
            source: gives the pixels; what it raises is raised here.
            model: the model's name.
            deadline: as the pool's.
            also: names of further outputs of the graph that are wanted.
            times: as for `classify`.
        """
        return await self._timed(_Job(source, model, deadline, times or StageTimes(), computed_of, tuple(also)))

    async def _timed(self, job: "_Job[Result]") -> Result:
        job.times.begin("queue")
        try:
            return await self._classify(job)
        except TooManyWaiting:  # it did not wait: counted with nothing, it would make the others' waits look short
            job.times.forget()
            raise
        finally:
            job.times.end()

    async def _classify(self, job: "_Job[Result]") -> Result:
        async with done_on_lane(
            self._pool,
            self._executor,
            partial(self._classify_leased, job),
            job.deadline,
            queue=job.model,
            room=self._room_of(job.model),
            discard=take_back,
        ) as found:
            return await self._wait_for(found, job) if isinstance(found, Pending) else found

    def _room_of(self, model: str) -> int | None:
        generation = self._registry.find(model)
        return None if generation is None else generation.room

    def _classify_leased(self, job: "_Job[Result]", lane: Lane) -> "Result | Pending":
        # The generation is leased on this thread: who ends the last lease of an old one frees its memory.
        with self._registry.lease(job.model) as generation:
            images = _read(job.source, generation, lane, self._limits, job.times)
            if not generation.batches:
                return job.finish(_run(images, generation, lane, job.also, job.times), generation)
            job.times.begin("queue")
            pending = Pending(generation, generation.submit(images, deadline=job.deadline, also=job.also))
        lane.hand_over()  # the device computes: meanwhile this core decodes somebody else's picture
        return pending

    async def _wait_for(self, pending: "Pending", job: "_Job[Result]") -> Result:
        """Wait for another thread's run, without a core."""
        try:
            async with asyncio.timeout(max(0.0, job.deadline - time.monotonic())):
                with _failures_told(pending.generation):
                    outputs = await asyncio.wrap_future(pending.outputs)  # a caller who leaves takes the picture back
        except TimeoutError as error:
            raise PoolTimeout("the deadline passed before the device had answered") from error
        job.times.end()
        job.times.computed(outputs.run_s)
        return job.finish(outputs, pending.generation)


def take_back(found: object) -> None:
    """Nobody waits for it any more: it was handed in before its caller's departure was noticed."""
    if isinstance(found, Pending):
        found.outputs.cancel()
