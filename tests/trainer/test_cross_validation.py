import json

import numpy as np
import pytest

from tests.trainer.blobs import make_blobs
from trainer.cross_validation import cross_validate
from trainer.errors.splits import TooFewForFolds
from trainer.linear_probe import fit_linear_probe
from trainer.metrics import accuracy, softmax
from trainer.split import make_folds

LABELS = ("ant", "bee", "cat")


def test_every_sample_is_held_out_once_for_each_seed() -> None:
    features, targets, groups = make_blobs(45, features=6, classes=3)

    found = cross_validate(features, targets, groups, LABELS, folds=3, seeds=(0, 1), threads=1)

    assert [(result.seed, result.fold) for result in found.results] == [(s, f) for s in (0, 1) for f in (0, 1, 2)]
    assert [sum(result.n for result in found.results if result.seed == seed) for seed in (0, 1)] == [45, 45]
    assert [one.n for one in found.pooled] == [45, 45]
    assert np.sum(found.confusion, axis=1).tolist() == [30, 30, 30]


def test_a_fold_is_measured_by_a_head_and_a_strength_that_were_chosen_without_it() -> None:
    features, targets, groups = make_blobs(45, features=6, classes=3)

    found = cross_validate(features, targets, groups, LABELS, folds=3, seeds=(7,), threads=1)

    held = make_folds(targets, groups, 3, seed=7) == 1
    seen = np.flatnonzero(~held).tolist()
    alone = fit_linear_probe(
        features[seen], targets[seen], [groups[row] for row in seen], class_count=3, seed=7, threads=1
    )
    assert found.results[1].l2 == alone.l2
    assert found.results[1].accuracy == accuracy(softmax(alone.head.logits(features[held])), targets[held])


def test_the_means_come_with_intervals_over_folds_and_seeds() -> None:
    """Over folds by hand: 6 values of 3 folds, so t of 5 degrees, 2.5706, and 1 / 6 + 1 / 2 of their variance."""
    features, targets, groups = make_blobs(45, features=6, classes=3)

    found = cross_validate(features, targets, groups, LABELS, folds=3, seeds=(0, 1), threads=1)

    for name in ("accuracy", "macro_accuracy", "log_loss"):
        values, (low, high) = [getattr(one, name) for one in found.results], getattr(found, name).interval
        mean, variance = sum(values) / 6, sum((one - sum(values) / 6) ** 2 for one in values) / 5
        half_width = 2.5706 * ((1 / 6 + 1 / 2) * variance) ** 0.5
        pooled = [getattr(one, f"{name}_interval") for one in found.pooled]
        together = [(one + other) / 2 for one, other in zip(*pooled, strict=True)]
        over_folds = [mean - half_width, mean + half_width]
        wider = max(over_folds, together, key=lambda one: one[1] - one[0])
        assert getattr(found, name).mean == pytest.approx(mean)
        assert (low, high) == pytest.approx((max(0, min(wider[0], mean)), max(wider[1], mean)), abs=1e-4)


def test_all_right_in_every_fold_leaves_open_what_so_many_pictures_cannot_tell() -> None:
    """Wilson's interval of 30 of 30 is [0.886, 1]; folds that agree have an interval without width."""
    features, targets, groups = make_blobs(30, features=20, classes=2, distance=9.0)

    found = cross_validate(features, targets, groups, LABELS[:2], folds=3, seeds=(0,), threads=1)

    assert [one.accuracy for one in found.results] == [1, 1, 1]
    assert found.accuracy.interval == pytest.approx((0.8865, 1.0), abs=1e-4)
    low, high = found.log_loss.interval
    assert 0 < low < found.log_loss.mean < high
    assert high - found.log_loss.mean > np.ptp([one.log_loss for one in found.results])


def test_copies_of_a_picture_never_help_to_recognise_it() -> None:
    """Labels drawn at random can be learned only by heart: with copies in other folds, accuracy would be high."""
    rng = np.random.default_rng(0)
    originals, coins = rng.normal(size=(40, 200)).astype(np.float32), rng.integers(0, 2, 40)
    features, targets = np.repeat(originals, 4, axis=0), np.repeat(coins, 4)
    groups = [f"picture {row // 4}" for row in range(160)]

    together = cross_validate(features, targets, groups, LABELS[:2], folds=5, seeds=(0,), threads=1)
    apart = cross_validate(
        features, targets, [str(row) for row in range(160)], LABELS[:2], folds=5, seeds=(0,), threads=1
    )

    assert together.accuracy.mean < 0.75 < 0.95 < apart.accuracy.mean


def test_a_class_with_few_groups_lowers_the_number_of_folds() -> None:
    features, _, groups = make_blobs(12, features=4, classes=2)
    targets = np.array([0] * 10 + [1] * 2)

    found = cross_validate(features, targets, groups, LABELS[:2], folds=5, seeds=(0,), threads=1)

    assert found.folds == 2


def test_a_class_with_one_group_cannot_be_cross_validated() -> None:
    features, _, groups = make_blobs(6, features=4, classes=2)

    with pytest.raises(TooFewForFolds, match="'bee' has a single group"):
        cross_validate(features, np.array([0] * 5 + [1]), groups, LABELS[:2], folds=3, seeds=(0,), threads=1)


@pytest.mark.parametrize(("folds", "seeds"), [(1, (0,)), (5, ())])
def test_a_single_fold_or_no_seed_is_refused(folds: int, seeds: tuple[int, ...]) -> None:
    features, targets, groups = make_blobs(6, features=4, classes=3)

    with pytest.raises(ValueError, match=f"{folds} folds and {len(seeds)} seeds"):
        cross_validate(features, targets, groups, LABELS, folds=folds, seeds=seeds, threads=1)


def test_json_tells_means_intervals_and_every_fold() -> None:
    features, targets, groups = make_blobs(18, features=4, classes=3)

    found = cross_validate(features, targets, groups, LABELS, folds=2, seeds=(0, 5), threads=1).as_json()

    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["seeds"] == [0, 5]
    assert len(found["results"]) == 4
    assert {"accuracy", "accuracy_interval", "macro_accuracy", "log_loss", "log_loss_interval", "confusion"} <= set(
        found
    )
