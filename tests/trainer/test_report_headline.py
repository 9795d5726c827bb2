"""The page and the card: which number is read first, and on which pictures each was found."""

from dataclasses import replace

import numpy as np

from tests.trainer.test_report import facts, noticed
from tests.trainer.test_report_sections import SCORES, words_of
from trainer.coverage import CoveragePoint
from trainer.cross_validation import CrossValidation
from trainer.evaluation import Evaluation, evaluate
from trainer.fold_mean import FoldMean
from trainer.report import render_card, render_report
from trainer.report_content import LabelCount, Shown
from trainer.report_words import uneven_split, why_unequal


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


def test_a_split_far_from_the_wished_one_is_told_with_its_reason() -> None:
    """Who asked for 15 % and finds 12 looks for a fault; a hash of each group decides, which keeps splits stable."""
    uneven = (LabelCount("cat", 73, 14, 13), LabelCount("dog", 70, 19, 11))
    near = (LabelCount("cat", 70, 16, 14), LabelCount("dog", 70, 15, 15))
    sentence = uneven_split(uneven, (0.7, 0.15, 0.15))
    seen = facts(uneven_split=sentence)

    assert "came out as 72 / 16 / 12 % (70 / 15 / 15 % wished for)" in sentence
    assert "few or large groups then miss the shares" in sentence
    assert sentence in words_of(render_report(seen))
    assert sentence in render_card(seen)
    assert uneven_split(near, (0.7, 0.15, 0.15)) == ""
    assert uneven_split((LabelCount("cat", 85, 15, 0),), (0.85, 0.15, 0.0)) == ""


def test_equal_labels_are_not_called_unequal() -> None:
    """5 x 40 pictures are balanced, to whoever made the folders; only the parts that are learned from are not."""
    assert why_unequal((LabelCount("cat", 30, 5, 5), LabelCount("dog", 28, 6, 6))).startswith("Every label has equally")
    assert why_unequal((LabelCount("cat", 30, 5, 5), LabelCount("dog", 3, 1, 1))).startswith("Labels have unequally")


def test_mix_ups_that_each_happened_once_are_not_called_most_often() -> None:
    targets = np.arange(30) % 3
    answers = targets.copy()
    answers[:2] = (targets[:2] + 1) % 3
    once = evaluate(np.eye(3)[answers] * 0.8 + 0.05, targets, ("ant", "bee", "cat"))

    page = words_of(render_report(facts(("ant", "bee", "cat"), test=once)))

    assert "no two labels were mixed up more than once" in page
    assert "most often" not in page
    assert "most often cat is taken for dog" in words_of(render_report(facts(test=small_test_of_cats())))


def small_test_of_cats() -> Evaluation:
    """Three of six cats are taken for dogs."""
    return evaluate(np.eye(2)[[1, 1, 1, 0, 0, 0, 1]] * 0.8 + 0.1, np.array([0, 0, 0, 0, 0, 0, 1]), ("cat", "dog"))


def test_what_log_loss_and_guessing_mean_is_said_without_a_word_too_much() -> None:
    """exp(-log loss) is no typical score: where 18 of 24 are right, two bad ones pull it down to 46 %."""
    page = words_of(render_report(facts(test=small_test())))

    assert "typically" not in page
    assert "in the geometric mean, which a few confident mistakes pull far down" in page
    assert "most frequent among the test split's 24 pictures" in page


def test_which_number_to_compare_by_is_said_also_of_a_model_that_may_be_useless() -> None:
    """24 test pictures may reach down to guessing where 200 do not: then most of all it matters which to look at."""
    many = evaluate(np.eye(2)[np.arange(200) % 2] * 0.8 + 0.1, np.arange(200) % 2, ("cat", "dog"))
    half = evaluate(np.tile(np.array([[0.9, 0.1]]), (24, 1)), np.arange(24) % 2, ("cat", "dog"))

    page = words_of(render_report(facts(test=half, cross_validated=many)))

    assert "Not proven to be useful" in page
    assert "Compare settings by the cross-validated accuracy" in page


def test_the_report_says_that_the_audit_doubts_other_labels() -> None:
    """Who mended what the one named and met the other's list took it for a contradiction."""
    doubted = noticed("Likely wrong labels", ("cat/1.jpg",), shown=(Shown((None,), ("cat/1.jpg",), ""),))

    page = words_of(render_report(facts(findings=(doubted,))))

    assert "it doubts a few others, and not all of these" in page
