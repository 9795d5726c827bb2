"""The label that a picture's own path suggests, for showing it beside a prediction."""

from collections.abc import Collection
from pathlib import Path

from trainer.layout import Place, label_from_letters, label_from_words


def label_from_path(path: Path, labels: Collection[str]) -> str | None:
    """The parent folder's name, else what the file name starts with, if that is one of `labels`; else None."""
    place = Place(path.name, None, ())
    readings = (path.parent.name, label_from_words(place), label_from_letters(place))
    return next((reading for reading in readings if reading in labels), None)
