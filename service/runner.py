"""Computes one picture on a version's sessions: on one core, or on all that are free."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.bundle import PROBABILITIES
from shared.session import Session


@dataclass(frozen=True)
class Outputs:
    """What the graph says about one picture.

    Attributes:
        probabilities: (K,).
        novelty: in [0, 1]; None where the graph does not know it.
        also: further outputs by name, each without its first axis; those that were asked for.
        run_s: how long the device computed, where the caller cannot know because it waited for its turn as well.
    """

    probabilities: NDArray[np.float32]
    novelty: float | None
    also: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    run_s: float = 0.0


class Runner(Protocol):
    """What a generation computes with. `run` may be called from several threads at once.

    Attributes:
        provider: the execution provider that was obtained, e.g. "CPUExecutionProvider".
        can_widen: whether `wide` makes a difference; if not, nobody need hold more than one core for a run.
    """

    provider: str
    can_widen: bool

    def run(self, images: NDArray[np.uint8], *, wide: bool, also: Sequence[str] = ()) -> Outputs:
        """Compute one picture, uint8 (1, H, W, 3).

        Args:
            images: what the graph takes.
            wide: whether most cores of the budget are the caller's, or just the one that it runs on.
            also: names of further outputs that are wanted.

        Raises:
            RunFailed: the graph cannot compute it, or has no such output.
        """

    def close(self) -> None:
        """Free what is held; called once, after the last run."""


class SessionRunner:
    """Runs on the CPU, on the calling thread: narrow on a session of one thread, wide on one of as many as cores.

    At most two copies of the weights, however many run at once: ONNX Runtime's `Run` may be called from many threads.

    Args:
        narrow: computes a run on one thread.
        wide: computes a run on all cores; None where that is not worth a second copy of the weights.
        outputs: names of the outputs to fetch: probabilities, then novelty if the graph knows it.
    """

    def __init__(
        self, narrow: Session, wide: Session | None = None, *, outputs: Sequence[str] = (PROBABILITIES,)
    ) -> None:
        self._narrow, self._wide, self._outputs = narrow, wide, tuple(outputs)
        self.provider = narrow.provider
        self.can_widen = wide is not None

    def run(self, images: NDArray[np.uint8], *, wide: bool, also: Sequence[str] = ()) -> Outputs:
        """As `Runner` says."""
        session = self._wide if wide and self._wide is not None else self._narrow
        found = session.run(images, (*self._outputs, *also))
        known, more = found[: len(self._outputs)], found[len(self._outputs) :]
        novelty = float(known[1][0]) if len(known) > 1 else None
        return Outputs(known[0][0], novelty, {name: values[0] for name, values in zip(also, more, strict=True)})

    def close(self) -> None:
        """Give the sessions up; ONNX Runtime frees their memory with the last reference."""
        del self._narrow, self._wide
