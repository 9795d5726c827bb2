"""split.csv: which picture was in which split, found again by digest."""

from pathlib import Path

import pytest

from shared.errors import BundleInvalid
from trainer.split_file import (
    SplitRow,
    format_split_file,
    read_held_out_predictions,
    read_labels_by_digest,
    read_split_file,
)

ROWS = [
    SplitRow("b" * 64, "teddy, bear", "test", "b" * 64, "dog"),
    SplitRow("a" * 64, "dog", "train", "a" * 64),
]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_bytes(format_split_file(ROWS))

    assert read_split_file(tmp_path) == {"a" * 64: "train", "b" * 64: "test"}
    assert read_labels_by_digest(tmp_path) == {"a" * 64: "dog", "b" * 64: "teddy, bear"}
    assert read_held_out_predictions(tmp_path) == {"b" * 64: "dog"}


def test_the_group_of_each_picture_is_written() -> None:
    """Two pictures of one group carry the same name, which is a digest and not what a customer calls it."""
    content = format_split_file(
        [SplitRow("b" * 64, "dog", "train", "a" * 64), SplitRow("a" * 64, "dog", "train", "a" * 64)]
    )

    assert content.decode().splitlines() == [
        "digest,label,split,group,predicted",
        f"{'a' * 64},dog,train,{'a' * 64},",
        f"{'b' * 64},dog,train,{'a' * 64},",
    ]


@pytest.mark.parametrize("added", ["", ",group"])
def test_the_file_of_an_earlier_version_is_read(tmp_path: Path, added: str) -> None:
    """Bundles from before groups or predictions were written can still be evaluated; predictions they have none."""
    (tmp_path / "split.csv").write_text(
        f"digest,label,split{added}\n{'a' * 64},dog,test{',' + 'a' * 64 if added else ''}\n"
    )

    assert read_split_file(tmp_path) == {"a" * 64: "test"}
    assert read_labels_by_digest(tmp_path) == {"a" * 64: "dog"}
    assert read_held_out_predictions(tmp_path) == {}


def test_equal_splits_give_equal_bytes_whatever_the_order() -> None:
    assert format_split_file(ROWS) == format_split_file(ROWS[::-1])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "digest,label\na,b\n",
        "digest,label,split\na,b,holdout\n",
        "x,y,z\na,b,test\n",
        "digest,label,split\na,b,test,a\n",
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "split.csv").write_text(content)

    with pytest.raises(BundleInvalid):
        read_split_file(tmp_path)


def test_a_bundle_without_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="cannot be read"):
        read_split_file(tmp_path)
