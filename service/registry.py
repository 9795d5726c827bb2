"""Model name -> the generation being served. A swap is one reference; leases that are out end on the old one."""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from service.errors import ServiceError
from service.generation import Generation
from service.model_errors import ModelNotChosen, ModelNotLoaded, NoModel, UnknownModel
from service.model_status import FailedLoad, History, Outcome, Pin, Status
from shared.bundle import NAME_PATTERN


class Registry:
    """The models of one process. Every method may be called from any thread.

    Args:
        default_model: what a request without a name gets; None for the only model.
        clock: seconds, never going back.
    """

    def __init__(self, *, default_model: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._default_model, self._clock = default_model, clock
        self._lock = threading.Lock()
        self._generations: dict[str, Generation] = {}
        self._histories: dict[str, History] = {}  # of every model that is known
        self._askable: tuple[str, ...] = ()
        self._looked: dict[str | None, float] = {}
        self._is_settled: Callable[[], bool] = lambda: True
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
        """The model that a request means: the one it names, the default, or the only one that is known.

        One that could not be loaded counts: a bad version must not decide who answers for another model.

        Raises:
            UnknownModel, ModelNotLoaded: as `require`.
            ModelNotChosen: no name, no default, several models.
            NoModel: there is none, or it is not known yet which there are.
        """
        name = name or self._default_model
        if name is not None:
            return self.require(name).name
        names = self._askable
        if len(names) > 1:
            raise ModelNotChosen(names)
        if not names or not self._is_settled():
            raise NoModel(is_loading=not self._is_settled(), store_error=self._store_error)
        return self.require(names[0]).name

    def require(self, name: str) -> Generation:
        """What is served under a name.

        Raises:
            UnknownModel: there is no such model.
            ModelNotLoaded: there is, or may be, but no version of it is loaded.
        """
        generation = self._generations.get(name)
        if generation is not None:
            return generation
        raise self._why_not(name)

    def _why_not(self, name: str) -> ServiceError:
        status = self.overview().get(name)
        if status is not None and status.failed is not None:
            return ModelNotLoaded(name, failure=status.failed.message)
        if status is not None or not self._is_settled():
            return ModelNotLoaded(name, is_loading=True)
        if name == self._default_model:
            return ModelNotLoaded(name, known=[each for each in self.served() if each != name])
        return UnknownModel(name, choices=self.served())

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
            return {name: self._status(name) for name in sorted(self._histories)}

    def _status(self, name: str) -> Status:
        history = self._histories[name]
        return Status(
            self._generations.get(name),
            tuple(history.failures),
            dict(sorted(history.reloads.items())),
            history.pin,
            self._look_age_s(name),
            history.is_failing,
        )

    def reloads(self) -> dict[str, Mapping[Outcome, int]]:
        """How often a look at each model ended in which way."""
        return {name: status.reloads for name, status in self.overview().items()}

    def version_before(self, name: str) -> str | None:
        """What was served of a model before its present version, in this process; None if nothing was."""
        with self._lock:
            history = self._histories.get(name)
            return None if history is None else history.before

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
        return self._default_model or (self._askable[0] if len(self._askable) == 1 else None)

    @property
    def missing_default(self) -> str | None:
        """Why what was named as the default cannot be served, where nothing is known of such a model."""
        name = self._default_model
        if name is None or name in self.overview() or self._store_error or not self._is_settled():
            return None
        return str(self._why_not(name))

    @property
    def serves_default(self) -> bool:
        """Whether at least one model is served, and the default one if one was named."""
        if self._default_model is not None:
            return self._default_model in self._generations
        return any(name in self._generations for name in self._askable)

    @property
    def store_error(self) -> str | None:
        """Why it cannot be told just now which models there are."""
        return self._store_error

    def note_store_error(self, message: str | None) -> None:
        """Remember why the models cannot be listed; None once they can."""
        self._store_error = message

    def settle_when(self, is_settled: Callable[[], bool]) -> None:
        """Until then a model that is not known may be one that was not looked at yet."""
        self._is_settled = is_settled

    def note_look(self, name: str | None) -> None:
        """A look at a model, or (None) at which models there are, has ended; or begins now, for the first time."""
        self._looked[name] = self._clock()

    def look_ages(self) -> dict[str, float]:
        """Seconds since the last look at each model ended, of all that are followed; a name may be any folder's."""
        return {name: age for name in list(self._looked) if name and (age := self._look_age_s(name)) is not None}

    @property
    def listing_age_s(self) -> float | None:
        """Seconds since it was last seen which models there are; None if nobody looks."""
        return self._look_age_s(None)

    def _look_age_s(self, name: str | None) -> float | None:
        looked = self._looked.get(name)
        return None if looked is None else max(0.0, self._clock() - looked)

    def expect(self, name: str, *, pin: Pin | None = None) -> None:
        """Know a model of which perhaps nothing is loaded yet, and in which version it is to be served."""
        with self._lock:
            self._history(name).pin = pin

    def put(self, generation: Generation) -> None:
        """Serve a generation from now on; the one before it drains. After `close` it is retired at once."""
        with self._lock:
            previous: Generation | None = generation
            if not self._closed:
                previous = self._generations.get(generation.name)
                self._generations[generation.name] = generation
                self._history(generation.name).note_served(generation.version)
        if previous is not None:
            previous.retire()

    def remove(self, name: str) -> None:
        """Forget a model; its generation drains."""
        with self._lock:
            previous = self._generations.pop(name, None)
            self._histories.pop(name, None)
            self._looked.pop(name, None)
            self._note_askable()
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

    def note_well(self, name: str) -> None:
        """A look found that a model is served as it is to be."""
        with self._lock:
            if (history := self._histories.get(name)) is not None:
                history.is_failing = False

    def close(self) -> None:
        """Retire everything."""
        with self._lock:
            self._closed = True
        for name in self.known():
            self.remove(name)

    def _history(self, name: str) -> History:
        if name not in self._histories:
            self._histories[name] = History()
            self._note_askable()
        return self._histories[name]

    def _note_askable(self) -> None:
        # Kept, because each request without a name asks. A name that no model may have cannot be asked for.
        self._askable = tuple(name for name in sorted(self._histories) if re.fullmatch(NAME_PATTERN, name))
