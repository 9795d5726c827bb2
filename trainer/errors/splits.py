"""Which pictures stay together, and which are held out: groups, shares, a named test set, folds."""

from collections.abc import Mapping, Sequence

from trainer.errors import BadData, UsageError
from trainer.some_names import some


class GroupsWithoutTable(UsageError):
    """--group-by names a column, and there is no table with a header."""

    def __init__(self, column: str) -> None:
        super().__init__(
            f"--group-by column:{column}: the labels come from no table whose header names its columns. Name the table "
            "as DATA or with --labels, or group by a regular expression on the pictures' names."
        )


class GroupColumnMissing(UsageError):
    """--group-by names a column that the table does not have."""

    def __init__(self, column: str, columns: Sequence[str]) -> None:
        super().__init__(f"--group-by column:{column}: the table has no such column; choose one of {some(columns)}.")


class GroupingSaysNothing(UsageError):
    """--group-by puts every picture into one group, or every picture into a group of its own."""

    def __init__(self, group_by: str, group: str | None, example: str) -> None:
        found = f"puts all pictures into one group, {group!r}" if group else "finds no group for any picture"
        super().__init__(
            f"--group-by {group_by!r} {found} (the first picture is {example!r}), so nothing can be split. Expected a "
            "regular expression whose first parentheses hold what a group's pictures share, or column:NAME."
        )


class SharesInvalid(UsageError):
    """The shares of train, validation and test cannot be met."""

    def __init__(self, shares: Sequence[float]) -> None:
        super().__init__(
            f"shares {', '.join(f'{share:g}' for share in shares)} of train, validation and test; expected three "
            "numbers of at least 0 with a train share above 0, such as 0.7,0.15,0.15."
        )


class TwoTestSets(UsageError):
    """--test names a test set, and DATA gives one of its own."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"--test: DATA has a test split of its own ({len(names)} of its pictures, the first is {names[0]}), and "
            "there can be only one test set. Leave out --test, or let DATA be the pictures to learn from only."
        )


class UnknownTestLabels(BadData):
    """The named test set has labels that DATA has not."""

    def __init__(self, unknown: Mapping[str, int], *, known: Sequence[str]) -> None:
        named = some([f"{label!r}, of {count}" for label, count in unknown.items()])
        super().__init__(
            f"pictures that --test names have labels that DATA has not: {named}; DATA has "
            f"{some([repr(label) for label in known], most=12)}. A head cannot be right about a label that it never "
            "saw: add such pictures to DATA, take them out of the test set, or say with --test-labels where its "
            "labels come from."
        )


class TooFewForFolds(BadData):
    """A label's groups cannot be spread over folds; a cross-validation cannot hold it out."""

    def __init__(self, label: str, groups: int = 1) -> None:
        few = "a single group" if groups == 1 else f"{groups} groups, some shared with other labels,"
        super().__init__(
            f"the label {label!r} has {few} of pictures (one picture and its copies, or what --group-by keeps "
            "together), so no fold can hold it out and still learn it. Add pictures of it, group finer, or leave out "
            "--folds."
        )
