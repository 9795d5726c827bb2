"""What the other sides of `bench.whole_job` share: arguments, and a clock that stands still while they measure."""

import argparse
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.process_tree import own_processor_s


class Reached(NamedTuple):
    """How good a side was, and what it had spent by then.

    Attributes:
        seconds: since its process was started.
        processor_s: of the processor, in it and in processes that it has waited for.
        accuracy: on the held-out pictures.
    """

    seconds: float
    processor_s: float
    accuracy: float


@dataclass(frozen=True)
class Task:
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
    """Time since the process was started, less what was spent on measuring.

    Args:
        started: when that was.
        now: the time of day, in seconds since 1970.
        used: seconds of the processor so far, with those of processes that load pictures.
    """

    def __init__(
        self, started: float, *, now: Callable[[], float] = time.time, used: Callable[[], float] = own_processor_s
    ) -> None:
        self._started, self._now, self._used = started, now, used
        self._stood = self._measuring_s = 0.0
        self.reached: list[Reached] = []

    @property
    def seconds(self) -> float:
        """By now."""
        return self._now() - self._started - self._stood

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """What is done within costs no time."""
        since, used = self._now(), self._used()
        try:
            yield
        finally:
            self._stood += self._now() - since
            self._measuring_s += self._used() - used

    def note(self, accuracy: float) -> None:
        """That this accuracy is reached."""
        spent = self._used() - self._measuring_s
        self.reached.append(Reached(round(self.seconds, 2), round(spent, 2), accuracy))

    def tell(self) -> None:
        """Print one JSON object: what was reached when, and when it ended."""
        print(json.dumps({"reached": self.reached, "ended": self._now() - self._started}))


def task_arguments(description: str | None) -> Task:
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
    return Task(**vars(parser.parse_args()))
