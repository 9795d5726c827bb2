"""Which samples belong together: the same bytes, the same picture, or the same name in what the user groups by."""

import re
from collections.abc import Iterable, Mapping, Sequence

from trainer.errors.splits import GroupColumnMissing, GroupingSaysNothing, GroupsWithoutTable
from trainer.samples import Sample

_COLUMN = "column:"


def find_groups(samples: Sequence[Sample], alike: Iterable[Sequence[int]] = ()) -> tuple[str, ...]:
    """The group of each sample, named after the group's smallest digest.

    Samples with equal bytes are one group, and so are those that are alike and those of one `sample.group`; what
    shares a sample is joined.

    Args:
        samples: of one manifest, in any order.
        alike: rows of samples that show one picture.
    """
    joined = _Joined()
    for sample in samples:
        joined.join(sample.digest, sample.digest if sample.group is None else f"group:{sample.group}")
    for rows in alike:
        for row in rows[1:]:
            joined.join(samples[rows[0]].digest, samples[row].digest)
    smallest: dict[str, str] = {}
    for sample in samples:
        root = joined.root(sample.digest)
        smallest[root] = min(sample.digest, smallest.get(root, sample.digest))
    return tuple(smallest[joined.root(sample.digest)] for sample in samples)


def name_groups(
    group_by: str, names: Sequence[str], cells: Sequence[Mapping[str, str]], *, may_be_one: bool = False
) -> tuple[str | None, ...]:
    """What `--group-by` makes of pictures: the name of each one's group, None for one that is a group of its own.

    Args:
        group_by: a regular expression, looked for in each name; the group is what its first parentheses hold, or all
            that it matches. Or "column:NAME": what the table says in that column.
        names: of the pictures, relative to the data folder.
        cells: what the table says of each picture, by column; empty where there is no table.
        may_be_one: whether all pictures may be of one group, as those of a test set may.

    Raises:
        GroupsWithoutTable: a column of no table. GroupColumnMissing: the table has no such column.
        GroupingSaysNothing: all pictures are in one group, or none is in any.
    """
    column = column_of(group_by)
    groups = _by_pattern(group_by, names) if column is None else _by_column(column, cells)
    if len(groups) > 1 and len(set(groups)) == 1 and not (may_be_one and groups[0]):
        raise GroupingSaysNothing(group_by, groups[0], names[0])
    return groups


def column_of(group_by: str) -> str | None:
    """The column that it names, if it names one."""
    return group_by.removeprefix(_COLUMN).strip() if group_by.startswith(_COLUMN) else None


def valid_grouping(group_by: str) -> str:
    """`group_by` as it is.

    Raises:
        ValueError: it names no column and is no regular expression.
    """
    if not group_by.startswith(_COLUMN):
        try:
            re.compile(group_by)
        except re.error as error:
            raise ValueError(
                f"no regular expression ({error}); expected one such as '(patient\\d+)', or column:NAME"
            ) from None
    return group_by


def _by_pattern(pattern: str, names: Sequence[str]) -> tuple[str | None, ...]:
    wanted = re.compile(pattern)
    matches = [wanted.search(name) for name in names]
    return tuple((match[1 if wanted.groups else 0] or None) if match else None for match in matches)


def _by_column(column: str, cells: Sequence[Mapping[str, str]]) -> tuple[str | None, ...]:
    columns = list(dict.fromkeys(name for one in cells for name in one))
    if not columns:
        raise GroupsWithoutTable(column)
    spelled = next((name for name in columns if name.casefold() == column.casefold()), None)
    if spelled is None:
        raise GroupColumnMissing(column, columns)
    return tuple(one.get(spelled) or None for one in cells)


class _Joined:
    """Names that are one set once they were joined (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, name: str) -> str:
        parent = self._parent.setdefault(name, name)
        while parent != self._parent[parent]:
            self._parent[name] = self._parent[parent]
            name, parent = parent, self._parent[parent]
        return parent

    def join(self, one: str, other: str) -> None:
        self._parent[self.root(one)] = self.root(other)
