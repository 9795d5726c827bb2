"""One loaded version of a model. Replaced as a whole; closed when it is retired and its last lease has ended."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from shared.bundle import NOVELTY, PROBABILITIES, Bundle
from shared.session import Session


@dataclass(frozen=True)
class Outputs:
    """What the graph says about one picture: probabilities (K,), and novelty in [0, 1] if it knows it."""

    probabilities: NDArray[np.float32]
    novelty: float | None


class Generation:
    """A version being served: its bundle, its session and the count of its leases.

    Args:
        name: the model's name, that of its folder.
        bundle: what was read.
        session: opened from the bundle, verified and warm.
        warnings: what is not as it was on the training machine, but does not forbid serving.
        on_close: called once, when nobody can use this generation any more.
    """

    def __init__(
        self,
        name: str,
        bundle: Bundle,
        session: Session,
        *,
        warnings: tuple[str, ...] = (),
        on_close: Callable[["Generation"], None] = lambda _: None,
    ) -> None:
        self.name, self.bundle, self.warnings = name, bundle, warnings
        self.provider = session.provider
        self.loaded_at = datetime.now(UTC)
        self._session: Session | None = session
        self._wanted = (PROBABILITIES, NOVELTY) if NOVELTY in bundle.metadata.outputs else (PROBABILITIES,)
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
        """Whether the session has been given up."""
        return self._session is None

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Compute one picture, uint8 (1, H, W, 3); only within a lease."""
        if self._session is None:
            raise RuntimeError(f"{self!r} was used after its last lease ended")
        probabilities, *novelty = self._session.run(images, self._wanted)
        return Outputs(probabilities[0], float(novelty[0][0]) if novelty else None)

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
        self._session = None  # ONNX Runtime frees its memory with the last reference
        self._on_close(self)
