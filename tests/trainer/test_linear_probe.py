from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trainer.blobs import make_blobs
from trainer.head import HeadFit
from trainer.linear_probe import FIXED_STRENGTH, carried_over, fit_linear_probe
from trainer.metrics import accuracy, log_loss, softmax
from trainer.split import make_folds

Rows = tuple[NDArray[np.float32], NDArray[np.int64], Sequence[str]]


def fit(rows: Rows, *, classes: int, l2: float | None = None) -> HeadFit:
    features, targets, groups = rows
    return fit_linear_probe(features, targets, groups, class_count=classes, seed=0, threads=1, l2=l2)


def newton(x: NDArray[np.float64], targets: NDArray[np.int64], l2: float, classes: int) -> NDArray[np.float64]:
    """Weights and bias, shape (K, D + 1), by full Newton steps in float64: slow, simple and independent."""
    n, d = x.shape
    inputs, onehot = np.hstack([x, np.ones((n, 1))]), np.eye(classes)[targets]
    penalty = np.tile(np.append(np.full(d, l2), 0.0), classes)
    theta = np.zeros(classes * (d + 1))
    for _ in range(50):
        p = softmax(inputs @ theta.reshape(classes, d + 1).T)
        gradient = ((p - onehot).T @ inputs / n).ravel() + penalty * theta
        spread = p[:, :, None] * (np.eye(classes) - p[:, None, :])
        hessian = np.einsum("nkl,ni,nj->kilj", spread, inputs, inputs).reshape(len(theta), -1) / n + np.diag(penalty)
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        theta -= step
        if np.abs(step).max() < 1e-9:
            break
    return theta.reshape(classes, d + 1)


@pytest.mark.parametrize(("n", "d", "classes"), [(120, 12, 2), (90, 9, 4), (20, 30, 3)])
@pytest.mark.parametrize("l2", [10.0, 0.3, 0.003])
def test_the_head_is_the_one_that_newtons_method_finds(n: int, d: int, classes: int, l2: float) -> None:
    """More rows than features and fewer, weak strengths and strong: it is the optimum, not something near it."""
    rows = make_blobs(n, features=d, classes=classes, seed=n)

    found = fit(rows, classes=classes, l2=l2).head

    x = (rows[0].astype(np.float64) - found.mean) / found.std
    expected = newton(x, rows[1], l2, classes)
    assert softmax(found.logits(rows[0])) == pytest.approx(softmax(x @ expected[:, :-1].T + expected[:, -1]), abs=2e-3)
    assert found.weight == pytest.approx(expected[:, :-1].T, abs=2e-3 * (1 + np.abs(expected).max()))


def test_the_gradient_is_zero_at_the_head() -> None:
    rows = make_blobs(300, features=40, classes=5)

    found = fit(rows, classes=5)

    x = (rows[0] - found.head.mean) / found.head.std
    residuals = softmax(found.head.logits(rows[0])) - np.eye(5)[rows[1]]
    assert x.T @ residuals / 300 + found.l2 * found.head.weight == pytest.approx(0, abs=2e-4)
    assert residuals.mean(axis=0) == pytest.approx(0, abs=2e-4)


def test_the_same_rows_give_the_same_bits() -> None:
    """Whatever lies before them in memory, and whatever was computed in between."""
    features, targets, groups = make_blobs(150, features=200, classes=3)
    shifted = np.empty(features.size + 1, np.float32)[1:].reshape(features.shape)
    shifted[:] = features

    first = fit((features, targets, groups), classes=3)
    fit(make_blobs(30, features=7, classes=2), classes=2)
    second = fit((shifted, targets, groups), classes=3)

    assert first.swept == second.swept
    assert first.out_of_fold_logits.tobytes() == second.out_of_fold_logits.tobytes()
    assert [first.head.weight.tobytes(), first.head.bias.tobytes()] == [
        second.head.weight.tobytes(),
        second.head.bias.tobytes(),
    ]


def test_at_least_thirteen_strengths_are_tried_from_strong_to_weak_and_the_best_is_taken() -> None:
    found = fit(make_blobs(200, features=60, classes=4), classes=4)

    strengths, losses = zip(*found.swept, strict=True)
    assert len(strengths) >= 13
    assert list(strengths) == sorted(strengths, reverse=True)
    assert found.l2 == strengths[losses.index(min(losses))]


def test_out_of_fold_logits_come_from_heads_that_did_not_see_the_row() -> None:
    """They are those of heads fitted on the other folds, standardisation included."""
    features, targets, groups = make_blobs(60, features=10, classes=3, distance=0.5)

    found = fit((features, targets, groups), classes=3)

    folds = make_folds(targets, groups, found.folds, seed=0)
    expected = np.zeros((60, 3))
    for fold in range(found.folds):
        seen = np.flatnonzero(folds != fold)
        head = fit((features[seen], targets[seen], [groups[row] for row in seen]), classes=3, l2=found.l2).head
        expected[folds == fold] = softmax(head.logits(features[folds == fold]))
    assert softmax(found.out_of_fold_logits) == pytest.approx(expected, abs=0.03)


def test_the_folds_deviations_are_those_of_heads_fitted_on_so_few_rows() -> None:
    """Shrunk by the rows of the fold's own fit, which are few: without that, probabilities would be 0.16 apart."""
    features, targets, groups = make_blobs(8, features=4, classes=2, distance=2)

    found = fit((features, targets, groups), classes=2)

    folds = make_folds(targets, groups, found.folds, seed=0)
    for fold in range(found.folds):
        seen, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        own = fit((features[seen], targets[seen], [groups[row] for row in seen]), classes=2, l2=found.l2)
        assert softmax(found.out_of_fold_logits[held]) == pytest.approx(
            softmax(own.head.logits(features[held])), abs=0.01
        )


def test_a_feature_that_hardly_varies_in_few_rows_does_not_drown_the_others() -> None:
    """Two pictures of each class: 0.02 apart by chance in one feature, truly apart in another."""
    features = np.array([[0, 0.00], [0.1, 0.01], [1, 0.02], [1.1, 0.03]], np.float32)
    targets = np.array([0, 0, 1, 1])

    head = fit((features, targets, ["a", "b", "c", "d"]), classes=2, l2=0.1).head

    assert head.logits(np.array([[0, 0.5]], np.float32)).argmax() == 0


def test_the_swept_loss_is_that_of_the_out_of_fold_logits() -> None:
    rows = make_blobs(100, features=20, classes=3)

    found = fit(rows, classes=3)

    assert dict(found.swept)[found.l2] == pytest.approx(log_loss(softmax(found.out_of_fold_logits), rows[1]), rel=1e-4)


def test_noise_gets_a_strong_penalty_and_a_clear_difference_a_weak_one() -> None:
    noise = fit(make_blobs(200, features=50, classes=2, distance=0.0), classes=2)
    clear = fit(make_blobs(200, features=50, classes=2, distance=3.0), classes=2)

    assert noise.l2 >= 10 > 1 > clear.l2


def test_eight_pictures_of_three_classes_are_learned_from() -> None:
    """The size of ML.NET's first tutorial: one class has two pictures."""
    features, _, groups = make_blobs(8, features=300, classes=3, distance=3)
    targets = np.array([0, 1, 2, 0, 1, 2, 0, 1])

    found = fit((features, targets, groups), classes=3)

    assert found.folds == 2
    assert found.note == "2 folds instead of 5, because with more of them one would take all groups of a class."
    assert accuracy(softmax(found.head.logits(features)), targets) == 1.0


def test_a_class_with_one_group_gets_a_fixed_strength_and_the_note_says_so() -> None:
    features, targets, _ = make_blobs(9, features=5, classes=3)
    groups = [f"group {target}" if target == 1 else f"row {row}" for row, target in enumerate(targets)]

    found = fit((features, targets, groups), classes=3)

    assert (found.l2, found.folds, found.swept) == (FIXED_STRENGTH, 0, ())
    assert found.out_of_fold_logits.shape == (0, 3)
    assert "only one group" in found.note


def test_a_given_strength_is_used_without_folds() -> None:
    found = fit(make_blobs(30, features=5, classes=2), classes=2, l2=0.5)

    assert (found.l2, found.folds, found.swept, found.note) == (0.5, 0, (), "")


def test_a_feature_that_never_changes_does_no_harm() -> None:
    """Dead channels are common; one that wakes up on a new picture must not decide everything."""
    features, targets, groups = make_blobs(80, features=10, classes=2)
    features[:, 3] = 0.25
    features[:, 4] = 0.0
    head = fit((features, targets, groups), classes=2).head

    woken = features.copy()
    woken[:, 3:5] += 1.0

    assert np.isfinite(head.logits(woken)).all()
    assert head.logits(woken) == pytest.approx(head.logits(features), abs=1e-3)


def test_features_that_are_all_equal_give_the_label_frequencies() -> None:
    features, targets = np.ones((20, 4), np.float32), np.array([0] * 15 + [1] * 5)

    found = fit((features, targets, [str(row) for row in range(20)]), classes=2)

    assert softmax(found.head.logits(features[:1]))[0] == pytest.approx([0.75, 0.25], abs=1e-3)


def test_units_of_the_features_do_not_matter() -> None:
    features, targets, groups = make_blobs(60, features=10, classes=2)
    in_other_units = features * np.float32(1000) + np.float32(5)

    here = fit((features, targets, groups), classes=2)
    there = fit((in_other_units, targets, groups), classes=2)

    assert there.l2 == here.l2
    assert softmax(there.head.logits(in_other_units)) == pytest.approx(softmax(here.head.logits(features)), abs=0.01)


@pytest.mark.parametrize(
    ("targets", "groups", "spoil", "message"),
    [
        ([0, 1, 0], ["a", "b", "c", "d"], None, "4 rows of features, 3 targets, 4 groups"),
        ([0, 0, 0, 0], ["a", "b", "c", "d"], None, "expected all of 0 to 1"),
        ([0, 1, 2, 0], ["a", "b", "c", "d"], None, "expected all of 0 to 1"),
        ([0, 1, 0, 1], ["a", "b", "c", "d"], np.nan, "not a finite number"),
    ],
)
def test_rows_that_cannot_be_learned_from_are_refused(
    targets: list[int], groups: list[str], spoil: float | None, message: str
) -> None:
    features = np.arange(12, dtype=np.float32).reshape(4, 3)
    if spoil is not None:
        features[2, 1] = spoil

    with pytest.raises(ValueError, match=message):
        fit((features, np.array(targets), groups), classes=2)


def test_without_a_penalty_there_is_no_optimum_to_find() -> None:
    with pytest.raises(ValueError, match="expected above 0"):
        fit(make_blobs(6, features=3, classes=2), classes=2, l2=0.0)


@pytest.mark.parametrize("view_count", [0, 2])
def test_with_balance_a_fold_is_fitted_as_the_published_head_is(view_count: int) -> None:
    """Labels weigh alike in the loss, not in the standardisation: else the strength is chosen under another penalty."""
    random = np.random.default_rng(0)
    features, _, groups = make_blobs(100, features=12, classes=2)
    targets = (np.arange(100) % 10 == 0).astype(np.int64)
    features[:, :3] += 3 * targets[:, None] * random.normal(size=(100, 3)).astype(np.float32)
    features[:, 0] += 1.5 * targets
    moved = features + random.normal(0, 0.5, features.shape).astype(np.float32)
    views = np.tile(moved, (view_count, 1, 1))

    found = fit_linear_probe(features, targets, groups, class_count=2, seed=0, threads=1, views=views, balance=True)

    fold_of = make_folds(targets, groups, found.folds, seed=0)
    for fold in range(found.folds):
        seen, held = np.flatnonzero(fold_of != fold), fold_of == fold
        alone = fit_linear_probe(
            features[seen],
            targets[seen],
            [groups[row] for row in seen],
            class_count=2,
            seed=0,
            threads=1,
            l2=found.l2,
            views=views[:, seen],
            balance=True,
        )
        expected, logits = alone.head.logits(features[held]), found.out_of_fold_logits[held]
        assert logits[:, 1] - logits[:, 0] == pytest.approx(expected[:, 1] - expected[:, 0], abs=0.2)


def test_a_fit_that_starts_at_a_head_of_other_rows_ends_where_it_would_without() -> None:
    """The published head starts at the measured one, whose rows were fewer and so were standardised otherwise."""
    features, targets, groups = make_blobs(300, features=40, classes=5)
    measured = fit((features[:240], targets[:240], groups[:240]), classes=5)

    near = fit_linear_probe(
        features, targets, groups, class_count=5, seed=0, threads=1, l2=measured.l2, near=measured.head
    )
    alone = fit((features, targets, groups), classes=5, l2=measured.l2)

    assert softmax(near.head.logits(features)) == pytest.approx(softmax(alone.head.logits(features)), abs=2e-3)
    assert near.head.mean.tobytes() == alone.head.mean.tobytes()


def test_a_head_that_is_carried_over_to_other_means_and_deviations_says_the_same() -> None:
    rows = make_blobs(300, features=40, classes=5)
    head, random = fit(rows, classes=5).head, np.random.default_rng(3)
    mean = random.normal(head.mean, 2 * head.std).astype(np.float32)
    std = (head.std * random.uniform(0.3, 3, 40)).astype(np.float32)

    parameters = carried_over(head, mean, std)

    logits = (rows[0] - mean) / std @ parameters[:, :-1].T + parameters[:, -1]
    assert logits == pytest.approx(head.logits(rows[0]), abs=1e-4)


def test_a_fit_that_starts_at_its_own_head_stays_there() -> None:
    rows = make_blobs(300, features=40, classes=5)
    first = fit(rows, classes=5)

    again = fit_linear_probe(*rows, class_count=5, seed=0, threads=1, l2=first.l2, near=first.head)

    assert again.head.logits(rows[0]) == pytest.approx(first.head.logits(rows[0]), abs=1e-3)
