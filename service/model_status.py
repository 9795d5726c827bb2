"""What is known of a model: what is served of it, which version is pinned, and what went wrong."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from service.generation import Generation

Outcome = Literal["loaded", "failed", "unreadable", "altered"]
"""How a look at a model ended: a version was loaded, could not be, `current` could not be read, or the files of the
version that is served are no longer those that were loaded. A look that finds all as it was has none."""

PinnedBy = Literal["setting", "admin"]
"""Who says which version is served whatever `current` says: --pin or --also, or an admin while the process lives."""

FAILED_LOADS_KEPT = 10
VERSIONS_KEPT = 20


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
class Pin:
    """A version that is served whatever `current` says, and who says so."""

    version: str
    by: PinnedBy = "setting"


@dataclass(frozen=True)
class Status:
    """What is served of a model, and how that came about.

    Attributes:
        generation: what is served, if anything.
        failures: the last ten versions that could not be loaded, newest first, even if a later one succeeded.
        reloads: how often a look at the model ended in which way.
        pin: the version that is to be served whatever `current` says.
        look_age_s: seconds since the last look at the model ended, or since it is followed; None if it is not.
        is_failing: whether what is to be served cannot be, or is not what it was, as the last look found.
    """

    generation: Generation | None
    failures: tuple[FailedLoad, ...] = ()
    reloads: Mapping[Outcome, int] = field(default_factory=dict)
    pin: Pin | None = None
    look_age_s: float | None = None
    is_failing: bool = False

    @property
    def failed(self) -> FailedLoad | None:
        """The newest failed load."""
        return self.failures[0] if self.failures else None


@dataclass
class History:
    """What is known of a model besides what is served of it.

    Attributes:
        versions: those that were served, the present one last; one that was gone back to is followed by none.
        is_failing: as a status has it.
    """

    failures: deque[FailedLoad] = field(default_factory=lambda: deque(maxlen=FAILED_LOADS_KEPT))
    reloads: Counter[Outcome] = field(default_factory=Counter)
    pin: Pin | None = None
    versions: deque[str] = field(default_factory=lambda: deque(maxlen=VERSIONS_KEPT))
    is_failing: bool = False

    def note(self, failed: FailedLoad) -> None:
        """Remember a failed load."""
        if self.failures and self.failures[0].version == failed.version:
            self.failures.popleft()  # the same once more
        self.failures.appendleft(failed)
        self.is_failing = True

    def note_served(self, version: str) -> None:
        """Remember what is served now. Who goes back leaves what came later: going back again goes further back."""
        self.reloads["loaded"] += 1
        self.is_failing = False
        while version in self.versions:
            self.versions.pop()
        self.versions.append(version)

    @property
    def before(self) -> str | None:
        """The version that was served before the present one."""
        return self.versions[-2] if len(self.versions) > 1 else None
