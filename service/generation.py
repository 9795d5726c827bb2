"""One loaded version of a model. Replaced as a whole; closed when it is retired and its last lease has ended."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from service.micro_batch import BatchStats, MicroBatcher
from service.runner import Outputs, Runner
from shared.bundle import Bundle
from shared.evidence import Evidence


class Generation:
    """A version being served: its bundle, what runs it and the count of its leases.

    Args:
        name: the model's name, that of its folder.
        bundle: what was read.
        runner: opened from the bundle, verified and warm; closed with the generation.
        evidence: how its maps tell where the evidence for a label lies; None where they do not.
        warnings: what is not as it was on the training machine, but does not forbid serving.
        on_close: called once, when nobody can use this generation any more.
    """

    def __init__(
        self,
        name: str,
        bundle: Bundle,
        runner: Runner,
        *,
        evidence: Evidence | None = None,
        warnings: tuple[str, ...] = (),
        on_close: Callable[["Generation"], None] = lambda _: None,
    ) -> None:
        self.name, self.bundle, self.evidence, self.warnings = name, bundle, evidence, warnings
        self.provider, self.can_widen = runner.provider, runner.can_widen
        self.batches = isinstance(runner, MicroBatcher)
        self.room = runner.room if isinstance(runner, MicroBatcher) else None  # as `Pool.lease` takes it
        self.loaded_at = datetime.now(UTC)
        self._runner: Runner | None = runner
        self._on_close = on_close
        self._lock = threading.Lock()
        self._leases = 0
        self._retired = False

    def __repr__(self) -> str:
        state = "retired" if self._retired else "serving"
        return f"Generation({self.name} {self.version}, {state}, {self._leases} leases)"

    @property
    def version(self) -> str:
        """The bundle's version."""
        return self.bundle.version

    @property
    def labels(self) -> tuple[str, ...]:
        """K names in the order of the probabilities."""
        return self.bundle.metadata.labels

    @property
    def closed(self) -> bool:
        """Whether the runner has been closed."""
        return self._runner is None

    def run(self, images: NDArray[np.uint8], *, wide: bool = False, also: Sequence[str] = ()) -> Outputs:
        """Compute one picture, uint8 (1, H, W, 3), as `Runner.run`; only within a lease."""
        runner = self._runner
        if runner is None:
            raise RuntimeError(f"{self!r} was used after its last lease ended")
        return runner.run(images, wide=wide, also=also)

    def submit(self, images: NDArray[np.uint8], *, deadline: float, also: Sequence[str] = ()) -> "Future[Outputs]":
        """Hand in one picture, as `MicroBatcher.submit`, where `batches`; only within a lease, which may end then."""
        runner = self._runner
        if not isinstance(runner, MicroBatcher):
            raise TypeError(f"{self!r} does not run pictures together, or not any more")
        return runner.submit(images, deadline=deadline, also=also)

    def batch_stats(self) -> BatchStats | None:
        """What its batcher does, where there is one."""
        runner = self._runner
        return runner.stats() if isinstance(runner, MicroBatcher) else None

    def begin_lease(self) -> bool:
        """Count one more user; False when retired, and then there is nothing to end."""
        with self._lock:
            if self._retired:
                return False
            self._leases += 1
            return True

    def end_lease(self) -> None:
        """Count one user less; the last one of a retired generation closes it."""
        with self._lock:
            self._leases -= 1
            over = self._retired and self._leases == 0
        if over:
            self._close()

    def retire(self) -> None:
        """Take no new leases; close now, or when the last lease ends."""
        with self._lock:
            over = not self._retired and self._leases == 0
            self._retired = True
        if over:
            self._close()

    def _close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()
        self._on_close(self)
