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


def test_each_label_has_its_own_numbers() -> None:
    ant, bee, cat = evaluate(PROBABILITIES, TARGETS, LABELS).per_class

    assert (ant.label, ant.n, ant.predicted, ant.accuracy, ant.precision) == ("ant", 2, 2, 1.0, 1.0)
    assert (bee.n, bee.predicted, bee.accuracy, bee.precision) == (1, 0, 0.0, None)
    assert (cat.accuracy, cat.precision) == (1.0, 0.5)
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
        "log_loss",
        "log_loss_reduction",
        "top_k",
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
