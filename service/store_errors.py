"""What the watcher meets where models come from."""

from collections.abc import Sequence

from shared.errors import FinialError


class StoreError(FinialError):
    """What the watcher meets where models come from; of those who ask, only admins who pin a version learn of it."""


class StoreUnreachable(StoreError):
    """Nobody answers there, or not with what was asked for."""

    def __init__(self, origin: str, detail: str) -> None:
        super().__init__(
            f"{origin}: cannot be read ({detail}). What is loaded is served on; it is asked again by itself. "
            "Check the address, the access rights and the network."
        )


class StoreClosed(StoreError):
    """The service is shutting down."""

    def __init__(self) -> None:
        super().__init__("the service is shutting down and fetches nothing more.")


class LookLate(StoreError):
    """Where models come from does not answer, and there is nobody who would break off the wait."""

    def __init__(self, origin: str, name: str, *, age_s: float, doing: str) -> None:
        super().__init__(
            f"{origin}: the last look at {name} ended {age_s:.0f} s ago (now: {doing}). What is loaded is served on. "
            "If it stays so, check the mount and the network; what hangs in a file system may need a restart."
        )


class FollowerNotStarted(StoreError):
    """The process cannot have another thread."""

    def __init__(self, names: Sequence[str], detail: str) -> None:
        super().__init__(
            f"{len(names)} models cannot be followed, {names[0]!r} the first of them ({detail}); each needs a thread. "
            "It is tried again by itself. Raise the limit of processes (a container's pids limit, ulimit -u)."
        )


class CacheTooSmall(StoreError):
    """A version is larger than what the cache folder has room for."""

    def __init__(self, origin: str, *, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(
            f"{origin}: it has {needed_bytes:,} bytes, the cache folder has room for {free_bytes:,}. "
            "Free some, or name another --cache-dir."
        )


class VersionAltered(StoreError):
    """The files of the version that is served are not those that were loaded."""

    def __init__(self, origin: str, name: str, version: str, detail: str) -> None:
        super().__init__(
            f"{origin}: the files of {name}/{version} were changed or lost after it was loaded ({detail}). A version "
            "never changes: what was loaded is served on. Publish a new version, or restore the files of this one."
        )
