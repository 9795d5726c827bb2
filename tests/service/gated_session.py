"""A session whose runs end when a test says so, and whose answers tell which picture they are of."""

import threading
from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import RunFailed

PATIENCE_S = 20.0


def tagged(tag: int) -> NDArray[np.uint8]:
    """A picture, uint8 (1, 1, 1, 3), told from others by a tag, 1 to 65535, in its first pixel; 0 is a blank one."""
    return np.array([tag // 256, tag % 256, 0], np.uint8).reshape(1, 1, 1, 3)


class GatedSession:
    """Answers a picture's tag as its only probability, and as any output; runs with a poisoned picture in them fail.

    Args:
        gated: hold every run until `let_go`; a blank picture is never held.
        poisoned: tags of pictures with which runs fail.
        lost: whether every run fails, as on a device that has gone.
    """

    provider = "CUDAExecutionProvider"

    def __init__(self, *, gated: bool = True, poisoned: Collection[int] = (), lost: bool = False) -> None:
        self.poisoned, self.lost = set(poisoned), lost
        self.answered: list[list[int]] = []
        self.died_of: BaseException | None = None
        self.inside: list[int] | None = None
        self._gated, self._passes = gated, 0
        self.changed = threading.Condition()

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        tags = [int(red) * 256 + int(green) for red, green, _ in images[:, 0, 0]]
        if self._gated and any(tags):
            self._wait_for_pass(tags)
        if self.died_of is not None:
            raise self.died_of
        if self.lost or self.poisoned & set(tags):
            raise RunFailed(images.shape, detail="poisoned")
        if any(tags):
            self.answered.append(tags)
        return [np.array(tags, np.float32).reshape(-1, 1) for _ in outputs]

    def wait_until(self, reached: Callable[[], bool]) -> None:
        """Wait for something that happens when a run begins, or that notifies `changed`."""
        with self.changed:
            assert self.changed.wait_for(reached, PATIENCE_S)

    def wait_until_inside(self) -> list[int]:
        """Tags of the run that is held, as soon as there is one."""
        self.wait_until(lambda: self.inside is not None)
        assert self.inside is not None
        return self.inside

    def let_go(self, count: int = 1) -> None:
        """Let so many runs end."""
        with self.changed:
            self._passes += count
            self.inside = None
            self.changed.notify_all()

    def _wait_for_pass(self, tags: list[int]) -> None:
        with self.changed:
            self.inside = tags
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self._passes > 0, PATIENCE_S)
            self._passes -= 1
            self.inside = None
