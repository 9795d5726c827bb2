"""How many folds the data allows."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def fewest_groups(targets: NDArray[np.int64], groups: Sequence[str]) -> int:
    """The number of groups of the class that has fewest: with more folds, one of them would lack the class."""
    pairs = set(zip(targets.tolist(), groups, strict=True))
    return min(Counter(target for target, _ in pairs).values())
