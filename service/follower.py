"""Follows one model: looks which version is to be served, and serves it. Survives whatever it finds."""

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from service.back_off import BackOff
from service.generation import Generation
from service.model_status import FailedLoad, Outcome, Pin
from service.model_store import ModelStore
from service.registry import Registry
from service.store_errors import LookLate, StoreClosed, StoreUnreachable, VersionAltered
from service.turns import Turns
from shared.errors import BundleError, FinialError, ModelMissing

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Surroundings:
    """What all followers of a watcher share.

    Attributes:
        open_version: makes a generation of a name and a version's folder.
        turns: at opening a version, so that many new ones do not take all memory and cores at once.
        interval_s: time before the first retry of what failed.
        clock: seconds, never going back.
        random: evenly in [0, 1).
    """

    store: ModelStore
    registry: Registry
    open_version: Callable[[str, Path], Generation]
    turns: Turns
    interval_s: float
    clock: Callable[[], float]
    random: Callable[[], float]


@dataclass(frozen=True)
class Opened:
    """A version that may be served, and its files' state before it was read: what changes meanwhile is noticed."""

    generation: Generation
    state: str | None


class Follower:
    """Keeps one model of a registry as its store says. Every method may be called from any thread.

    Args:
        name: what the model is served under.
        around: what is followed, and how.
        pinned: the version to serve whatever `current` says.
        is_expected: whether somebody named this model, so that it is a fault if it is not there.
        model: its name in the store, where it is served under another one, beside the current version.

    Attributes:
        has_looked: set when the first look has ended.
        doing: what the thread that looks is at, in a few words.
    """

    def __init__(
        self,
        name: str,
        around: Surroundings,
        *,
        pinned: str | None = None,
        is_expected: bool = False,
        model: str | None = None,
    ) -> None:
        self.name, self.has_looked = name, threading.Event()
        self.doing = "began"
        self._around, self._is_expected = around, is_expected or pinned is not None
        self._model, self._is_beside = model or name, model is not None
        self._pin_at_start = self._pin = None if pinned is None else Pin(pinned)
        self._looking = threading.Lock()
        self._loaded, self._found_wrong = False, ""
        self._loads, self._asks = self._back_off(), self._back_off()
        self._unreadable = 0
        self._state: str | None = None
        self._is_altered = False
        self._recheck_at = 0.0
        self._leaving, self._has_left = threading.Lock(), False
        self._note_look()

    def look(self) -> None:
        """Look once; nothing that is found raises."""
        with self._looking:
            self._look_once()

    def _look_once(self) -> None:
        try:
            if self._asks.is_due(""):
                self._look()
        except StoreClosed:
            pass
        finally:
            self.doing = "waiting"
            self._note_look()
            self.has_looked.set()

    def leave(self) -> None:
        """Follow no more; what is being loaded now is not served."""
        with self._leaving:
            self._has_left = True
            self._around.registry.remove(self.name)

    def tell_late(self, age_s: float) -> None:
        """Remember for those who ask, and log, that a look does not end. May be called from any thread."""
        error = LookLate(self._around.store.origin, self.name, age_s=age_s, doing=self.doing)
        with self._leaving:
            if not self._has_left:
                failed = FailedLoad(None, str(error), datetime.now(UTC), 1)
                self._around.registry.note_failed_load(self.name, failed, None)
                logger.error("look does not end", extra={"model": self.name, "error": str(error)})

    def _note_look(self) -> None:
        with self._leaving:
            if not self._has_left:
                self._around.registry.note_look(self.name)

    def _look(self) -> None:
        self.doing = "reading `current`"
        try:
            version = self._pin.version if self._pin else self._around.store.current(self._model)
        except StoreClosed:
            raise
        except Exception as error:
            self._note_unreadable(error)
        else:
            self._asks.clear()
            self._unreadable = 0
            self._expect()
            self._serve(version)

    def _serve(self, version: str) -> None:
        serving = self._around.registry.find(self.name)
        if serving is None or serving.version != version:
            if self._loads.is_due(version):
                self._load(version)
            return
        self._loads.clear()
        if self._around.clock() >= self._recheck_at:
            self._recheck_at = self._around.clock() + self._around.store.recheck_s
            with contextlib.suppress(StoreUnreachable):
                self._look_for_changes(serving)
        if not self._is_altered:
            self._around.registry.note_well(self.name)

    def _expect(self) -> None:
        """It has a `current`, so that it is a model, and known before anything of it is loaded."""
        with self._leaving:
            if not self._has_left:
                self._around.registry.expect(self.name, pin=self._pin)

    def _load(self, version: str) -> None:
        started = self._around.clock()
        try:
            opened = self._open(version)
        except StoreClosed:
            raise
        except Exception as error:  # a bundle is untrusted; whatever it provokes must not end the watcher
            self._note(error, "failed", version=version, attempts=self._loads.note_failure(version))
            return
        self._take(opened, since=started)

    def _open(self, version: str) -> Opened:
        self.doing = f"getting {version}"
        state = self._state_of(version)
        path = self._around.store.obtain(self._model, version)
        self.doing = f"opening {version}"
        with self._around.turns.take():
            return Opened(self._around.open_version(self.name, path), state)

    def _take(self, opened: Opened, *, since: float) -> bool:
        """Serve it; False where the model is not followed any more."""
        around, generation = self._around, opened.generation
        if not self._put(generation):
            return False
        self._loads.clear()
        self._loaded = True
        self._state, self._recheck_at = opened.state, around.clock() + around.store.recheck_s
        self._is_altered = False
        took = {"model": self.name, "version": generation.version, "load_s": round(around.clock() - since, 3)}
        logger.info("model loaded", extra=took | {"provider": generation.provider, "warnings": generation.warnings})
        if not self._is_beside:
            with contextlib.suppress(OSError):
                around.store.remember(self._model, generation.version)
        return True

    def _put(self, generation: Generation) -> bool:
        with self._leaving:
            if not self._has_left:
                self._around.registry.put(generation)
                return True
        generation.retire()
        return False

    def _state_of(self, version: str) -> str | None:
        try:
            return self._around.store.state(self._model, version)
        except (StoreUnreachable, BundleError):
            return None

    def _look_for_changes(self, serving: Generation) -> None:
        """A version never changes; if its files do, what was loaded is served on, and that is said."""
        try:
            state = self._around.store.state(self._model, serving.version)
        except BundleError as error:
            state = str(error)
        if state == self._state:
            return
        loaded = serving.bundle.metadata.content_sha256
        try:
            found = self._around.store.content(self._model, serving.version)
            detail = "" if found == loaded else f"its content is {found[:8]} now, {loaded[:8]} was loaded"
        except BundleError as error:
            detail = str(error).rstrip(".")
        self._state, self._is_altered = state, bool(detail)
        if detail:  # a report that was added later is no change of the content
            altered = VersionAltered(self._around.store.origin, self._model, serving.version, detail)
            self._note(altered, "altered", version=serving.version, attempts=1)

    def _note_unreadable(self, error: Exception) -> None:
        is_away = isinstance(error, StoreUnreachable)
        is_served = self._around.registry.find(self.name) is not None
        if isinstance(error, ModelMissing) and not is_served and not self._is_expected:
            return  # not a model, or not published yet
        self._unreadable += 1
        if is_away:
            self._asks.note_failure("")
        self._note(error, "unreadable", version=None, attempts=self._unreadable, is_retry=is_away)
        if is_away and not is_served and (last := self._around.store.remembered().get(self._model)):
            self._serve(last)

    def _note(
        self, error: Exception, outcome: Outcome, *, version: str | None, attempts: int, is_retry: bool = True
    ) -> None:
        """Remember it for those who ask; count and log it the first time, and each time it was tried again."""
        self._found_wrong = message = in_words(error)
        is_counted = is_retry or attempts == 1
        with self._leaving:
            if self._has_left:
                return
            failed = FailedLoad(version, message, datetime.now(UTC), attempts)
            self._around.registry.note_failed_load(self.name, failed, outcome if is_counted else None)
        if is_counted:
            fields = {"model": self.name, "version": version, "error": message, "attempts": attempts}
            logger.error("load failed", extra=fields)

    def _back_off(self) -> BackOff:
        return BackOff(self._around.interval_s, clock=self._around.clock, random=self._around.random)


def in_words(error: Exception) -> str:
    """What went wrong, for those who ask."""
    return str(error) if isinstance(error, FinialError) else f"{type(error).__name__}: {error}"
