"""How much rows that are alike are worth: the number of independent rows that would tell their shares as well."""

import numpy as np
from numpy.typing import NDArray


def effective_count(totals: NDArray[np.int64]) -> float:
    """How many independent rows tell the shares of values as well as these do, in [1, N]; N where none is related.

    The variance of a share of n independent rows is p (1 - p) / n; that of rows in groups is taken from the sums of
    the groups, and the two are compared over all values together.

    Args:
        totals: rows by group and value, shape (G, V); N rows in all, at least one.

    Source: L. Kish, "Survey Sampling", 1965: the design effect; the variance is that of a ratio of cluster totals.
    """
    n, group_count = float(totals.sum()), len(totals)
    shares = totals.sum(axis=0) / n
    independent = float((shares * (1 - shares)).sum()) / n
    if independent == 0 or group_count in (1, n):
        return n if group_count > 1 or independent == 0 else 1.0
    off = totals - totals.sum(axis=1, keepdims=True) * shares
    grouped = float((off**2).sum()) / n**2 * group_count / (group_count - 1)
    return float(np.clip(n * independent / grouped, 1, n)) if grouped > 0 else n


def totals_of(values: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows by group and value, shape (G, V).

    Args:
        values: shape (N,), whole numbers from 0; N at least 1.
        groups: shape (N,), numbers of groups from 0.
    """
    totals = np.zeros((int(groups.max()) + 1, int(values.max()) + 1), np.int64)
    np.add.at(totals, (groups, values), 1)
    return totals
