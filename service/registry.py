"""Model name -> the generation being served. A swap is one reference; leases that are out end on the old one."""

import contextlib
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from service.errors import ModelNotChosen, ModelNotLoaded, NoModel, UnknownModel
from service.generation import Generation

Outcome = Literal["loaded", "failed", "unreadable", "altered"]
"""How a look at a model ended: a version was loaded, could not be, `current` could not be read, or the files of the
version that is served are no longer those that were loaded. A look that finds all as it was has none."""

FAILED_LOADS_KEPT = 10


@dataclass(frozen=True)
class FailedLoad:
    """Why a version is not served.

    Attributes:
        version: what `current` named, or None when that could not be read.
        attempts: how often this version was tried.
    """

    version: str | None
    message: str
    at: datetime
    attempts: int


@dataclass(frozen=True)
class Status:
    """What is served of a model, and how that came about.

    Attributes:
        generation: what is served, if anything.
        failures: the last ten versions that could not be loaded, newest first, even if a later one succeeded.
        reloads: how often a look at the model ended in which way.
        pinned: the version that is to be served whatever `current` says.
    """

    generation: Generation | None
    failures: tuple[FailedLoad, ...] = ()
    reloads: Mapping[Outcome, int] = field(default_factory=dict)
    pinned: str | None = None

    @property
    def failed(self) -> FailedLoad | None:
        """The newest failed load."""
        return self.failures[0] if self.failures else None


@dataclass
class _History:
    """What is known of a model besides what is served of it."""

    failures: deque[FailedLoad] = field(default_factory=lambda: deque(maxlen=FAILED_LOADS_KEPT))
    reloads: Counter[Outcome] = field(default_factory=Counter)
    pinned: str | None = None

    def note(self, failed: FailedLoad) -> None:
        if self.failures and self.failures[0].version == failed.version:
            self.failures.popleft()  # the same once more
        self.failures.appendleft(failed)


class Registry:
    """The models of one process. Every method may be called from any thread.

    Args:
        default_model: what a request without a name gets; None for the only model.
    """

    def __init__(self, *, default_model: str | None = None) -> None:
        self._default_model = default_model
        self._lock = threading.Lock()
        self._generations: dict[str, Generation] = {}
        self._histories: dict[str, _History] = {}
        self._store_error: str | None = None
        self._closed = False

    @contextlib.contextmanager
    def lease(self, name: str) -> Iterator[Generation]:
        """The generation of a model, kept open for the length of a `with` block.

        Raises:
            UnknownModel, ModelNotLoaded: as `require`.
        """
        generation = self.require(name)
        while not generation.begin_lease():  # swapped between these two steps: take the new one
            generation = self.require(name)
        try:
            yield generation
        finally:
            generation.end_lease()

    def choose(self, name: str | None) -> str:
        """The model that a request means: the one it names, the default, or the only one.

        Raises:
            UnknownModel, ModelNotLoaded: as `require`.
            ModelNotChosen: no name, no default, several models.
            NoModel: nothing is served.
        """
        name = name or self._default_model
        if name is not None:
            return self.require(name).name
        names = self.served()
        if not names:
            raise NoModel
        if len(names) > 1:
            raise ModelNotChosen(names)
        return names[0]

    def require(self, name: str) -> Generation:
        """What is served under a name.

        Raises:
            UnknownModel: there is no such model.
            ModelNotLoaded: there is, but no version of it could be loaded.
        """
        generation = self._generations.get(name)
        if generation is not None:
            return generation
        if name in self._histories or name == self._default_model:
            raise ModelNotLoaded(name)
        raise UnknownModel(name, choices=self.served())

    def find(self, name: str) -> Generation | None:
        """What is served under a name, if anything."""
        return self._generations.get(name)

    def look_up(self, name: str) -> Status:
        """What is known of one model.

        Raises:
            UnknownModel: nothing is.
        """
        status = self.overview().get(name)
        if status is None:
            raise UnknownModel(name, choices=self.known())
        return status

    def overview(self) -> dict[str, Status]:
        """What is known of every model, by name, sorted."""
        with self._lock:
            return {name: self._status(name) for name in sorted(self._generations.keys() | self._histories.keys())}

    def _status(self, name: str) -> Status:
        history = self._histories.get(name, _History())
        return Status(
            self._generations.get(name), tuple(history.failures), dict(sorted(history.reloads.items())), history.pinned
        )

    def reloads(self) -> dict[str, Mapping[Outcome, int]]:
        """How often a look at each model ended in which way."""
        return {name: status.reloads for name, status in self.overview().items()}

    def served(self) -> Sequence[str]:
        """Names of the models that are served, sorted."""
        with self._lock:
            return sorted(self._generations)

    def known(self) -> Sequence[str]:
        """Names of the models that are served, could not be loaded or are waited for, sorted."""
        return list(self.overview())

    @property
    def default_model(self) -> str | None:
        """What a request without a name gets, if that is clear."""
        served = self.served()
        return self._default_model or (served[0] if len(served) == 1 else None)

    @property
    def serves_default(self) -> bool:
        """Whether at least one model is served, and the default one if one was named."""
        return bool(self._generations) if self._default_model is None else self._default_model in self._generations

    @property
    def store_error(self) -> str | None:
        """Why it cannot be told just now which models there are."""
        return self._store_error

    def note_store_error(self, message: str | None) -> None:
        """Remember why the models cannot be listed; None once they can."""
        self._store_error = message

    def expect(self, name: str, *, pinned: str | None = None) -> None:
        """Know a model that somebody named, though nothing of it is loaded yet."""
        with self._lock:
            self._history(name).pinned = pinned

    def put(self, generation: Generation) -> None:
        """Serve a generation from now on; the one before it drains. After `close` it is retired at once."""
        with self._lock:
            previous: Generation | None = generation
            if not self._closed:
                previous = self._generations.get(generation.name)
                self._generations[generation.name] = generation
                self._history(generation.name).reloads["loaded"] += 1
        if previous is not None:
            previous.retire()

    def remove(self, name: str) -> None:
        """Forget a model; its generation drains."""
        with self._lock:
            previous = self._generations.pop(name, None)
            self._histories.pop(name, None)
        if previous is not None:
            previous.retire()

    def note_failed_load(self, name: str, error: FailedLoad, outcome: Outcome | None = "failed") -> None:
        """Remember why a version is not served; kept until ten others failed, or until the model is gone.

        Args:
            name: the model's.
            error: replaces the newest one if that is about the same version.
            outcome: what to count it as; None to count nothing.
        """
        with self._lock:
            history = self._history(name)
            history.note(error)
            if outcome is not None:
                history.reloads[outcome] += 1

    def close(self) -> None:
        """Retire everything."""
        with self._lock:
            self._closed = True
        for name in self.known():
            self.remove(name)

    def _history(self, name: str) -> _History:
        return self._histories.setdefault(name, _History())
