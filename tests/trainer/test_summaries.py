"""trainer/summaries.py: the last lines on the terminal say what was measured, and what was not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from shared.bundle import Thresholds
from shared.publish import list_also
from tests.trainer.tiny_bundle import publish_tiny
from trainer.calibration import Calibration
from trainer.evaluation import evaluate
from trainer.report_words import trust
from trainer.summaries import advice_on_scores, evaluation_summary, training_summary

NUMBERS: dict[str, Any] = {
    "measured_on": "test",
    "n": 70,
    "groups": 70,
    "accuracy": 0.9,
    "accuracy_interval": [0.8, 0.95],
    "untested": [],
}


def summary(folder: Path, **changes: Any) -> str:
    return training_summary(publish_tiny(folder / "models"), NUMBERS | changes)


def test_the_interval_stands_beside_the_accuracy(tmp_path: Path) -> None:
    text = summary(tmp_path)

    assert "Accuracy  0.9000 (95 % interval 0.8000 to 0.9500) on 70 test pictures that nothing else has seen" in text
    assert "Untested" not in text


def test_groups_and_untested_labels_are_said(tmp_path: Path) -> None:
    text = summary(tmp_path, n=1, groups=1, untested=[f"label {number}" for number in range(7)])

    assert "on 1 test picture that" in text
    assert "Untested  label 0, label 1, label 2, label 3, label 4 and 2 more: no test picture" in text
    assert "on 70 test pictures in 11 groups" in summary(tmp_path / "grouped", groups=11)


def test_nested_folds_are_not_kept_to_the_report(tmp_path: Path) -> None:
    folds = {"n": 200, "folds": 5, "accuracy": 0.86, "accuracy_interval": [0.8, 0.9]}

    assert "Folds     0.8600 (95 % interval 0.8000 to 0.9000) over 5 nested folds of all 200" in summary(
        tmp_path, folds=folds
    )


def test_without_any_number_nothing_is_claimed(tmp_path: Path) -> None:
    assert "not measured" in training_summary(publish_tiny(tmp_path), {"measured_on": None, "n": 0})


def test_calibration_and_novelty_are_told_where_they_were_measured(tmp_path: Path) -> None:
    told = summary(
        tmp_path / "told",
        calibration={"before": 0.054, "after": 0.042, "perfect": 0.054},
        novelty={"left_out_auroc": 0.741, "left_out_noticed": 0.083, "unfamiliar_share": 0.005},
    )
    bounded = summary(
        tmp_path / "bounded", calibration={"before": 0.054, "after": 0.059, "perfect": 0.054, "perfect_95": 0.078}
    )
    silent = summary(tmp_path / "silent", calibration=None, novelty={"left_out_auroc": None, "unfamiliar_share": None})

    assert (
        "Scores    off by 4.2% on average, cross-validated (chance alone: 5.4%; without the temperature: 5.4%)" in told
    )
    assert "(chance alone: 5.4%, up to 7.8%; without" in bounded
    assert "with AUROC 0.74; calls 8.3% of them unfamiliar, and 0.5% of familiar ones" in told
    assert "Scores" not in silent
    assert "Novelty" not in silent


def test_an_evaluation_tells_all_its_numbers(tmp_path: Path) -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]])
    found = evaluate(probabilities, np.array([0, 0, 1, 1, 1]), ("ant", "bee"))

    text = evaluation_summary(publish_tiny(tmp_path), found.as_json(), 0)

    for told in (
        "macro F1            0.5833 (95 % interval",
        "weighted F1         0.6000",
        "area under ROC      0.8333",
        "area under P-R of 'ant'  0.8333",
        "area under P-R of 'bee'  0.9167",
    ):
        assert told in text
    assert "bee  accuracy 0.6667  precision 0.6667  F1 0.6667" in text
    assert "is what chance makes of true scores" in text


def test_a_report_that_is_not_there_is_not_named(tmp_path: Path) -> None:
    bundle = publish_tiny(tmp_path)
    with_report = list_also(bundle, {"report.html": b"<p>"})

    assert "report.html" not in training_summary(bundle, NUMBERS)
    assert "Report    missing; the same command writes it" in training_summary(bundle, NUMBERS)
    assert f"Report    {bundle.path / 'report.html'}" in training_summary(with_report, NUMBERS)


SMALL: dict[str, Any] = {
    "n": 24,
    "groups": 24,
    "accuracy": 0.75,
    "accuracy_interval": [0.551, 0.88],
    "cross_validated": {"n": 176, "groups": 176, "accuracy": 0.886, "accuracy_interval": [0.831, 0.925]},
}


def test_a_small_test_split_is_not_left_alone(tmp_path: Path) -> None:
    text = summary(tmp_path, **SMALL)

    assert "Beside it 0.8860 (95 % interval 0.8310 to 0.9250) on 176 pictures of train and validation" in text
    assert "Compare settings by the cross-validated accuracy" in text
    assert "13.6 points below cross-validation" in text


def test_nested_folds_stand_first(tmp_path: Path) -> None:
    folds = {"n": 200, "folds": 5, "accuracy": 0.86, "accuracy_interval": [0.8, 0.9]}

    text = summary(tmp_path, **SMALL, folds=folds)

    assert text.index("Folds     0.8600") < text.index("Accuracy  0.7500")
    assert "Compare settings by the nested folds' accuracy." in text


def test_a_temperature_that_seems_not_to_help_is_said_to_be_nothing_to_act_on(tmp_path: Path) -> None:
    """5.9 % with it and 5.6 % without reads as a fault; it is chance, unless it is more than that."""
    numbers = {"before": 0.036, "after": 0.039, "perfect": 0.036, "perfect_95": 0.05}

    assert "also that the temperature seems not to help: nothing is to be done" in summary(
        tmp_path / "by-chance", calibration=numbers
    )
    assert "do not read scores as probabilities" in summary(tmp_path / "beyond", calibration=numbers | {"after": 0.06})
    assert advice_on_scores(numbers | {"after": 0.03}) == ""


def test_few_pictures_are_no_reason_to_trust_scores() -> None:
    """The report says the same of the same numbers."""
    numbers = {"before": 0.12, "after": 0.1, "perfect": 0.1, "perfect_95": 0.2}

    assert advice_on_scores(numbers) == "Too few pictures to tell whether scores are true."
    assert "nothing is to be done" in advice_on_scores(numbers | {"after": 0.15})
    assert trust(Calibration(8, 1.0, **numbers, bins=())) == "Too few pictures to tell."
    assert trust(Calibration(8, 1.0, **numbers | {"after": 0.21}, bins=())) == "Not to the point."
    assert trust(Calibration(1, 1.0, **numbers | {"perfect_95": 0.05, "after": 0.05}, bins=())) == (
        "Yes, as far as 1 picture can tell."
    )


def test_a_model_without_novelty_says_why(tmp_path: Path) -> None:
    bundle = publish_tiny(tmp_path)
    few = Thresholds(novelty_reason="8 training pictures; novelty needs 20")
    without = replace(bundle, metadata=bundle.metadata.model_copy(update={"thresholds": few}))

    assert "Novelty   none: 8 training pictures; novelty needs 20" in training_summary(without, NUMBERS).splitlines()
    assert "Novelty" not in training_summary(bundle, NUMBERS)
