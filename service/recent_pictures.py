"""What was said about the latest pictures: counts over a window that slides by blocks."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

BLOCK_PICTURES, BLOCKS = 100, 20
"""A window holds the latest 1,900 to 2,000 pictures."""

OLDEST_S = 24 * 3600.0
"""A block that was begun longer ago is forgotten: of little traffic, the window is what came within a day."""


@dataclass
class _Block:
    since: float
    pictures: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    novelty: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Recent:
    """What is in the window.

    Attributes:
        pictures: how many.
        labels: pictures by predicted label.
        novelty: pictures by bin of novelty, those without novelty left out.
    """

    pictures: int
    labels: Counter[str]
    novelty: Sequence[int]


class RecentPictures:
    """The window; told of each picture, read when metrics are asked for.

    Args:
        novelty_bins: how many there are.
        clock: seconds, never going back.
    """

    def __init__(self, novelty_bins: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._bins, self._clock = novelty_bins, clock
        self._blocks: deque[_Block] = deque(maxlen=BLOCKS)

    def add(self, label: str, novelty_bin: int | None) -> None:
        """Count one picture."""
        if not self._blocks or self._blocks[-1].pictures == BLOCK_PICTURES:
            self._blocks.append(_Block(self._clock(), novelty=[0] * self._bins))
        block = self._blocks[-1]
        block.pictures += 1
        block.labels[label] += 1
        if novelty_bin is not None:
            block.novelty[novelty_bin] += 1

    def read(self) -> Recent:
        """What is in the window now."""
        while self._blocks and self._clock() - self._blocks[0].since > OLDEST_S:
            self._blocks.popleft()
        labels: Counter[str] = Counter()
        for block in self._blocks:
            labels.update(block.labels)
        novelty = [sum(of_bin) for of_bin in zip(*(block.novelty for block in self._blocks), strict=True)]
        return Recent(labels.total(), labels, novelty or [0] * self._bins)
