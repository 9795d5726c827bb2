import json
import math

import numpy as np
import pytest

from trainer.evaluation import evaluate
from trainer.intervals import wilson_interval

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.2, 0.6], [0.4, 0.35, 0.25]], np.float32)
TARGETS = np.array([0, 1, 2, 0])
LABELS = ("ant", "bee", "cat")


def test_the_numbers_belong_together() -> None:
    found = evaluate(PROBABILITIES, TARGETS, LABELS)

    assert (found.n, found.accuracy, found.accuracy_interval) == (4, 0.75, wilson_interval(3, 4))
    assert found.confusion == ((2, 0, 0), (0, 0, 1), (0, 0, 1))
    assert found.top_k == {1: 0.75, 2: 1.0}
    assert found.top_k_for_all_k == (0.75, 1.0, 1.0)


def test_each_label_has_its_own_numbers() -> None:
    ant, bee, cat = evaluate(PROBABILITIES, TARGETS, LABELS).per_class

    assert (ant.label, ant.n, ant.predicted, ant.accuracy, ant.precision) == ("ant", 2, 2, 1.0, 1.0)
    assert (bee.n, bee.predicted, bee.accuracy, bee.precision) == (1, 0, 0.0, None)
    assert (cat.accuracy, cat.precision) == (1.0, 0.5)
    assert [ant.f1, bee.f1, cat.f1] == pytest.approx([1.0, 0.0, 2 / 3])
    assert cat.precision_interval == wilson_interval(1, 2)
    assert bee.log_loss == pytest.approx(-math.log(0.3))


def test_a_label_without_samples_has_no_numbers() -> None:
    bee = evaluate(PROBABILITIES[:1], TARGETS[:1], LABELS).per_class[1]

    assert (bee.n, bee.accuracy, bee.accuracy_interval, bee.precision, bee.log_loss) == (0, None, None, None, None)


def test_json_has_what_scripts_look_for_and_every_reader_takes_it() -> None:
    """A label without samples and a single label are null, not NaN, which JSON does not know."""
    found = evaluate(PROBABILITIES[:1], TARGETS[:1], LABELS).as_json()

    text = json.dumps(found, allow_nan=False)
    assert list(json.loads(text)) == [
        "n",
        "groups",
        "accuracy",
        "accuracy_interval",
        "macro_accuracy",
        "macro_accuracy_interval",
        "macro_f1",
        "macro_f1_interval",
        "weighted_f1",
        "log_loss",
        "log_loss_interval",
        "log_loss_reduction",
        "calibration_error",
        "perfect_calibration_error",
        "binary",
        "top_k",
        "top_k_for_all_k",
        "per_class",
        "labels",
        "confusion",
    ]
    assert found["log_loss_reduction"] is None
    assert found["per_class"][1] == {
        "label": "bee",
        "n": 0,
        "predicted": 0,
        "accuracy": None,
        "accuracy_interval": None,
        "precision": None,
        "precision_interval": None,
        "f1": None,
        "log_loss": None,
    }


def test_equal_predictions_give_equal_bytes() -> None:
    once, again = (json.dumps(evaluate(PROBABILITIES.copy(), TARGETS, LABELS).as_json()) for _ in range(2))

    assert once == again


def test_two_labels_need_no_top_2() -> None:
    assert evaluate(PROBABILITIES[:, :2], np.array([0, 1, 1, 0]), LABELS[:2]).top_k.keys() == {1}


def test_labels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(4, 3\) for 2 labels"):
        evaluate(PROBABILITIES, TARGETS, LABELS[:2])


def test_a_probability_that_is_not_a_number_is_refused() -> None:
    """argmax would take it for the highest, and the accuracy would look fine."""
    probabilities = PROBABILITIES.copy()
    probabilities[2, 1] = np.nan

    with pytest.raises(ValueError, match="not a finite number"):
        evaluate(probabilities, TARGETS, LABELS)


def test_pictures_of_one_group_do_not_make_an_interval_narrow() -> None:
    probabilities, targets = np.tile(PROBABILITIES, (10, 1)), np.tile(TARGETS, 10)
    groups = [str(row % 4) for row in range(40)]

    alone, together = evaluate(probabilities, targets, LABELS), evaluate(probabilities, targets, LABELS, groups=groups)

    assert (alone.groups, together.groups) == (40, 4)
    assert together.accuracy_interval[0] < wilson_interval(3, 4)[0] < alone.accuracy_interval[0]
    ant_alone, ant_together = alone.per_class[0].accuracy_interval, together.per_class[0].accuracy_interval
    assert ant_alone is not None
    assert ant_together is not None
    assert ant_together[0] < ant_alone[0]


def test_labels_that_no_sample_tests_are_named() -> None:
    assert evaluate(PROBABILITIES[:1], TARGETS[:1], LABELS).untested == ("bee", "cat")
    assert evaluate(PROBABILITIES, TARGETS, LABELS).untested == ()


def test_numbers_that_are_no_share_have_intervals_too() -> None:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(3), size=200)

    found = evaluate(probabilities, random.integers(0, 3, 200), LABELS)

    for value, (low, high) in [
        (found.macro_accuracy, found.macro_accuracy_interval),
        (found.macro_f1, found.macro_f1_interval),
        (found.log_loss, found.log_loss_interval),
    ]:
        assert low < value < high


def test_two_labels_are_asked_what_is_asked_of_two() -> None:
    """Of three bees two are found, and one ant is called a bee."""
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]])

    binary = evaluate(probabilities, np.array([0, 0, 1, 1, 1]), LABELS[:2]).binary

    assert binary is not None
    assert binary.area_under_roc == pytest.approx(5 / 6)
    assert binary.area_under_precision_recall == pytest.approx({"ant": 5 / 6, "bee": 11 / 12})
    assert evaluate(PROBABILITIES, TARGETS, LABELS).binary is None


def test_no_mistake_among_few_does_not_make_a_mean_of_classes_certain() -> None:
    """With as many of each label, a mean over labels is as certain as the accuracy, and no more."""
    found = evaluate(np.tile([[0.9, 0.1], [0.2, 0.8]], (6, 1)), np.tile([0, 1], 6), LABELS[:2])

    assert found.macro_accuracy_interval == found.macro_f1_interval == pytest.approx(wilson_interval(12, 12))
