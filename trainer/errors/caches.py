"""What is kept between runs: features, hashes, statistics, fetched data."""

from collections.abc import Sequence
from pathlib import Path

from trainer.errors import BadData, TrainerError, UsageError
from trainer.some_names import some


class CacheNotWritable(UsageError):
    """Features or hashes cannot be stored."""

    def __init__(self, folder: Path, detail: str) -> None:
        super().__init__(
            f"{folder}: the cache cannot be written ({detail}). Free some space, or name another folder "
            "with --cache-dir."
        )


class CachePartDamaged(TrainerError):
    """A part of the cache is not what was written."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path}: damaged part of the cache ({detail}).")


class CacheDamaged(BadData):
    """Files in the cache are not what they promise."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        super().__init__(
            f"{folder}: {len(names)} damaged files ({some(names)}). No run uses them, what they held is computed "
            "again. `cache prune` removes them; if this happens often, check the disk."
        )


class FingerprintNotFound(UsageError):
    """--fingerprint names nothing in the cache, or more than one thing."""

    def __init__(self, fingerprint: str, choices: Sequence[str], *, found: int) -> None:
        what = f"begins {found} names" if found else "begins no name"
        listed = some([name[:12] for name in choices], most=8) or "nothing"
        super().__init__(
            f"--fingerprint {fingerprint}: it {what} in this cache ({listed}); expected the first letters of one. "
            "`cache list` shows them."
        )


class FeaturesLost(TrainerError):
    """Features or statistics that were just stored cannot be read back."""

    def __init__(self, folder: Path, count: int) -> None:
        super().__init__(
            f"{folder}: {count} rows that were just stored are missing or damaged. Check the disk, or name another "
            "folder with --cache-dir."
        )
