"""trainer/label_audit.py: labels judged by heads that had not seen the pictures."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trainer.blobs import make_blobs
from trainer.label_audit import (
    NO_FOLDS,
    NOT_LEARNED,
    ONE_LABEL,
    audit_labels,
    count_steps,
    judge_labels,
    judge_measured,
)
from trainer.linear_probe import fit_linear_probe
from trainer.samples import Sample, Split
from trainer.training import Training, measure


def flip(targets: NDArray[np.int64], rows: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    flipped = targets.copy()
    flipped[rows] = (flipped[rows] + 1) % classes
    return flipped


def test_planted_flips_are_found_and_named_with_the_right_label() -> None:
    features, targets, groups = make_blobs(300, features=64, classes=3, distance=3)
    wrong = np.random.default_rng(1).choice(300, 15, replace=False)

    audit = audit_labels(features, flip(targets, wrong, 3), groups, seed=0, threads=1)

    found = {error.row for error in audit.errors}
    assert len(found & set(wrong.tolist())) >= 12
    assert len(found - set(wrong.tolist())) <= 3
    assert all(error.suggested == targets[error.row] for error in audit.errors if error.row in wrong)
    assert audit.agreement is not None and audit.agreement > 0.8


def test_clean_labels_are_left_alone() -> None:
    features, targets, groups = make_blobs(300, features=64, classes=3, distance=4)

    assert audit_labels(features, targets, groups, seed=0, threads=1).errors == ()


@pytest.mark.parametrize("flipped", [0, 30])
def test_every_step_is_told_with_and_without_a_second_look(flipped: int) -> None:
    features, targets, groups = make_blobs(200, features=32, classes=2, distance=4)
    told: list[int] = []

    audit = audit_labels(
        features, flip(targets, np.arange(flipped), 2), groups, seed=0, threads=1, on_steps=told.append
    )

    assert bool(audit.errors) == bool(flipped)
    assert sum(told) == count_steps()
    assert len(told) > 10


def test_nothing_is_claimed_where_nothing_can_be_learned() -> None:
    """Labels at random are not wrong labels; whoever reads a list of them would look in vain."""
    features, targets, groups = make_blobs(200, features=32, classes=2, distance=3)
    shuffled = np.random.default_rng(0).permutation(targets)

    audit = audit_labels(features, shuffled, groups, seed=0, threads=1)

    assert (audit.errors, audit.note) == ((), NOT_LEARNED)


def test_a_copy_of_a_picture_does_not_vouch_for_its_label() -> None:
    """Every picture twice, with the same wrong labels: a head that had seen the twin would agree with both."""
    features, targets, groups = make_blobs(150, features=64, classes=3, distance=3)
    wrong = np.random.default_rng(2).choice(150, 8, replace=False)
    given = flip(targets, wrong, 3)

    audit = audit_labels(
        np.concatenate([features, features]), np.concatenate([given, given]), [*groups, *groups], seed=0, threads=1
    )

    assert len({error.row % 150 for error in audit.errors} & set(wrong.tolist())) >= 6


def test_a_class_that_cannot_be_held_out_is_not_judged_and_spoils_nothing() -> None:
    """The audit goes on where a training could not: that is what it is for."""
    features, targets, groups = make_blobs(200, features=32, classes=2, distance=4)
    targets = np.where(targets == 1, 2, 0)
    targets[7] = 1
    wrong = np.array([20, 41])
    targets[wrong] = 2 - targets[wrong]

    audit = audit_labels(features, targets, groups, seed=0, threads=1)

    found = {(error.row, error.suggested) for error in audit.errors}
    assert {(int(row), 2 - int(targets[row])) for row in wrong} <= found
    assert all(error.row != 7 for error in audit.errors)


def test_without_two_classes_to_tell_apart_it_says_why() -> None:
    """One label is another reason than two of which one has a single picture."""
    features, targets, groups = make_blobs(20, features=8, classes=2)
    single = np.arange(20) == 7

    of_one_label = audit_labels(features, np.zeros_like(targets), groups, seed=0, threads=1)
    of_one_picture = audit_labels(features, single.astype(np.int64), groups, seed=0, threads=1)

    assert (of_one_label.errors, of_one_label.agreement, of_one_label.note) == ((), None, ONE_LABEL)
    assert (of_one_picture.errors, of_one_picture.agreement, of_one_picture.note) == ((), None, NO_FOLDS)


def test_the_closer_look_finds_flips_that_the_first_one_learned_from() -> None:
    """It also takes back some of the alarms that they caused."""
    found, false = [0, 0], [0, 0]
    for seed in (1, 2):
        features, targets, groups = make_blobs(300, features=64, classes=3, distance=2, seed=seed)
        wrong = np.random.default_rng(1).choice(300, 30, replace=False)
        given = flip(targets, wrong, 3)
        fit = fit_linear_probe(features, given, groups, class_count=3, seed=0, threads=1)

        first = judge_labels(fit.out_of_fold_logits, given, groups)
        looks = first, audit_labels(features, given, groups, seed=0, threads=1)

        for look, audit in enumerate(looks):
            rows = {error.row for error in audit.errors}
            found[look] += len(rows & set(wrong.tolist()))
            false[look] += len(rows - set(wrong.tolist()))
    assert found[1] >= found[0] + 3
    assert false[1] < false[0]


def training_of(features: NDArray[np.float32], given: NDArray[np.int64], groups: list[str]) -> Training:
    """A third of the rows is in each split."""
    splits: list[Split] = [("train", "validation", "test")[row // 3 % 3] for row in range(len(given))]
    samples = tuple(Sample(group, group, str(k), group, None) for group, k in zip(groups, given, strict=True))
    return Training(samples, ("0", "1", "2"), features, given, tuple(groups), tuple(splits))


def test_a_training_judges_every_row_by_a_head_that_had_not_seen_it() -> None:
    """Out of fold on train and validation, by the measured head on test: flips are found in all three splits."""
    features, targets, groups = make_blobs(300, features=64, classes=3, distance=3)
    wrong = np.random.default_rng(3).choice(300, 15, replace=False)
    given = flip(targets, wrong, 3)
    training = training_of(features, given, groups)

    audit = judge_measured(training, measure(training, seed=0, threads=1))

    found = {error.row for error in audit.errors} & set(wrong.tolist())
    assert len(found) >= 10
    assert {training.splits[row] for row in found} == {"train", "validation", "test"}
    assert all(error.given == given[error.row] for error in audit.errors)


def test_on_test_a_training_believes_the_measured_head_and_no_other() -> None:
    """A head that has seen the test split would agree with its labels, also with the wrong ones."""
    features, targets, groups = make_blobs(300, features=64, classes=3, distance=4)
    training = training_of(features, targets, groups)
    measured = measure(training, seed=0, threads=1)
    answers = measured.test_probabilities.copy()
    answers[5] = np.roll(answers[5], 1)  # the measured head is sure of another label here
    row = int(measured.test_rows[5])

    audit = judge_measured(training, replace(measured, test_probabilities=answers))

    assert [(error.row, error.suggested) for error in audit.errors] == [(row, (int(targets[row]) + 1) % 3)]


def test_a_few_series_do_not_show_that_labels_were_learned() -> None:
    """Six of eight series told right are six of eight, not 120 of 160; no label is accused on that."""
    series = np.arange(160) // 20
    targets = series % 2
    answers = np.where(series < 6, targets, 1 - targets)
    logits = 5 * np.eye(2, dtype=np.float32)[answers]

    together = judge_labels(logits, targets, [str(one) for one in series])
    alone = judge_labels(logits, targets, [str(row) for row in range(160)])

    assert (together.note, together.errors, together.agreement) == (NOT_LEARNED, (), 0.75)
    assert alone.note == ""


def test_a_training_without_folds_judges_nothing() -> None:
    assert judge_labels(np.zeros((0, 2), np.float32), np.array([0, 1]), []).note == NO_FOLDS
