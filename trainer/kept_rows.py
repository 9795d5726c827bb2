"""Features that are asked for again and again, kept in memory within a bound."""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from trainer.recipe import FeatureChoice, FeatureRows, RowsToFit

MOST_BYTES = 512 * 1024**2
"""All that a search tries on 1,500 pictures; on more of them, some are read from the cache again."""


class KeptRows:
    """Rows by their choice of features and number of views; what was not asked for longest is let go first."""

    def __init__(self, read: Callable[[FeatureChoice, int], RowsToFit], *, most_bytes: int = MOST_BYTES) -> None:
        """Keep what `read` gives, as far as `most_bytes` go; the last that was read is always there."""
        self._read = read
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[FeatureChoice, int], RowsToFit] = OrderedDict()

    def rows(self, choice: FeatureChoice, views: int = 0) -> RowsToFit:
        """Those of a choice, read where they are not kept."""
        key = choice, views
        if key not in self._kept:
            self._kept[key] = _compact(self._read(choice, views))
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and self.bytes > self._most_bytes:
            self._kept.popitem(last=False)
        return self._kept[key]

    @property
    def bytes(self) -> int:
        """What is kept takes so many of memory."""
        in_memory = (one for one in self._kept.values() if isinstance(one, FeatureRows))
        return sum(one.plain.nbytes + one.views.nbytes for one in in_memory)


def _compact(read: RowsToFit) -> RowsToFit:
    """The first columns of wider rows would keep all of them."""
    if not isinstance(read, FeatureRows):
        return read
    return FeatureRows(np.ascontiguousarray(read.plain), np.ascontiguousarray(read.views))
