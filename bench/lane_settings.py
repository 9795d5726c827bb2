"""Ways to share cores among runs: Finial's adaptive lanes, and the fixed settings that a user could choose instead.

All of them are made of the same parts (session, pool, classifier), so that they differ in nothing else.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.watched_pool import WatchedPool
from service.classifier import Classifier
from service.generation import Generation
from service.loading import open_generation, wanted_outputs, warm_up
from service.registry import Registry
from service.runner import Outputs, SessionRunner
from shared.bundle import read_bundle
from shared.decode import DecodeLimits
from shared.session import Session, open_session

MODEL = "measured"


@dataclass(frozen=True)
class LaneSetting:
    """One way.

    Attributes:
        name: for people.
        lanes: how many requests are worked for at once.
        threads: of every run; 0 for adaptive lanes, which have as many as are free.
        spinning: whether idle threads of a session spin, as they do by ONNX Runtime's default.
        in_turn: whether only one of the lanes runs at a time, while others may decode.
    """

    name: str
    lanes: int
    threads: int
    spinning: bool = False
    in_turn: bool = False


def adaptive(cores: int) -> LaneSetting:
    """Finial's own."""
    return LaneSetting("adaptive", cores, 0)


def fixed_settings(cores: int) -> list[LaneSetting]:
    """Those to choose from on a machine: one core each, all cores in turn, what lies between, and ONNX Runtime's own.

    Widths between are powers of two. With one core there is only one.
    """
    narrow = LaneSetting("1 core each", cores, 1)
    if cores == 1:
        return [narrow]
    between = [2**power for power in range(1, cores.bit_length()) if 2**power < cores]
    return [
        narrow,
        *(LaneSetting(f"{width} cores each", cores // width, width) for width in between),
        LaneSetting("all in turn", 1, cores),
        LaneSetting("all in turn, spinning", 1, cores, spinning=True),
        LaneSetting("the same, decoding beside", cores, cores, spinning=True, in_turn=True),
        LaneSetting("all each, spinning", cores, cores, spinning=True),
    ]


class InTurn(SessionRunner):
    """One run at a time, while other lanes decode."""

    def __init__(self, session: Session, *, outputs: Sequence[str]) -> None:
        super().__init__(session, outputs=outputs)
        self._turn = threading.Lock()

    def run(self, images: NDArray[np.uint8], *, wide: bool, also: Sequence[str] = ()) -> Outputs:
        """As `Runner` says."""
        with self._turn:
            return super().run(images, wide=wide, also=also)


def open_with(setting: LaneSetting, path: Path) -> Generation:
    """A version that runs as a setting says."""
    if setting.threads == 0:
        return open_generation(MODEL, path, cores=setting.lanes)
    bundle = read_bundle(path)
    session = open_session(bundle.model_path, provider="cpu", threads=setting.threads, spinning=setting.spinning)
    warm_up(bundle, session)
    runner = (InTurn if setting.in_turn else SessionRunner)(session, outputs=wanted_outputs(bundle))
    return Generation(MODEL, bundle, runner)


@dataclass(frozen=True)
class Contender:
    """A setting at work, with its pool to look at."""

    setting: LaneSetting
    classifier: Classifier
    pool: WatchedPool


@contextlib.contextmanager
def at_work(setting: LaneSetting, path: Path, *, max_waiting: int) -> Iterator[Contender]:
    """Open a version in a setting, for the length of a `with` block."""
    registry = Registry()
    pool = WatchedPool(lanes=setting.lanes, max_waiting=max_waiting)
    registry.put(open_with(setting, path))
    with ThreadPoolExecutor(setting.lanes, thread_name_prefix="lane") as executor:
        classifier = Classifier(registry=registry, pool=pool, executor=executor, limits=DecodeLimits())
        yield Contender(setting, classifier, pool)
    registry.close()
