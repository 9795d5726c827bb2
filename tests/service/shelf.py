"""A models folder, and a loader whose bundles are bad when told so."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from service.generation import Generation
from service.model_store import LocalStore
from service.registry import Registry
from service.turns import PATIENCE_S, Turns
from service.watcher import Watcher
from shared.bundle import CURRENT_FILE
from tests.service.fakes import FakeClock, fake_generation

FIRST, SECOND, THIRD = (f"20260101T00000{number}000Z-0000000{number}" for number in (1, 2, 3))


class Shelf:
    """A models folder, and a loader whose bundles are bad when told so."""

    def __init__(
        self,
        folder: Path,
        *,
        store: LocalStore | None = None,
        names: Sequence[str] = (),
        pins: Mapping[str, str] = MappingProxyType({}),
        also: Mapping[str, tuple[str, str]] = MappingProxyType({}),
        interval_s: float = 1.0,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.folder = folder
        self.bad: set[str] = set()
        self.tried: list[str] = []
        self.threads_left = 1000
        self.hanging: dict[str, threading.Event] = {}
        self.clock = FakeClock()
        self.registry = Registry(clock=self.clock)
        self.watcher = Watcher(
            self.registry,
            store or LocalStore(folder),
            open_version=self.open,
            names=names,
            pins=pins,
            also=also,
            interval_s=interval_s,
            turns=Turns(patience_s=patience_s),
            clock=self.clock,
            random=lambda: 0.0,
            start=self.start,
        )

    def open(self, name: str, path: Path) -> Generation:
        self.tried.append(path.name)
        if name in self.hanging:
            self.hanging[name].wait(30)
        if path.name in self.bad:
            raise RuntimeError(f"{path.name} is torn")
        return fake_generation(name, path.name)

    def start(self, thread: threading.Thread) -> None:
        if self.threads_left == 0:
            raise RuntimeError("can't start new thread")
        self.threads_left -= 1
        thread.start()

    def point(self, name: str, content: str) -> None:
        (self.folder / name).mkdir(exist_ok=True)
        if content in (FIRST, SECOND, THIRD):
            (self.folder / name / content).mkdir(exist_ok=True)
        (self.folder / name / CURRENT_FILE).write_text(content, encoding="utf-8")

    def poll(self, *, after_s: float = 1.0) -> None:
        self.clock.advance(after_s)
        self.watcher.poll()

    @property
    def served(self) -> dict[str, str]:
        return {name: self.registry.require(name).version for name in self.registry.served()}
