"""What the pictures and their labels are found to lack."""

from collections.abc import Mapping, Sequence

from trainer.errors import BadData
from trainer.some_names import some


class NotFitForTraining(BadData):
    """The audit found something that makes training impossible or meaningless; it was told in full before."""

    def __init__(self, titles: Sequence[str]) -> None:
        super().__init__(f"not fit for training: {'; '.join(titles)}. Mend what the audit says under 'Stops training'.")


class SingleClass(BadData):
    """All samples have one label; there is nothing to tell apart."""

    def __init__(self, labels: Sequence[str], *, labels_from: str) -> None:
        found = f"every picture has the label {labels[0]!r}" if labels else "there is no labelled picture"
        super().__init__(
            f"{found}; labels were read from {labels_from}. At least two labels are needed: "
            "add pictures of another, or choose where labels come from with --labels folder, prefix or FILE."
        )


class ClassTooSmall(BadData):
    """A label has fewer samples than can be learned from and tested on."""

    def __init__(self, counts: Mapping[str, int], *, at_least: int) -> None:
        named = some([f"{label!r} has {count}" for label, count in counts.items()])
        super().__init__(
            f"each label needs at least {at_least} different pictures: {named}. Add some, or leave the label out."
        )


class LabelNotInTrain(BadData):
    """The data puts every picture of a label into its validation or test split."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__(
            f"no picture of {some([repr(label) for label in labels])} is in the train split that the data gives "
            "(copies of validation or test pictures, and what is in a group with one, count as held out), so it could "
            "not be learned. Put some of its other pictures into train, or leave the label out."
        )


class ConflictingLabels(BadData):
    """Too many pictures appear, byte for byte, under more than one label."""

    def __init__(self, names: Sequence[str], *, total: int, max_conflicting: float) -> None:
        super().__init__(
            f"{len(names)} of {total} pictures appear, byte for byte, under more than one label ({some(names)}); "
            f"at most {max_conflicting:.0%} may. Decide for one label each and remove the other copies."
        )


class TooManyUnusable(BadData):
    """More pictures cannot be used than the limit allows."""

    def __init__(self, names_and_reasons: Sequence[tuple[str, str]], *, total: int, max_bad: float) -> None:
        named = some([f"{name}: {reason.partition('. ')[0]}" for name, reason in names_and_reasons], most=3)
        super().__init__(
            f"{len(names_and_reasons)} of {total} pictures cannot be used ({named}); at most {max_bad:.0%} may. "
            "Mend or remove them, or raise --max-bad."
        )
