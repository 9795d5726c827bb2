"""The label beside a prediction is shown only where the path really names one of the bundle's labels."""

from pathlib import Path

import pytest

from trainer.label_from_name import label_from_path

LABELS = ("cat", "dog", "teddy bear")


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("pictures/cat/1.jpg", "cat"),
        ("teddy bear/7.png", "teddy bear"),
        ("flat/dog.12.jpg", "dog"),
        ("flat/cat_3.jpg", "cat"),
        ("flat/category.jpg", None),
        ("flat/001.jpg", None),
        ("dog/cat.1.jpg", "dog"),
    ],
)
def test_the_folder_is_asked_before_the_file_name(path: str, label: str | None) -> None:
    assert label_from_path(Path(path), LABELS) == label
