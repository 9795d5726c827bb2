"""Features on disk, found by what produced them: the graph's fingerprint and the picture's digest."""

import contextlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

PLAIN_VIEW = "plain"


class FeatureWriter(Protocol):
    """Takes features as they are computed; may be used from several threads."""

    def add(self, digest: str, view: str, features: NDArray[np.float32]) -> None:
        """Store one row, `features` of shape (D,)."""


class FeatureCache:
    """The features of one fingerprint: parquet parts in <folder>/features/<fingerprint>/.

    Args:
        folder: the cache folder, shared by all runs.
        fingerprint: SHA-256 over everything that influences the features.
        feature_size: D, the length of a row.
        warn: told about each damaged part that was dropped; `warnings` keeps the same sentences.
    """

    def __init__(
        self, folder: Path, fingerprint: str, feature_size: int, *, warn: Callable[[str], None] | None = None
    ) -> None:
        self.folder = folder / "features" / fingerprint
        self.feature_size = feature_size
        self.warnings: list[str] = []
        self._warn = warn

    def known(self, digests: Collection[str], view: str = PLAIN_VIEW) -> set[str]:
        """Those of `digests` whose features are stored; reads no features into memory for long."""
        raise NotImplementedError

    def read(self, digests: Collection[str], view: str = PLAIN_VIEW) -> dict[str, NDArray[np.float32]]:
        """The stored features of `digests`, by digest; what is not stored, or damaged, is left out."""
        raise NotImplementedError

    def writer(self) -> contextlib.AbstractContextManager[FeatureWriter]:
        """A writer that stores a part every 256 rows and whatever is left at the end, also when interrupted."""
        raise NotImplementedError

    def compact(self) -> None:
        """Join small parts into larger ones; writes before it deletes."""
        raise NotImplementedError
