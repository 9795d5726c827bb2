"""How much a run featurised and how much it found in the cache, whatever kinds of features it looked at."""

from collections.abc import Collection
from typing import Any


class FeatureTally:
    """Counts pictures, each once, and their renderings: a picture as it is, or a view, under one kind of features."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._computed: set[str] = set()
        self._wanted: dict[str, int] = {}
        self._rendered = 0

    def note(
        self, kind: str, pictures: Collection[str], *, renderings: int, computed: Collection[str], rendered: int
    ) -> None:
        """Features of one kind were asked for; of those that were asked for before, only further ones count.

        Args:
            kind: the fingerprint of the features.
            pictures: digests of those that can be used.
            renderings: how many of each are wanted.
            computed: digests of the pictures of which something was computed now.
            rendered: how many renderings that were.
        """
        self._asked.update(pictures)
        self._computed.update(computed)
        self._wanted[kind] = max(len(pictures) * renderings, self._wanted.get(kind, 0))
        self._rendered += rendered

    @property
    def featurized(self) -> int:
        """Different pictures of which any features were computed."""
        return len(self._computed)

    @property
    def from_cache(self) -> int:
        """Different pictures all of whose features were there."""
        return len(self._asked - self._computed)

    @property
    def renderings_featurized(self) -> int:
        """Rows of features that were computed."""
        return self._rendered

    @property
    def renderings_from_cache(self) -> int:
        """Rows of features that were there."""
        return max(0, sum(self._wanted.values()) - self._rendered)

    @property
    def went_beyond_pictures(self) -> bool:
        """Whether anything but one row for each picture was asked for."""
        return sum(self._wanted.values()) > len(self._asked)

    def as_json(self) -> dict[str, Any]:
        """For `train --json` and run.json."""
        names = ("featurized", "from_cache", "renderings_featurized", "renderings_from_cache")
        return {name: getattr(self, name) for name in names}
