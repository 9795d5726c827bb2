"""The page and the card: which number is read first, and on which pictures each was found."""

from dataclasses import replace

import numpy as np

from tests.trainer.test_report import facts
from tests.trainer.test_report_sections import SCORES, words_of
from trainer.coverage import CoveragePoint
from trainer.cross_validation import CrossValidation
from trainer.evaluation import Evaluation, evaluate
from trainer.fold_mean import FoldMean
from trainer.report import render_card, render_report


def test_a_threshold_says_on_which_pictures_it_was_found_and_what_it_does_on_the_test_split() -> None:
    """One number of the folds beside a headline of the test split reads as a contradiction, and promises too much."""
    on_test = CoveragePoint(0.73, 22, 22 / 24, 17 / 22, (0.57, 0.9))
    seen = facts(scores=replace(SCORES, on_test=(on_test,)))

    page, card = words_of(render_report(seen)), render_card(seen)

    for told in (page, card):
        assert "95.1 % (88.0 to 98.0 %)" in told
        assert "cross-validated on 100 pictures of train and validation" in told
        assert "On the test split: 17 of 22 such answers, 77.3 % (57.0 to 90.0 %)." in told
    assert "test split: answered" in page
    unreached = render_card(facts(scores=replace(SCORES, on_test=(None,))))
    assert "Of the test split, no answer scores so much." in unreached
    assert "On the test split:" not in render_card(facts(scores=SCORES))


def small_test() -> Evaluation:
    """24 pictures, of which 18 are right."""
    targets, right = np.arange(24) % 2, np.arange(24) >= 6
    answers = np.where(right, targets, 1 - targets)
    return evaluate(np.eye(2)[answers] * 0.8 + 0.1, targets, ("cat", "dog"))


def test_beside_a_small_test_split_stands_the_number_to_compare_settings_by() -> None:
    many = evaluate(np.eye(2)[np.arange(200) % 2] * 0.8 + 0.1, np.arange(200) % 2, ("cat", "dog"))
    seen = facts(test=small_test(), cross_validated=many)

    page, card = words_of(render_report(seen)), render_card(seen)

    assert "Cross-validated on train and validation: 100.0 %" in page
    for told in (page, card):
        assert "Compare settings by the cross-validated accuracy, 100.0 % (98.1 to 100.0 %) on 200 pictures" in told
        assert "25.0 points below cross-validation" in told


def test_nested_folds_stand_first_where_they_were_asked_for() -> None:
    mean, test = FoldMean(0.86, (0.807, 0.913)), small_test()
    folds = CrossValidation(
        ("cat", "dog"), folds=5, results=(), pooled=(test,), accuracy=mean, macro_accuracy=mean, log_loss=mean
    )

    page, card = words_of(render_report(facts(test=test, folds=folds))), render_card(facts(test=test, folds=folds))

    assert page.index("86.0 %") < page.index("On the test split alone: 18 of 24")
    assert "Compare settings by the nested folds' accuracy." in page
    assert "Compare settings by the nested folds' accuracy." in card
    assert card.index("5 nested folds") < card.index("test split, not seen before")
