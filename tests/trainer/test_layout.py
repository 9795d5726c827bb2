"""trainer/layout.py: what the place and the name of a picture say."""

import pytest

from trainer.layout import (
    Place,
    clean_label,
    find_places,
    label_from_folder,
    label_from_letters,
    label_from_top_folder,
    label_from_words,
)


def place(name: str) -> Place:
    return Place(name, None, ())


@pytest.mark.parametrize(
    ("names", "splits", "folders"),
    [
        (["cat/1.jpg", "dog/2.jpg"], [None, None], [("cat",), ("dog",)]),
        (["train/cat/1.jpg", "test/dog/2.jpg"], ["train", "test"], [("cat",), ("dog",)]),
        (["Train/cat/1.jpg", "VAL/cat/2.jpg"], ["train", "validation"], [("cat",), ("cat",)]),
        (["train/ants/1.jpg", "train/bees/2.jpg"], ["train", "train"], [("ants",), ("bees",)]),
        (["photos/train/cat/1.jpg", "photos/validation/dog/2.jpg"], ["train", "validation"], [("cat",), ("dog",)]),
        (["all/photos/cat/1.jpg", "all/photos/dog/2.jpg"], [None, None], [("cat",), ("dog",)]),
        (["cat/1.jpg", "cat/2.jpg"], [None, None], [("cat",), ("cat",)]),
        (["train/1.jpg", "car/2.jpg"], [None, None], [("train",), ("car",)]),
        (["train/cat/1.jpg", "stray.jpg"], ["train", None], [("cat",), ()]),
        (["train/cat.1.jpg", "test/dog.2.jpg"], ["train", "test"], [(), ()]),
        (["1.jpg"], [None], [()]),
        ([], [], []),
    ],
)
def test_splits_and_folders_around_everything_are_told_from_class_folders(
    names: list[str], splits: list[str | None], folders: list[tuple[str, ...]]
) -> None:
    places = find_places(names)

    assert [one.name for one in places] == names
    assert [one.split for one in places] == splits
    assert [one.folders for one in places] == folders


def test_the_innermost_or_the_outermost_folder_is_the_label() -> None:
    deep = Place("cat/indoor/1.jpg", None, ("cat", "indoor"))

    assert (label_from_folder(deep), label_from_top_folder(deep)) == ("indoor", "cat")
    assert (label_from_folder(place("1.jpg")), label_from_top_folder(place("1.jpg"))) == (None, None)


@pytest.mark.parametrize(
    ("name", "letters", "words"),
    [
        ("cat.12.jpg", "cat", "cat"),
        ("cat12.jpg", "cat", "cat"),
        ("some/where/dog_7.png", "dog", "dog"),
        ("dog (3).jpg", "dog", "dog"),
        ("Great_Dane_12.jpg", "Great", "Great_Dane"),
        ("teddy bear 4.jpg", "teddy", "teddy bear"),
        ("\u00e9l\u00e9phant-3.jpg", "\u00e9l\u00e9phant", "\u00e9l\u00e9phant"),
        ("n03717622_manhole_cover.JPEG", "manhole_cover", "manhole_cover"),
        ("n01440764_10026.JPEG", "n01440764", "n01440764"),
        ("12-cat.jpg", None, None),
        ("_cat.jpg", None, None),
        ("7001-30.jpg", None, None),
    ],
)
def test_a_file_name_starts_with_letters_or_words(name: str, letters: str | None, words: str | None) -> None:
    assert label_from_letters(place(name)) == letters
    assert label_from_words(place(name)) == words


def test_a_label_has_one_form() -> None:
    """Two ways to type the same name must not become two classes."""
    assert clean_label("  Mu\u0308ller \n  und\tSohn ") == "M\u00fcller und Sohn"
