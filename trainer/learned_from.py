"""Which pictures a published head was fitted on: numbers on those say little about new ones."""

from shared.bundle import Bundle
from trainer.manifest import Split
from trainer.split_file import read_split_file

_FITTED_ON: dict[str, tuple[Split, ...]] = {
    "all": ("train", "validation", "test"),
    "train": ("train", "validation"),  # the strength was chosen on validation, and the head fitted on both
}


def fitted_on(bundle: Bundle) -> tuple[Split, ...]:
    """The splits that the published head was fitted on."""
    return _FITTED_ON[bundle.metadata.settings.get("final_fit", "all")]


def learned_digests(bundle: Bundle) -> frozenset[str]:
    """SHA-256 of every picture that the bundle's head was fitted on.

    Raises:
        BundleInvalid: its split.csv cannot be read.
    """
    splits = fitted_on(bundle)
    return frozenset(digest for digest, split in read_split_file(bundle.path).items() if split in splits)


def learned_warning(learned_count: int, total: int) -> str:
    """What to say where some of the pictures are not new to the head."""
    return (
        f"{learned_count} of these {total} pictures were learned from: the published head was fitted on them, so the "
        "numbers are better than they would be on new pictures. The bundle's own metrics are those of a head that "
        "had not seen its test split; `train --final-fit train` publishes that head."
    )
