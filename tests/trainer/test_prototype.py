from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.blobs import make_blobs
from trainer.head import HeadFit
from trainer.metrics import softmax
from trainer.prototype import FIXED_SHRINKAGE, SHRINKAGES, fit_prototype
from trainer.recipe import FeatureRows, plain_rows
from trainer.split import make_folds


def fit(
    rows: FeatureRows,
    targets: np.ndarray,
    groups: list[str],
    *,
    shrinkage: float | None = None,
    balance: bool = False,
) -> HeadFit:
    classes = int(targets.max()) + 1
    return fit_prototype(
        rows, targets, groups, class_count=classes, seed=0, threads=1, shrinkage=shrinkage, balance=balance
    )


def test_shrunk_to_the_identity_it_is_the_nearest_mean_of_standardised_features() -> None:
    features, targets, groups = make_blobs(90, features=8, classes=3)

    head = fit(plain_rows(features), targets, groups, shrinkage=1.0).head

    x = (features - head.mean) / head.std
    means = np.stack([x[targets == k].mean(0) for k in range(3)])
    nearest = np.square(x[:, None] - means).sum(2).argmin(1)
    assert head.logits(features).argmax(1).tolist() == nearest.tolist()


@pytest.mark.parametrize(("n", "d"), [(200, 6), (30, 80)])
def test_logits_are_those_of_gaussian_classes_that_share_a_shrunk_covariance(n: int, d: int) -> None:
    """More rows than features and fewer: computed here by inverting the whole covariance."""
    features, targets, groups = make_blobs(n, features=d, classes=3, seed=n)

    head = fit(plain_rows(features), targets, groups, shrinkage=0.4).head

    x = ((features - head.mean) / head.std).astype(np.float64)
    means = np.stack([x[targets == k].mean(0) for k in range(3)])
    within = (x - means[targets]).T @ (x - means[targets]) / n
    spread = 0.6 * within + 0.4 * np.trace(within) / d * np.eye(d)
    distances = np.stack([np.einsum("ni,ij,nj->n", x - m, np.linalg.inv(spread), x - m) for m in means], axis=1)
    values = np.linalg.eigvalsh(within)
    scale = values.sum() ** 2 / np.square(values).sum() / d  # features that vary together count as one
    expected = softmax(-distances / 2 * scale + np.log(np.bincount(targets) / n))
    assert softmax(head.logits(features)) == pytest.approx(expected, abs=1e-3)


def test_the_share_with_the_lowest_calibrated_loss_is_taken() -> None:
    found = fit(*as_rows(make_blobs(80, features=30, classes=4)))

    shares, losses = zip(*found.swept, strict=True)
    assert shares == SHRINKAGES
    assert found.l2 == shares[losses.index(min(losses))]


def test_out_of_fold_logits_come_from_heads_that_did_not_see_the_row() -> None:
    rows, targets, groups = as_rows(make_blobs(60, features=10, classes=3, distance=0.5))

    found = fit(rows, targets, groups)

    held = make_folds(targets, groups, found.folds, seed=0) == 0
    seen = np.flatnonzero(~held)
    alone = fit(rows.take(seen), targets[seen], [groups[row] for row in seen], shrinkage=found.l2)
    assert found.out_of_fold_logits[held] == pytest.approx(alone.head.logits(rows.plain[held]), rel=1e-4, abs=1e-4)


def test_two_pictures_a_class_are_enough_and_one_gets_a_fixed_share() -> None:
    rows, _, groups = as_rows(make_blobs(6, features=40, classes=3, distance=4))

    two = fit(rows, np.arange(6) % 3, groups)
    one = fit(rows.take(np.arange(3)), np.arange(3), groups[:3])

    assert two.folds == 2
    assert (one.l2, one.folds) == (FIXED_SHRINKAGE, 0)
    assert np.isfinite(one.head.logits(rows.plain)).all()
    assert "only one group" in one.note


def test_views_are_learned_from() -> None:
    rows, targets, groups = as_rows(make_blobs(40, features=10, classes=2))
    moved = replace(rows, views=rows.plain[None] + 3)

    assert not np.allclose(fit(moved, targets, groups, shrinkage=0.5).head.mean, rows.plain.mean(0), atol=0.1)


def test_balance_makes_every_class_as_probable_beforehand() -> None:
    targets = np.array([0] * 30 + [1] * 3)
    rows = plain_rows(np.random.default_rng(0).normal(size=(33, 4)).astype(np.float32))
    groups = [str(row) for row in range(33)]

    plain, balanced = (fit(rows, targets, groups, shrinkage=1.0, balance=one).head for one in (False, True))

    difference = plain.bias - balanced.bias
    assert difference[0] - difference[1] == pytest.approx(np.log(10), rel=1e-4)


def as_rows(blobs: tuple[np.ndarray, np.ndarray, list[str]]) -> tuple[FeatureRows, np.ndarray, list[str]]:
    return plain_rows(blobs[0]), blobs[1], blobs[2]
