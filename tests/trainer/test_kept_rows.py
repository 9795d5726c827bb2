import numpy as np

from shared.preprocess import PreprocessSpec
from trainer.kept_rows import KeptRows
from trainer.recipe import FeatureChoice, FeatureRows

ONE, OTHER, THIRD = (FeatureChoice(PreprocessSpec(), taps) for taps in ((), ("a",), ("b",)))
OF_ONE = 4 * 10 * 8


class Shelf:
    """Ten rows of eight columns for every choice, the first ones of wider rows; counts what is read."""

    def __init__(self) -> None:
        self.read: list[FeatureChoice] = []

    def rows(self, choice: FeatureChoice, views: int) -> FeatureRows:
        self.read.append(choice)
        wide = np.zeros((1 + views, 10, 100), np.float32)
        return FeatureRows(wide[0, :, :8], wide[1:, :, :8])


def test_what_is_asked_for_again_is_not_read_again() -> None:
    shelf = Shelf()
    kept = KeptRows(shelf.rows)

    assert kept.rows(ONE) is kept.rows(ONE)
    assert kept.rows(ONE, 1) is not kept.rows(ONE)
    assert shelf.read == [ONE, ONE]


def test_no_more_is_kept_than_the_bound_allows_and_the_oldest_goes_first() -> None:
    """A search tries a dozen kinds of features: on 100,000 pictures all of them would take 9 GB."""
    shelf = Shelf()
    kept = KeptRows(shelf.rows, most_bytes=2 * OF_ONE)

    for choice in (ONE, OTHER, ONE, THIRD):
        kept.rows(choice)
        assert kept.bytes <= 2 * OF_ONE
    kept.rows(ONE)
    assert shelf.read == [ONE, OTHER, THIRD]
    kept.rows(OTHER)
    assert shelf.read == [ONE, OTHER, THIRD, OTHER]


def test_rows_larger_than_the_bound_are_there_until_others_are_asked_for() -> None:
    shelf = Shelf()
    kept = KeptRows(shelf.rows, most_bytes=1)

    assert kept.rows(ONE) is kept.rows(ONE)
    kept.rows(OTHER)
    assert kept.bytes == OF_ONE


def test_the_first_columns_of_wider_rows_do_not_keep_the_wider_rows() -> None:
    kept = KeptRows(Shelf().rows)

    assert kept.rows(ONE).plain.base is None
