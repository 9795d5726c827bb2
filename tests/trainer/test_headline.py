"""trainer/headline.py: one number to compare settings by, and a word on numbers that disagree."""

import pytest

from trainer.headline import Headline, Measurement, difference_interval

SMALL_TEST = Measurement(24, 0.75, (0.551, 0.88))
CROSS_VALIDATED = Measurement(176, 0.886, (0.831, 0.925))
FOLDS = Measurement(200, 0.86, (0.807, 0.913))


def test_beside_a_small_test_split_settings_are_compared_by_cross_validation() -> None:
    """24 pictures cannot tell one setting from another; every one of nine options ended on the same 0.75."""
    headline = Headline(SMALL_TEST, CROSS_VALIDATED, None)

    assert headline.steadier == CROSS_VALIDATED
    assert "cross-validated accuracy, 88.6 % (83.1 to 92.5 %) on 176 pictures, not by 24 test" in headline.compare_by


def test_a_large_test_split_speaks_for_itself() -> None:
    large = Measurement(3000, 0.9, (0.889, 0.91))

    assert Headline(large, Measurement(12000, 0.9, (0.895, 0.905)), None).compare_by == ""
    assert Headline(SMALL_TEST, Measurement(20, 0.9, (0.6, 0.98)), None).compare_by == ""


def test_nested_folds_are_what_settings_are_compared_by() -> None:
    """They cost minutes and were asked for; yet few of them may tell less than what stands beside them."""
    asked = Headline(SMALL_TEST, CROSS_VALIDATED, FOLDS, fold_count=5)
    wide = Headline(SMALL_TEST, CROSS_VALIDATED, Measurement(200, 0.85, (0.64, 1.0)), fold_count=3)

    assert asked.compare_by == "Compare settings by the nested folds' accuracy."
    assert asked.steadier is None
    assert "wide because 3 folds tell little" in wide.compare_by


def test_a_large_gap_is_commented_on_by_what_chance_explains() -> None:
    """14 points make anybody wonder: of 24 pictures that is chance, of 2,000 it is not."""
    by_chance = Headline(SMALL_TEST, CROSS_VALIDATED, None).gap
    beyond = Headline(Measurement(2000, 0.75, (0.73, 0.77)), CROSS_VALIDATED, None).gap

    assert "13.6 points below cross-validation" in by_chance
    assert "24 test pictures, chance alone may do that" in by_chance
    assert "more than chance explains" in beyond
    assert Headline(Measurement(24, 0.875, (0.69, 0.96)), CROSS_VALIDATED, None).gap == ""
    assert Headline(None, CROSS_VALIDATED, None).gap == ""


def test_the_interval_of_a_difference_is_newcombes() -> None:
    """His example (a): 56 of 70 against 48 of 80, 0.2 [0.0524, 0.3339]."""
    found = difference_interval(Measurement(70, 0.8, (0.6918, 0.8769)), Measurement(80, 0.6, (0.4904, 0.7004)))

    assert found == pytest.approx((0.0524, 0.3339), abs=2e-4)
