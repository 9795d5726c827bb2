"""Model name -> the generation being served. A swap is one reference; leases that are out end on the old one."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.errors import ModelNotChosen, ModelNotLoaded, NoModel, UnknownModel
from service.generation import Generation


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
    """What is served of a model, and its newest failed load, even if a later one succeeded; either may be missing."""

    generation: Generation | None
    failed: FailedLoad | None


class Registry:
    """The models of one process. Every method may be called from any thread.

    Args:
        default_model: what a request without a name gets; None for the only model.
    """

    def __init__(self, *, default_model: str | None = None) -> None:
        self._default_model = default_model
        self._lock = threading.Lock()
        self._generations: dict[str, Generation] = {}
        self._failed_loads: dict[str, FailedLoad] = {}

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
        if name in self._failed_loads or name == self._default_model:
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
        status = Status(self._generations.get(name), self._failed_loads.get(name))
        if status.generation is None and status.failed is None:
            raise UnknownModel(name, choices=self.known())
        return status

    def overview(self) -> dict[str, Status]:
        """What is known of every model, by name, sorted."""
        with self._lock:
            names = sorted(self._generations.keys() | self._failed_loads.keys())
            return {name: Status(self._generations.get(name), self._failed_loads.get(name)) for name in names}

    def served(self) -> Sequence[str]:
        """Names of the models that are served, sorted."""
        with self._lock:
            return sorted(self._generations)

    def known(self) -> Sequence[str]:
        """Names of the models that are served or could not be loaded, sorted."""
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

    def put(self, generation: Generation) -> None:
        """Serve a generation from now on; the one before it drains."""
        with self._lock:
            previous = self._generations.get(generation.name)
            self._generations[generation.name] = generation
        if previous is not None:
            previous.retire()

    def remove(self, name: str) -> None:
        """Forget a model; its generation drains."""
        with self._lock:
            previous = self._generations.pop(name, None)
            self._failed_loads.pop(name, None)
        if previous is not None:
            previous.retire()

    def note_failed_load(self, name: str, error: FailedLoad) -> None:
        """Remember why a version is not served; kept until the next failure, or until the model is gone."""
        with self._lock:
            self._failed_loads[name] = error

    def close(self) -> None:
        """Retire everything."""
        for name in self.known():
            self.remove(name)
