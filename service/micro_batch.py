"""Runs the pictures of many callers together: whatever waits when the runner is free is its next batch.

It never waits for company: alone, a picture is run alone and at once; under load, batches grow by themselves.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.memory import give_back_memory
from service.pool_errors import PoolClosed, PoolTimeout, RunnerBroken
from service.runner import Outputs
from shared.bundle import PROBABILITIES
from shared.errors import RunFailed
from shared.session import Session

logger = logging.getLogger(__name__)

NO_TURN = nullcontext()


@dataclass(frozen=True)
class BatchStats:
    """What a batcher does, and did since it was made, read at one moment.

    What was handed in is `waiting + running + pictures + failed + dropped`.

    Attributes:
        waiting: pictures in the line for the next batch.
        running: pictures of the batch that is made or run.
        running_s: how long the run under way has lasted; 0 when there is none.
        batches: runs that gave answers.
        pictures: pictures that were answered by them.
        failed: pictures with which the graph failed, or before which the device was lost.
        split: batches that failed as a whole and were run again in halves.
        dropped: pictures that were not run, because their callers had left or their deadlines had passed.
    """

    waiting: int
    running: int
    running_s: float
    batches: int
    pictures: int
    failed: int
    split: int
    dropped: int


@dataclass(eq=False)
class _Picture:
    images: NDArray[np.uint8]
    deadline: float
    also: tuple[str, ...] = ()
    outputs: "Future[Outputs]" = field(default_factory=Future)


class MicroBatcher:
    """A `Runner` with one thread of its own, for devices that run many pictures in hardly more time than one.

    A picture with which the graph fails does so alone: its batch is run again in halves. If then even a blank picture
    fails, the device is lost; that, and whatever else ends the thread, fails all who wait and is told to `on_broken`.

    Args:
        session: computes a batch.
        outputs: names of the outputs to fetch: probabilities, then novelty if the graph knows it.
        max_batch: largest batch.
        turn: held for each run, by whoever else computes on the same cores.
        on_broken: called once, with a sentence, if the thread ends for any other reason than `close`.
        clock: seconds, never going back; deadlines are read on it.

    Attributes:
        room: how many pictures are worth handing in: a batch that is run and one that waits. Callers keep to it.
    """

    can_widen = False

    def __init__(
        self,
        session: Session,
        *,
        outputs: Sequence[str] = (PROBABILITIES,),
        max_batch: int = 16,
        turn: AbstractContextManager[object] = NO_TURN,
        on_broken: Callable[[str], object] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch = {max_batch}, expected at least 1")
        self.provider = session.provider
        self.room = 2 * max_batch
        self._session, self._outputs, self._max_batch = session, tuple(outputs), max_batch
        self._turn, self._on_broken, self._clock = turn, on_broken, clock
        self._changed = threading.Condition()
        self._waiting: deque[_Picture] = deque()
        self._taken: list[_Picture] = []  # out of the line, and perhaps not answered yet
        self._closed, self._broken = False, ""
        self._running, self._run_began = 0, math.inf
        self._batches = self._pictures = self._failed = self._split = self._dropped = 0
        self._thread = threading.Thread(target=self._work, name="micro-batch", daemon=True)
        self._thread.start()

    def submit(
        self, images: NDArray[np.uint8], *, deadline: float = math.inf, also: Sequence[str] = ()
    ) -> "Future[Outputs]":
        """Hand in one picture, uint8 (1, H, W, 3); its answer comes later. Cancelling it drops the picture.

        Never blocks: who hands in has been given room by the pool, so the line before the device is short.

        Raises:
            PoolClosed: no more pictures are taken.
            RunnerBroken: nothing can be computed any more.
        """
        picture = _Picture(images, deadline, tuple(also))
        with self._changed:
            if self._broken:
                raise RunnerBroken(self._broken)
            if self._closed:
                raise PoolClosed
            self._waiting.append(picture)
            self._changed.notify_all()
        picture.outputs.add_done_callback(self._take_out_cancelled)
        return picture.outputs

    def run(self, images: NDArray[np.uint8], *, wide: bool, also: Sequence[str] = ()) -> Outputs:  # noqa: ARG002
        """As `Runner` says; the calling thread waits. The cores are not the caller's, so `wide` says nothing."""
        return self.submit(images, also=also).result()

    def close(self) -> None:
        """Take no more pictures, and let the thread end when all that were taken are answered. Does not wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread to end after `close`. Returns whether it did."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stats(self) -> BatchStats:
        """Counts so far."""
        with self._changed:
            return BatchStats(
                waiting=len(self._waiting),
                running=self._running,
                running_s=max(0.0, self._clock() - self._run_began),
                batches=self._batches,
                pictures=self._pictures,
                failed=self._failed,
                split=self._split,
                dropped=self._dropped,
            )

    def _take_out_cancelled(self, outputs: "Future[Outputs]") -> None:
        """A picture that nobody waits for takes no place in the line, however long the device computes."""
        if outputs.cancelled():
            with self._changed:
                kept = [picture for picture in self._waiting if picture.outputs is not outputs]
                self._dropped += len(self._waiting) - len(kept)
                self._waiting = deque(kept)

    # --- the thread ---

    def _work(self) -> None:
        try:
            while self._serve_next():
                pass
            del self._session  # ONNX Runtime frees its memory with the last reference
            give_back_memory()
        except BaseException as error:
            logger.critical("micro-batching has ended", exc_info=True)
            self._break(" ".join(str(error).split())[:300] or type(error).__name__)

    def _serve_next(self) -> bool:
        """Run all who wait, up to a batch; wait for the first one alone. False when closed and all is done."""
        batch: list[_Picture] = []
        while len(batch) < self._max_batch and self._take_into(batch):
            pass
        if batch:
            self._answer(batch)
        self._taken.clear()
        return bool(batch)

    def _take_into(self, batch: list[_Picture]) -> bool:
        picture = self._next(wait=not batch)
        if picture is not None and self._is_wanted(picture):
            batch.append(picture)
        return picture is not None

    def _next(self, *, wait: bool) -> _Picture | None:
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            self._taken.append(self._waiting.popleft())
            self._running += 1
            return self._taken[-1]

    def _is_wanted(self, picture: _Picture) -> bool:
        wanted = picture.outputs.set_running_or_notify_cancel()
        if wanted and picture.deadline <= self._clock():
            picture.outputs.set_exception(PoolTimeout("the deadline passed before it was run"))
            wanted = False
        if not wanted:
            self._taken.remove(picture)
            self._count(dropped=1)
        return wanted

    def _answer(self, batch: Sequence[_Picture]) -> None:
        try:
            answers = self._compute(np.concatenate([picture.images for picture in batch]), _all_of(batch))
        except Exception as error:  # whatever the graph does with a batch, each of its pictures is to be answered
            if len(batch) == 1:
                self._count(failed=1)
                batch[0].outputs.set_exception(error)
                self._check_device(batch[0].images)
                return
            self._count(split=1)
            self._answer(batch[: len(batch) // 2])
            self._answer(batch[len(batch) // 2 :])
            return
        self._count(batches=1, pictures=len(batch))
        for picture, answer in zip(batch, answers, strict=True):
            picture.outputs.set_result(answer)

    def _count(self, *, batches: int = 0, pictures: int = 0, failed: int = 0, split: int = 0, dropped: int = 0) -> None:
        with self._changed:
            self._running -= pictures + failed + dropped
            self._batches += batches
            self._pictures += pictures
            self._failed += failed
            self._split += split
            self._dropped += dropped

    def _compute(self, images: NDArray[np.uint8], also: Sequence[str] = ()) -> list[Outputs]:
        wanted = (*self._outputs, *also)
        with self._turn, self._timed() as began:
            found = self._session.run(images, wanted)
            run_s = self._clock() - began
        if any(len(rows) != len(images) for rows in found):
            told = ", ".join(f"{len(rows)} rows of {name}" for name, rows in zip(wanted, found, strict=True))
            raise RunFailed(images.shape, detail=f"it answers with {told}")
        probabilities, *rest = found[: len(self._outputs)]
        more = dict(zip(also, found[len(self._outputs) :], strict=True))
        return [
            Outputs(row, float(rest[0][n]) if rest else None, {name: rows[n] for name, rows in more.items()}, run_s)
            for n, row in enumerate(probabilities)
        ]

    @contextmanager
    def _timed(self) -> Iterator[float]:
        self._run_began = began = self._clock()
        try:
            yield began
        finally:
            self._run_began = math.inf

    def _check_device(self, images: NDArray[np.uint8]) -> None:
        """A picture failed: raise if the device is lost, which fails with a blank one as well."""
        self._compute(np.zeros_like(images))

    def _break(self, reason: str) -> None:
        sentence = f"nothing can be computed any more ({reason})"
        with self._changed:
            self._closed, self._broken = True, sentence
            left = [*self._taken, *self._waiting]
            self._waiting.clear()
            self._failed += sum(not picture.outputs.done() for picture in left)
            self._running = 0
            self._changed.notify_all()
        try:
            self._on_broken(sentence)
        finally:
            for picture in left:
                _fail(picture.outputs, RunnerBroken(sentence))


def _all_of(batch: Sequence[_Picture]) -> tuple[str, ...]:
    """The further outputs that any picture of a batch is asked for; fetching one costs no more than its copy."""
    return tuple(sorted({name for picture in batch for name in picture.also}))


def _fail(outputs: "Future[Outputs]", error: Exception) -> None:
    if not outputs.done() and (outputs.running() or outputs.set_running_or_notify_cancel()):
        outputs.set_exception(error)
