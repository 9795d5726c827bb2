"""What a published bundle is asked: `evaluate` and `predict`."""

from collections.abc import Sequence

from trainer.errors import BadData, UsageError
from trainer.some_names import some


class UnknownLabels(BadData):
    """Pictures carry labels that the bundle was not trained on."""

    def __init__(self, unknown: Sequence[str], *, known: Sequence[str]) -> None:
        super().__init__(
            f"the bundle does not know the labels {some(list(unknown))}; it knows {some(list(known), most=12)}. "
            "Choose where labels come from with --labels folder, prefix or FILE, or leave these pictures out."
        )


class NothingSelected(UsageError):
    """None of the pictures was in the split that was asked for."""

    def __init__(self, data: str, *, split: str) -> None:
        super().__init__(
            f"{data}: none of these pictures was in the {split} split of the bundle's training. "
            "Leave out --only, or name the pictures that the bundle was trained on."
        )


class NothingToPredict(UsageError):
    """No picture was found where one was named."""


class NothingPredicted(BadData):
    """Pictures were found, and none of them can be read; what is wrong with each was said."""

    def __init__(self, count: int) -> None:
        what = "the one picture could not be used" if count == 1 else f"none of {count:,} pictures could be used"
        super().__init__(f"nothing was predicted: {what}. Each line above says what is wrong.")
