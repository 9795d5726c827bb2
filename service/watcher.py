"""Notices new versions, new models and models that are gone, by polling. Survives whatever it finds there.

Polling, because a file's content is the one thing that every file system, network share, container volume and object
store agrees on; notifications are lost on most of them. Each model is followed on a thread of its own: one whose files
come slowly, or never, holds up no other, or for a few seconds where it hangs while it is opened.
"""

import logging
import random as chance
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from service.back_off import BackOff
from service.follower import Follower, Surroundings
from service.follower_threads import FollowerThreads
from service.generation import Generation
from service.model_errors import UnknownModel
from service.model_status import Pin
from service.model_store import ModelStore
from service.overseer import Overseer
from service.registry import Registry
from service.steered_follower import SteeredFollower
from service.store_errors import FollowerNotStarted, StoreError, StoreUnreachable
from service.turns import Turns

logger = logging.getLogger(__name__)

FIRST_LOOK_S = 30.0
_LISTING = "listing"
_JOIN_S = 5.0


class Watcher:
    """Threads that keep a registry as a store says.

    Args:
        registry: what is kept.
        store: where models come from; closed at the end.
        open_version: makes a generation of a name and a version's folder.
        names: serve these and no others, and do not ask what else there is; none to serve whatever is there.
        pins: version by the name of each model that is to be served in that version, whatever `current` says.
        also: versions that are served beside the current ones: model and version by the name to serve them under.
        interval_s: time between two polls, and before the first retry of a failed load.
        turns: at opening a version.
        clock: seconds, never going back.
        random: evenly in [0, 1).
        start: starts a model's thread; may raise RuntimeError where the process can have no more.
    """

    def __init__(
        self,
        registry: Registry,
        store: ModelStore,
        *,
        open_version: Callable[[str, Path], Generation],
        names: Collection[str] = (),
        pins: Mapping[str, str] = MappingProxyType({}),
        also: Mapping[str, tuple[str, str]] = MappingProxyType({}),
        interval_s: float = 1.0,
        turns: Turns | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = chance.random,
        start: Callable[[threading.Thread], None] = threading.Thread.start,
    ) -> None:
        self._registry, self._store = registry, store
        self._named, self._pins, self._also = frozenset(names), pins, also
        self._interval_s, self._clock = interval_s, clock
        self._around = Surroundings(store, registry, open_version, turns or Turns(), interval_s, clock, random)
        self._listing = BackOff(interval_s, clock=clock, random=random)
        self._followers: Mapping[str, SteeredFollower] = {}
        self._steered: dict[str, Pin] = {}  # what admins pinned, of models that are away
        self._stop, self._listed, self._looked = threading.Event(), threading.Event(), threading.Event()
        self._began = clock()
        self._overseer = Overseer(registry, origin=store.origin, interval_s=interval_s)
        self._threads = FollowerThreads(self._follow, start=start)
        self._not_started: str | None = None
        self._has_cleared = False
        self._own = [
            threading.Thread(target=self._run, name="watcher", daemon=True),
            threading.Thread(target=self._oversee, name="overseer", daemon=True),
        ]

    @property
    def has_looked(self) -> bool:
        """Whether every model was tried at least once. One that is still not there after 30 s is not waited for."""
        if not self._looked.is_set():
            followers = self._followers.values()
            is_done = self._listed.is_set() and all(one.has_looked.is_set() for one in followers)
            if is_done or self._clock() - self._began > FIRST_LOOK_S:
                self._looked.set()
        return self._looked.is_set()

    def __enter__(self) -> Self:
        self._registry.settle_when(lambda: self.has_looked)
        for thread in self._own:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._store.close()
        until = time.monotonic() + _JOIN_S
        for thread in self._own:  # one that hangs in a file system is left behind: it holds up no exit
            thread.join(timeout=max(0.0, until - time.monotonic()))
        self._threads.join(until=until)

    def follower_of(self, name: str) -> SteeredFollower:
        """Who follows a model. Raises UnknownModel: nobody."""
        follower = self._followers.get(name)
        if follower is None:
            raise UnknownModel(name, choices=list(self._followers))
        return follower

    def poll(self) -> None:
        """Look once at what models there are, and at each. Nothing that is found there raises."""
        before = self._followers
        self._list()
        for name in before.keys() - self._followers.keys():
            self._forget(name)
        for follower in self._followers.values():
            follower.look()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._list()
                self._keep_threads()
            except Exception:  # a watcher that dies would freeze the list of models, unnoticed
                logger.exception("listing failed")
            self._listed.set()
            self._stop.wait(self._interval_s)

    def _oversee(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                self._overseer.oversee(self._followers)
            except Exception:  # as above: who tells of what hangs must not end
                logger.exception("overseeing failed")

    def _keep_threads(self) -> None:
        try:
            self._threads.keep(self._followers.values())
        except FollowerNotStarted as error:
            if self._not_started is None:
                logger.error("models cannot be followed", extra={"error": str(error)})
            self._not_started = str(error)
            self._registry.note_store_error(self._not_started)
        else:
            if self._not_started is not None:
                self._not_started = None
                self._registry.note_store_error(None)

    def _follow(self, follower: Follower) -> None:
        while not self._stop.is_set() and self._followers.get(follower.name) is follower:
            try:
                follower.look()
            except Exception:  # a thread that dies would freeze the model at its version, unnoticed
                logger.exception("poll failed", extra={"model": follower.name})
            self._stop.wait(self._interval_s)
        if not self._stop.is_set():  # gone; here, because it waits for what is still being fetched
            self._forget(follower.name)

    def _forget(self, name: str) -> None:
        if name not in self._followers:
            try:
                self._store.forget(name)
            except (OSError, StoreError) as error:
                logger.warning("copies stay", extra={"model": name, "error": str(error)})

    def _list(self) -> None:
        """Bring the followers in line with the models there are."""
        models = self._wanted()
        if models is None:
            return
        wanted = models | self._also.keys()
        new = {name: self._follower(name) for name in sorted(wanted - self._followers.keys())}
        gone = sorted(self._followers.keys() - wanted)
        left = [self._followers[name] for name in gone]
        kept = {name: follower for name, follower in self._followers.items() if name in wanted}
        self._followers = dict(sorted({**kept, **new}.items()))
        for follower in left:
            follower.leave()
            if follower.admin_pin is not None:  # a share that is away for a moment must not undo what an admin said
                self._steered[follower.name] = follower.admin_pin
            logger.warning("model gone", extra={"model": follower.name})

    def _wanted(self) -> frozenset[str] | None:
        """Names of the models to follow; None where all stays as it is."""
        if self._named:
            return self._named | self._pins.keys()
        self._registry.note_look(None)
        if not self._listing.is_due(_LISTING):
            return None
        try:
            found = self._store.names()
            self._registry.note_look(None)
        except StoreUnreachable as error:  # what is loaded serves on
            self._note_unreachable(error)
            return None if self._followers else frozenset(self._store.remembered()) | self._pins.keys()
        self._listing.clear()
        self._registry.note_store_error(self._not_started)
        wanted = found | self._pins.keys()
        self._forget_those_that_went_before(wanted)
        return wanted

    def _forget_those_that_went_before(self, wanted: frozenset[str]) -> None:
        """Copies of models that are gone since the process before this one; once, at the first list."""
        if not self._has_cleared:
            self._has_cleared = True
            for name in sorted(self._store.remembered().keys() - wanted - self._followers.keys()):
                self._forget(name)

    def _note_unreachable(self, error: StoreUnreachable) -> None:
        attempts = self._listing.note_failure(_LISTING)
        self._registry.note_store_error(str(error))
        logger.error("models cannot be listed", extra={"error": str(error), "attempts": attempts})

    def _follower(self, name: str) -> SteeredFollower:
        model, pinned = self._also.get(name) or (None, self._pins.get(name))
        is_expected = name in self._named
        if pinned or is_expected:
            self._registry.expect(name, pin=Pin(pinned) if pinned else None)
        follower = SteeredFollower(name, self._around, pinned=pinned, is_expected=is_expected, model=model)
        follower.admin_pin = self._steered.pop(name, None)
        return follower
