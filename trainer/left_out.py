"""Which classes are kept from the training, one at a time, to see whether their pictures are noticed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.novelty import FOLDS
from trainer.ranking import roc_auc

MOST_CLASSES, MOST_ROWS = 6, 2000


@dataclass(frozen=True)
class Turn:
    """A class that is left out, and a fold, whose rows of other classes are familiar but unseen.

    Attributes:
        left: its class index.
        own: shape (N,), the rows of the class.
        held: shape (N,), the rows of the fold.
    """

    left: int
    own: NDArray[np.bool_]
    held: NDArray[np.bool_]

    @property
    def unseen(self) -> NDArray[np.bool_]:
        """Rows (N,) that nothing is fitted on."""
        return self.own | self.held

    @property
    def familiar(self) -> NDArray[np.bool_]:
        """Rows (N,) of the fold that belong to the other classes."""
        return self.held & ~self.own

    def auroc(self, strangeness: NDArray[np.floating]) -> float | None:
        """How often a row of the class is stranger than a familiar one, in [0, 1]; None without either of them."""
        either = self.own | self.held
        return roc_auc(strangeness[either], self.own[either])


def some_rows(n: int) -> NDArray[np.int64]:
    """Of n rows as many as are enough: 2,000 at most."""
    return np.arange(n)[:: -(-n // MOST_ROWS)]


def turns(targets: NDArray[np.int64], fold_of: NDArray[np.int64]) -> Iterator[Turn]:
    """At most six classes, spread over all of them, each with a fold; none that would leave nothing to fit on.

    Args:
        targets: shape (N,), class indices.
        fold_of: shape (N,), in [0, FOLDS).
    """
    present = np.unique(targets)
    chosen = present[np.unique(np.linspace(0, len(present) - 1, MOST_CLASSES).round().astype(int))]
    for turn, left in enumerate(chosen.tolist()):
        found = Turn(left, targets == left, fold_of == turn % FOLDS)
        if not found.unseen.all():
            yield found
