"""The sections of the page: each is there when its numbers are, and says them."""

import html
import re
from dataclasses import replace

import numpy as np
import pytest

from shared.preprocess import PreprocessSpec
from tests.trainer.test_report import NASTY, Page, facts, noticed
from trainer.balance import BalanceEffect, BalanceNumbers
from trainer.calibration import Calibration, ReliabilityBin
from trainer.compared import Compared
from trainer.coverage import CoveragePoint
from trainer.evaluation import evaluate
from trainer.fold_mean import FoldMean
from trainer.learning_curve import CurvePoint, LearningCurve
from trainer.live_metrics import HeadStep
from trainer.mistakes import MOST_MISTAKES, NEIGHBOURS, Mistake, Neighbour
from trainer.mix_ups import Example, MixUp, PicturedMixUp
from trainer.novelty_report import LeftOut, NoveltyReport
from trainer.recipe import FeatureChoice, Recipe
from trainer.recipe_search import Tried
from trainer.report import render_card, render_report
from trainer.report_content import MOST_LISTED, ScoreFacts
from trainer.report_words import points_range, whole_percent, would_more_help
from trainer.thumbnails import MOST_BYTES


def words_of(page: str) -> str:
    """What is read on the page, cells of a table a blank apart."""
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", page)).split())


CURVE = LearningCurve(
    points=(CurvePoint(40.0, 0.7, (0.6, 0.8), 0.9), CurvePoint(80.4, 0.81, (0.75, 0.87), 0.6)),
    accuracy=FoldMean(0.11, (0.04, 0.18)),
    log_loss=FoldMean(0.3, (0.1, 0.5)),
    folds=5,
    repetitions=2,
)
BINS = (ReliabilityBin(0.4, 0.467, 10, 0.45, 0.5), ReliabilityBin(0.933, 1.0, 90, 0.98, 0.97))
POINT = CoveragePoint(0.73, 82, 0.82, 0.951, (0.88, 0.98))
SCORES = ScoreFacts(
    Calibration(100, 1.2, 0.061, 0.023, 0.02, 0.04, BINS),
    BINS,
    (CoveragePoint(0.0, 100, 1.0, 0.9, (0.8, 0.95)), POINT),
    (POINT,),
)
NOVELTY = NoveltyReport(
    0.99,
    0.013,
    (0.0, 1.0, 2.0),
    (95, 5),
    (30, 70),
    (LeftOut("cat", 50, 0.93), LeftOut("dog", 50, 0.89)),
    0.91,
    0.083,
    7,
)
TRIED = tuple(
    Tried(Recipe(FeatureChoice(PreprocessSpec())), name, 1.0, 0.9, loss, loss - 0.4, 0.013, 0.2, chosen, reason)
    for name, loss, chosen, reason in (
        ("probe on 224 px", 0.41, True, "taken: within one standard error of the best, or as cheap and better"),
        ("<b>probe</b>, 4 views", 0.4, False, "no better beyond doubt, and more work"),
    )
)
EPOCHS = tuple(HeadStep(dataset, 0.8, 0.5, epoch=epoch) for epoch in range(3) for dataset in ("train", "validation"))
SECTIONS = {
    "more": facts(learning_curve=CURVE),
    "scores": facts(scores=SCORES),
    "novelty": facts(novelty=NOVELTY),
}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_there_when_its_numbers_are_and_then_the_contents_name_it(section: str) -> None:
    with_it, without = Page(render_report(SECTIONS[section])), Page(render_report(facts()))

    assert ("id", section) in with_it.attributes
    assert ("href", f"#{section}") in with_it.attributes
    assert ("id", section) not in without.attributes
    assert ("href", f"#{section}") not in without.attributes


def test_every_entry_of_the_contents_leads_to_a_section() -> None:
    page = Page(render_report(facts(learning_curve=CURVE, scores=SCORES, novelty=NOVELTY)))

    entries = {value[1:] for name, value in page.attributes if name == "href" and value.startswith("#")}
    assert entries <= {value for name, value in page.attributes if name == "id"}
    assert {"short", "confusion", "labels", "mistakes", "more", "scores", "novelty", "audit", "made"} <= entries


def test_whether_more_pictures_help_is_said_first_and_with_its_interval() -> None:
    told = words_of(render_report(facts(learning_curve=CURVE)))

    assert "Yes. Going from 40 to 80 pictures raised the accuracy by 11.0 points (95 % interval 4.0 to 18.0)." in told
    assert "Would more pictures help? Yes." in told, "and in short"
    assert "repeated 2 times" in told


@pytest.mark.parametrize(
    ("accuracy", "log_loss", "answer"),
    [
        ((0.001, 0.05), (-0.1, 0.1), "yes"),
        ((-0.01, 0.05), (0.01, 0.1), "probably"),
        ((-0.02, 0.009), (0.01, 0.1), "hardly"),
        ((-0.02, 0.05), (-0.01, 0.1), "unclear"),
    ],
)
def test_the_verdict_on_more_pictures_follows_the_intervals(
    accuracy: tuple[float, float], log_loss: tuple[float, float], answer: str
) -> None:
    curve = replace(CURVE, accuracy=FoldMean(0.0, accuracy), log_loss=FoldMean(0.0, log_loss))

    assert would_more_help(curve) == answer


def test_scores_are_told_with_what_chance_leaves_and_the_thresholds() -> None:
    told = words_of(render_report(facts(scores=SCORES)))
    card = render_card(facts(scores=SCORES))

    assert "Yes, as far as 100 pictures can tell." in told
    assert "a score is 2.3 points off" in told
    assert "(before the temperature: 6.1 %)" in told
    assert "0.73 82.0 % 95.1 % 88.0 to 98.0 % 18.0 %" in told
    assert "2.3 points off" in card
    assert "0.73 or more are right in 95.1 %" in card


def test_scores_that_promise_too_much_are_said_to() -> None:
    off = replace(SCORES, calibration=replace(SCORES.calibration, after=0.09))

    assert "Not to the point." in Page(render_report(facts(scores=off))).text


def test_few_pictures_are_said_to_tell_little_of_the_scores() -> None:
    few = replace(SCORES, calibration=replace(SCORES.calibration, n=18, after=0.256, perfect=0.2, perfect_95=0.3))

    told = words_of(render_report(facts(scores=few)))

    assert "Too few pictures to tell." in told
    assert "Yes, as far as" not in told


@pytest.mark.parametrize(("accuracy", "reason"), [(0.995, "nearly every answer is right"), (0.8, "none leaves 20")])
def test_why_no_threshold_is_suggested_follows_the_curve_itself(accuracy: float, reason: str) -> None:
    """Not the accuracy on the test split, which is of other pictures."""
    curve = (CoveragePoint(0.0, 100, 1.0, accuracy, (0.7, 1.0)),)

    told = words_of(render_report(facts(scores=replace(SCORES, coverage=curve, suggested=()))))

    assert f"No threshold is suggested: {reason}" in told


def test_novelty_is_told_with_its_false_alarms() -> None:
    told = words_of(render_report(facts(novelty=NOVELTY)))

    assert "more novel in 91.0 % of cases" in told
    assert "1.3 % are, by mistake" in told
    assert "of the labels it had not learned, 8.3 % are" in told
    assert "2 of your 7 labels" in told
    assert "cat 50 93.0 %" in told


def test_what_was_tried_is_listed_and_what_was_taken_marked() -> None:
    page = render_report(facts(head=replace(facts().head, tried=TRIED)))
    told = words_of(page)

    assert "probe on 224 px 90.0 % 0.410 0.010 ± 0.013 1 0.2 taken: within one standard error" in told
    assert "0.2 no better beyond doubt, and more work" in told
    assert "<b>probe</b>, 4 views" in told, "escaped"
    assert ("class", "chosen") in Page(page).attributes


@pytest.mark.parametrize("steps", [2, 6])
def test_the_training_curve_is_drawn_for_a_head_that_has_epochs(steps: int) -> None:
    """Of one or of three."""
    told = Page(render_report(facts(head=replace(facts().head, kind="sgd", history=EPOCHS[:steps])))).text

    assert "How the head was fitted" in told
    assert "stochastic gradient descent" in told
    curve = told.partition("How the head was fitted")[2].partition("epoch")[0]
    assert re.findall(r"\d\.\d", curve) == [], "there is no half of an epoch"
    assert "How the head was fitted" not in Page(render_report(facts())).text


def test_the_confusion_matrix_has_counts_and_shares() -> None:
    test = evaluate(
        np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 1, 2]], np.array([0, 0, 0, 0, 1, 2]), ("cat", "dog", "eel")
    )

    told = words_of(render_report(facts(("cat", "dog", "eel"), test=test)))

    assert "cat 3 75 % 1 25 % ·" in told
    assert "cat dog 1 of 4 25 %" in told


def test_mistakes_stand_beside_what_was_learned_from_and_mix_ups_are_shown() -> None:
    near = (Neighbour(b"near", "dog/7.jpg", "dog", 0.8), Neighbour(None, "cat/3.jpg", NASTY[0], 0.7))
    mistake = replace(facts().mistakes[0], neighbours=near)
    example = Example(b"mixed", NASTY[1], 0.9)
    mix_up = PicturedMixUp(MixUp("cat", NASTY[0], 2, 20), (example,), (example, example))

    page = Page(render_report(facts(mistakes=(mistake,), mix_ups=(mix_up,))))

    shown = [value for name, value in page.attributes if name == "alt"]
    assert shown == [NASTY[1], NASTY[1], NASTY[1], "cat/1.jpg", "dog/7.jpg"]
    assert "script" not in page.tags


def test_the_largest_report_can_be_sent_by_mail() -> None:
    """101 labels with long names, every list full, and as many bytes of thumbnails as are dealt out."""
    labels = tuple(f"{'a long name of a label' * 3} {k}" for k in range(101))
    name = "folder/" + "x" * 100
    each = MOST_BYTES // (MOST_MISTAKES * (1 + NEIGHBOURS))
    near = (Neighbour(b"j" * each, name, labels[1], 0.5),) * NEIGHBOURS
    mistakes = (Mistake(b"j" * each, name, labels[0], labels[1], 0.9, 0.1, near),) * MOST_MISTAKES
    listed = tuple(noticed(f"Finding {k}", (name * 2,) * MOST_LISTED) for k in range(12))

    page = render_report(facts(labels, mistakes=mistakes, findings=listed, learning_curve=CURVE, scores=SCORES))

    assert len(page.encode()) < 2_000_000


def test_whole_per_cents_do_not_say_all_or_none_of_what_is_neither() -> None:
    assert [whole_percent(share) for share in (0, 0.004, 0.5, 0.996, 1)] == ["0 %", "<1 %", "50 %", ">99 %", "100 %"]
    assert points_range((-0.014, 0.031)) == "−1.4 to 3.1"


def test_without_pictures_none_is_shown() -> None:
    mix_up = PicturedMixUp(MixUp("cat", "dog", 2, 20), (Example(None, "cat/1.jpg", 0.9),), ())
    near = (Neighbour(None, "dog/7.jpg", "dog", 0.8),)
    mistake = Mistake(None, "cat/1.jpg", "cat", "dog", 0.9, neighbours=near)
    kept_in = facts(pictures=False, mistakes=(mistake,), mix_ups=(mix_up,))

    page = Page(render_report(kept_in))

    assert "img" not in page.tags
    assert "--no-pictures" in page.text


def test_what_balance_would_do_is_told_beside_what_was_done() -> None:
    plain, alike = BalanceNumbers(0.91, 0.8, 0.3, 0.02), BalanceNumbers(0.9, 0.85, 0.35, 0.05)

    told = words_of(render_report(facts(balance=BalanceEffect(plain, alike, balanced=False))))

    assert "Should every label weigh alike?" in told
    assert "With --balance a model is fitted" in told
    assert "every label 90.0 % 85.0 % 0.350 5.0 %" in told
    assert "weigh alike" not in words_of(render_report(facts()))


def test_the_backbones_that_one_was_picked_from_are_listed() -> None:
    losses = np.zeros(3)
    numbers = (0.9, (0.8, 0.95), 0.31, 210.4, 4.25, 2_100_000)
    best = Compared("nano", ("nano",), "crop", "float32", 416, *numbers, losses, on_front=True)

    told = words_of(render_report(facts(compared=(best,))))

    assert "nano ★ 90.0 % 80.0 to 95.0 % 0.310 4.2 ms 210 2.1 MB" in told
    assert "Backbones that were compared" not in words_of(render_report(facts()))


def test_the_card_says_what_the_model_requires_and_how_it_was_made() -> None:
    base = facts()
    head = replace(base.head, recipe="probe, 3 views", tried=TRIED, views=3)
    backbone = replace(base.backbone, taps=("features.13",), mirror=True)

    card = render_card(
        facts(
            head=head, backbone=backbone, precision="int8, 1.9 times as fast.", requirements=("vnni",), novelty=NOVELTY
        )
    )

    assert "| Recipe | probe, 3 views, the choice among 2 |" in card
    assert "| Learned from | each picture and 3 augmented views of it |" in card
    assert "| Stages read beside the last | features.13 |" in card
    assert "mean of the picture's and its mirror image's |" in card
    assert "| Precision | int8, 1.9 times as fast. |\n| Requires of the CPU | vnni |" in card
    assert "folds that also chose the recipe" in card
    assert "folds that also chose the strength" in render_card(base)
    assert "; `unfamiliar` says when" in card, "code, not escaped"


def test_what_was_kept_together_is_named_in_the_card_as_it_is() -> None:
    card = render_card(facts(settings=(("group-by", "g*"),)))

    assert "nor do groups of `--group-by` g\\*." in card


def test_two_labels_are_told_apart_and_neither_is_the_positive_one() -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]], np.float32)
    two = facts(test=evaluate(probabilities, np.array([0, 0, 1, 1, 1]), ("cat", "dog")))
    three = facts(("cat", "dog", "eel"), test=evaluate(np.eye(3), np.arange(3), ("cat", "dog", "eel")))

    assert "Area under the ROC curve 83.3 %" in words_of(render_report(two))
    assert "told apart; precision-recall: cat 83.3 %, dog 91.7 %" in words_of(render_report(two))
    assert (
        "area under the ROC curve of 83.3 %; under the precision-recall curve: cat 83.3 %, dog 91.7 %"
        in render_card(two)
    )
    assert "ROC" not in render_report(three) + render_card(three)


def test_what_the_scores_alone_would_notice_stands_beside_novelty() -> None:
    told = words_of(render_report(facts(novelty=NOVELTY, max_softmax=0.764)))

    assert "By the best score alone, without novelty, it would have been 76.4 %." in told
    assert "By the best score alone" not in words_of(render_report(facts(novelty=NOVELTY)))


def test_without_a_test_split_neighbours_are_not_said_to_have_been_learned_from() -> None:
    """They may have been held out in the same fold: the head that was wrong had not seen them."""
    near = (Neighbour(None, "dog/7.jpg", "dog", 0.8),)
    held_out = facts(mistakes=(replace(facts().mistakes[0], neighbours=near),))
    in_folds = replace(held_out, test=None, cross_validated=held_out.test)

    assert "learned from, most alike" in words_of(render_report(held_out))
    assert "learned from" not in words_of(render_report(in_folds)).split("Mistakes", 2)[-1].split("Limits")[0]
    assert "most alike of the others" in words_of(render_report(in_folds))


def test_the_last_step_of_the_learning_curve_is_not_called_a_doubling() -> None:
    """Halves are rounded up to whole groups: of five, three."""
    points = (replace(CURVE.points[0], samples=6.0), replace(CURVE.points[1], samples=10.0))
    told = words_of(render_report(facts(learning_curve=replace(CURVE, points=points))))

    assert "Going from 6 to 10 pictures" in told
    assert "last doubling" not in told
