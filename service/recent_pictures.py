"""What was said about the latest pictures: counts over a window that slides by blocks."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

BLOCK_PICTURES, BLOCKS = 20, 100
"""A window holds the latest 1,981 to 2,000 pictures."""

STRETCHES = 20
"""At most so many stretches, each of as many blocks, are told of a window; of one that has 10 blocks, at least 10."""

OLDEST_S = 24 * 3600.0
"""A block that was begun longer ago is forgotten: of little traffic, the window is what came within a day."""


@dataclass
class Stretch:
    """Pictures that came one after the other.

    Attributes:
        labels: pictures by predicted label.
        novelty: pictures by bin of novelty, those without novelty left out.
    """

    labels: Counter[str]
    novelty: Sequence[int]


@dataclass
class _Block:
    since: float
    novelty: list[int]
    pictures: int = 0
    labels: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Recent:
    """What is in the window.

    Attributes:
        stretches: in the order in which they came, all of one length but the last. Pictures of a scene that one client
            sends again and again are in one stretch, or in neighbours: by how these differ from each other it is seen.
    """

    stretches: Sequence[Stretch]

    @property
    def pictures(self) -> int:
        """How many."""
        return sum(stretch.labels.total() for stretch in self.stretches)


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
            self._blocks.append(_Block(self._clock(), [0] * self._bins))
        block = self._blocks[-1]
        block.pictures += 1
        block.labels[label] += 1
        if novelty_bin is not None:
            block.novelty[novelty_bin] += 1

    def read(self) -> Recent:
        """What is in the window now."""
        while self._blocks and self._clock() - self._blocks[0].since > OLDEST_S:
            self._blocks.popleft()
        blocks = list(self._blocks)
        length = stretch_blocks(len(blocks))
        return Recent([_joined(blocks[start : start + length]) for start in range(0, len(blocks), length)])


def stretch_blocks(block_count: int) -> int:
    """Of how many blocks a stretch is, in a window of so many."""
    return max(1, -(-block_count // STRETCHES))


def _joined(blocks: Sequence[_Block]) -> Stretch:
    labels: Counter[str] = Counter()
    for block in blocks:
        labels.update(block.labels)
    return Stretch(labels, [sum(of_bin) for of_bin in zip(*(block.novelty for block in blocks), strict=True)])
