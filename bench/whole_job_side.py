"""What the other sides of `bench.whole_job` share: arguments, and a clock that stands still while they measure."""

import argparse
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Side:
    """What a side is told.

    Attributes:
        train, test: folders with a folder for each label.
        weights: of the backbone, a file.
        backbone: its name; None reads it from the file.
        batch: pictures in a step.
        epochs, limit_s: it ends after so many, or after the first that ends later.
        threads: worker processes that load pictures.
        started: when its process was started, in seconds since 1970.
        seed: of everything random.
        fine_tune: whether the backbone learns, too.
    """

    train: Path
    test: Path
    weights: Path
    backbone: str | None
    batch: int
    epochs: int
    limit_s: float
    threads: int
    started: float
    seed: int
    fine_tune: bool


class Clock:
    """Seconds since the process was started, less those that were spent on measuring."""

    def __init__(self, started: float) -> None:
        self._started, self._stood = started, 0.0
        self.points: list[tuple[float, float]] = []
        """Seconds, and the accuracy on the test pictures by then."""

    @property
    def seconds(self) -> float:
        """By now."""
        return time.time() - self._started - self._stood

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """What is done within costs no time."""
        since = time.time()
        try:
            yield
        finally:
            self._stood += time.time() - since

    def note(self, accuracy: float) -> None:
        """That this accuracy is reached."""
        self.points.append((round(self.seconds, 2), accuracy))


def side_arguments(description: str | None) -> Side:
    """Read from the command line; `bench.whole_job` writes it."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--backbone")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--limit-s", type=float, default=600.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--started", type=float, default=time.time())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fine-tune", action="store_true")
    return Side(**vars(parser.parse_args()))
