"""Follows one model, and does as an admin says meanwhile: look now, serve this version, serve again what you would."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from service.admin_errors import AdminBusy, NoEarlierVersion, NoSuchVersionName, VersionNotLoadable
from service.follower import Follower, in_words
from service.model_status import Pin
from service.store_errors import StoreClosed, StoreUnreachable
from shared.bundle import VERSION_PATTERN

Result = Literal["loaded", "unchanged", "failed"]

ADMIN_WAIT_S = 10.0
"""How long an admin waits for a look that is under way."""


@dataclass(frozen=True)
class Looked:
    """What came of a look that somebody asked for.

    Attributes:
        result: a version was loaded, all is as it was, or something is wrong.
        reason: what is wrong.
        version: what was served then; None for nothing.
        pin: what it was pinned to then. Whoever looks later may see what another verb did.
    """

    result: Result
    reason: str | None = None
    version: str | None = field(default=None, compare=False)
    pin: Pin | None = field(default=None, compare=False)


class SteeredFollower(Follower):
    """A follower with verbs. What an admin says holds as long as the process lives, and is written nowhere."""

    @property
    def admin_pin(self) -> Pin | None:
        """What an admin pinned; to be set before the first look, by whoever follows the model again."""
        return self._pin if self._pin is not None and self._pin.by == "admin" else None

    @admin_pin.setter
    def admin_pin(self, pin: Pin | None) -> None:
        if pin is not None:
            self._pin = pin

    def look_now(self) -> Looked:
        """Look once, also for what failed a moment ago, and tell what came of it.

        Raises:
            AdminBusy: another look does not come to an end.
        """
        with self._free_to_look():
            return self._look_afresh()

    def pin(self, version: str) -> Looked:
        """Serve a version whatever `current` says, until `unpin`; it is loaded first, and one that cannot be is no pin.

        Raises:
            NoSuchVersionName: no version is called so.
            AdminBusy: as above.
            VersionNotLoadable: why not.
            StoreUnreachable, StoreClosed: that it is not even known whether it can.
        """
        if not re.fullmatch(VERSION_PATTERN, version):
            raise NoSuchVersionName(self.name, version, choices=self._around.store.versions(self._model))
        with self._free_to_look():
            return self._serve_pinned(version)

    def roll_back(self) -> Looked:
        """Pin the version that was served before the present one.

        Raises:
            AdminBusy, VersionNotLoadable, StoreUnreachable, StoreClosed: as above.
            NoEarlierVersion: this process has served none.
        """
        with self._free_to_look():
            before = self._around.registry.version_before(self.name)
            if before is None:
                serving = self._around.registry.find(self.name)
                raise NoEarlierVersion(self.name, serving=None if serving is None else serving.version)
            return self._serve_pinned(before)

    def unpin(self) -> Looked:
        """Serve again what the settings say: --pin, or else `current`; and look.

        Raises:
            AdminBusy: as above.
        """
        with self._free_to_look():
            self._pin = self._pin_at_start
            looked = self._look_afresh()
            if self._around.registry.find(self.name) is not None:  # if not, it may be no model
                self._expect()
            return looked

    def _serve_pinned(self, version: str) -> Looked:
        serving = self._around.registry.find(self.name)
        is_served = serving is not None and serving.version == version
        if not is_served:
            self._load_or_raise(version)
        self._pin = Pin(version, "admin")
        self._expect()
        return self._told("unchanged" if is_served else "loaded")

    def _load_or_raise(self, version: str) -> None:
        started = self._around.clock()
        try:
            opened = self._open(version)
        except (StoreUnreachable, StoreClosed):  # the version may be as good as any
            raise
        except Exception as error:  # a bundle is untrusted; whatever it provokes is told
            raise VersionNotLoadable(self.name, version, in_words(error)) from error
        finally:
            self.doing = "waiting"
        if not self._take(opened, since=started):
            raise VersionNotLoadable(self.name, version, "the model went meanwhile")

    def _look_afresh(self) -> Looked:
        self._asks.clear()
        self._loads.clear()
        self._recheck_at = 0.0
        self._loaded, self._found_wrong = False, ""
        self._look_once()
        if self._found_wrong:
            return self._told("failed", self._found_wrong)
        return self._told("loaded" if self._loaded else "unchanged")

    def _told(self, result: Result, reason: str | None = None) -> Looked:
        serving = self._around.registry.find(self.name)
        return Looked(result, reason, None if serving is None else serving.version, self._pin)

    @contextlib.contextmanager
    def _free_to_look(self) -> Iterator[None]:
        if not self._looking.acquire(timeout=ADMIN_WAIT_S):
            raise AdminBusy(self.name, waited_s=ADMIN_WAIT_S, doing=self.doing)
        try:
            yield
        finally:
            self._looking.release()
