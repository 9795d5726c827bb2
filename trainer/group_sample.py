"""A part of the pictures that stands for all of them: whole groups, and of every label its share."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.folds import FOLDS

_LEAST = 10


def sample_groups(targets: NDArray[np.int64], groups: Sequence[str], count: int, seed: int) -> NDArray[np.int64]:
    """Numbers of about `count` rows, ascending; a little more, where groups are large or labels rare.

    Groups are taken in the order of a seeded hash, each one as long as a label of it lacks rows: its share of `count`,
    at least 10 where it has so many, from at least as many groups as there are folds to choose by.

    Args:
        targets: shape (N,), class indices.
        groups: N group ids.
        count: of rows that are wished for.
        seed: another seed, another part.
    """
    if count >= len(targets):
        return np.arange(len(targets))
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        rows_of[group].append(row)
    sizes = Counter(targets.tolist())
    wanted = {label: max(math.ceil(count * size / len(targets)), _LEAST) for label, size in sizes.items()}
    rows, witnesses = Counter[int](), Counter[int]()
    taken: list[int] = []
    for group in sorted(rows_of, key=lambda group: (_position(group, seed), group)):
        labels = Counter(targets[rows_of[group]].tolist())
        if any(rows[label] < wanted[label] or witnesses[label] < FOLDS for label in labels):
            taken += rows_of[group]
            rows.update(labels)
            witnesses.update(labels.keys())
    return np.sort(np.array(taken, np.int64))


def _position(group: str, seed: int) -> bytes:
    return hashlib.sha256(f"sample:{seed}:{group}".encode()).digest()
