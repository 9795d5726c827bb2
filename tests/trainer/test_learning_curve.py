import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trainer.blobs import make_blobs
from trainer.learning_curve import LearningCurve, learning_curve, quick_strength, take_first
from trainer.linear_probe import fit_linear_probe
from trainer.metrics import accuracy, softmax
from trainer.paired_intervals import paired_interval, paired_loss_interval
from trainer.report_words import would_more_help
from trainer.subset_fits import fit_subsets


def curve_of(
    features: NDArray[np.float32], targets: NDArray[np.int64], groups: list[str], *, seed: int = 0
) -> LearningCurve | None:
    return learning_curve(features, targets, groups, class_count=int(targets.max()) + 1, l2=0.1, seed=seed, threads=1)


def test_more_samples_help_where_classes_are_hard_to_tell() -> None:
    curve = curve_of(*make_blobs(240, features=40, classes=4, distance=0.7))

    assert curve is not None
    assert [round(point.samples) for point in curve.points] == [24, 48, 96, 192]
    assert curve.points[-1].accuracy > curve.points[0].accuracy + 0.1
    assert curve.points[-1].log_loss < curve.points[0].log_loss
    assert curve.accuracy.mean == pytest.approx(curve.points[-1].accuracy - curve.points[-2].accuracy)
    assert curve.log_loss.mean == pytest.approx(curve.points[-2].log_loss - curve.points[-1].log_loss)


def test_more_samples_are_not_said_to_help_where_all_is_known() -> None:
    """Classes far apart: an eighth of the samples is enough."""
    curve = curve_of(*make_blobs(240, features=40, classes=3, distance=6.0))

    assert curve is not None
    assert curve.points[0].accuracy > 0.98
    assert curve.accuracy.interval[1] < 0.01


def test_labels_that_mean_nothing_are_not_learned_however_many_there_are() -> None:
    """A held-out sample that leaked into its head's subset would show here."""
    features, targets, groups = make_blobs(240, features=300, classes=2)
    shuffled = np.random.default_rng(1).permutation(targets)

    curve = curve_of(features, shuffled, groups)

    assert curve is not None
    assert all(0.38 < point.accuracy < 0.62 for point in curve.points)
    low, high = curve.accuracy.interval
    assert low < 0 < high


def test_copies_of_a_sample_are_never_on_both_sides() -> None:
    """With meaningless labels, a copy in the subset is the only way to be right."""
    features, targets, _ = make_blobs(120, features=200, classes=2)
    shuffled = np.random.default_rng(2).permutation(targets)
    twice = [f"group {row}" for row in range(120)] * 2

    curve = curve_of(np.concatenate([features, features]), np.concatenate([shuffled, shuffled]), twice)

    assert curve is not None
    assert all(point.accuracy < 0.65 for point in curve.points)


def test_the_last_point_is_what_cross_validation_says() -> None:
    """The curve's own fits stop earlier than the head's; who is right hardly changes."""
    features, targets, groups = make_blobs(200, features=40, classes=4, distance=0.7)
    curve = curve_of(features, targets, groups)
    fit = fit_linear_probe(features, targets, groups, class_count=4, seed=0, threads=1)

    assert curve is not None
    assert curve.points[-1].accuracy == pytest.approx(accuracy(softmax(fit.out_of_fold_logits), targets), abs=0.03)


def test_larger_subsets_hold_the_smaller_ones_and_every_class() -> None:
    targets, groups = np.arange(100) % 3, [f"g{row // 2}" for row in range(100)]
    allowed = np.arange(100) < 80

    taken = [take_first(targets, groups, allowed, share=share, seed=4) for share in (0.05, 0.25, 0.5, 1.0)]

    assert all((few <= many).all() for few, many in itertools.pairwise(taken))
    assert (taken[-1] == allowed).all()
    assert set(targets[taken[0]].tolist()) == {0, 1, 2}
    assert 0.25 <= taken[1].sum() / 80 < 0.6
    for one in taken:
        members = {groups[row] for row in np.flatnonzero(one)}
        assert all(one[row] for row in range(80) if groups[row] in members), "a group was parted"


def test_the_same_seed_gives_the_same_curve() -> None:
    data = make_blobs(60, features=10, classes=2)

    assert curve_of(*data) == curve_of(*data)
    assert curve_of(*data) != curve_of(*data, seed=1)


def test_without_folds_or_without_a_smaller_subset_there_is_no_curve() -> None:
    features, targets, groups = make_blobs(6, features=4, classes=2)

    assert curve_of(features, targets, ["a", "b", "a", "b", "a", "b"]) is None
    assert curve_of(features[:4], targets[:4], groups[:4]) is None


def test_the_quick_strength_costs_little_and_is_the_strongest_of_those() -> None:
    swept = ((10.0, 0.9), (1.0, 0.43), (0.1, 0.4), (0.01, 0.42))

    assert quick_strength(swept, 0.1) == 1.0
    assert quick_strength((), 0.1) == 0.1


def test_a_fit_on_a_few_of_the_rows_is_that_of_a_probe_on_them() -> None:
    """Its deviations shrunk as those of so few rows are: without that, probabilities would be 0.14 apart."""
    features, targets, groups = make_blobs(40, features=4, classes=2, distance=2)
    members = np.arange(40)[:, None] < 6

    (logits,) = fit_subsets(features, targets, [members], strengths=[0.1], class_count=2)

    own = fit_linear_probe(features[:6], targets[:6], groups[:6], class_count=2, seed=0, threads=1, l2=0.1).head
    assert softmax(logits[:, 0]) == pytest.approx(softmax(own.logits(features)), abs=0.03)


def test_a_change_that_no_fold_shows_may_still_be_there_on_few_pictures() -> None:
    """Twelve pictures of classes far apart: no head of any size errs, yet nobody knows either to the point."""
    curve = curve_of(*make_blobs(12, features=10, classes=2, distance=20.0))

    assert curve is not None
    assert all(point.accuracy == 1.0 and point.interval[0] < 0.8 for point in curve.points)
    assert curve.accuracy.mean == 0
    assert curve.accuracy.interval[0] < -0.1 < 0.1 < curve.accuracy.interval[1]
    assert would_more_help(curve) != "hardly"


def test_the_interval_of_a_rise_is_agresti_and_mins() -> None:
    """32 pairs, of which 1 is right only before and 7 only after: half a pair is added to each cell."""
    before, after = np.arange(32) < 20, np.arange(32) < 20
    after[20:27], after[0] = True, False

    low, high = paired_interval(before, after, [str(row) for row in range(32)])

    better, worse, n = 7.5, 1.5, 34
    half_width = 1.959964 * math.sqrt(better + worse - (better - worse) ** 2 / n) / n
    assert (low, high) == pytest.approx(((better - worse) / n - half_width, (better - worse) / n + half_width))


def test_copies_do_not_make_the_interval_of_a_rise_narrower() -> None:
    before, after, groups = np.arange(20) < 12, np.arange(20) < 15, [str(row) for row in range(20)]

    once = paired_interval(before, after, groups)
    copied = paired_interval(np.tile(before, 9), np.tile(after, 9), groups * 9)

    assert copied == once


def test_a_fall_that_all_groups_share_may_still_be_off_by_what_has_not_shown_yet() -> None:
    """24 falls of 0.05, and half a pair of +- ln 2: mean 1.2 / 25, squares 24 x 0.002^2 + 0.048^2 + ln 2^2."""
    low, high = paired_loss_interval(np.full(24, 0.05), [str(row) for row in range(24)], math.log(2))

    half_width = 2.0687 * math.sqrt(25 / 24 * (24 * 0.002**2 + 0.048**2 + math.log(2) ** 2)) / 25
    assert (low, high) == pytest.approx((0.048 - half_width, 0.048 + half_width), abs=1e-4)
    assert low < 0 < high


def test_copies_of_samples_leave_the_interval_of_a_fall_as_it_is() -> None:
    falls = np.random.default_rng(0).normal(0.1, 0.3, 30)

    once = paired_loss_interval(falls, [str(row) for row in range(30)], math.log(3))

    assert paired_loss_interval(np.tile(falls, 5), [str(row) for row in range(30)] * 5, math.log(3)) == pytest.approx(
        once
    )


def test_many_samples_tell_a_fall_from_chance() -> None:
    falls = np.random.default_rng(0).normal(0.1, 0.3, 400)

    low, high = paired_loss_interval(falls, [str(row) for row in range(400)], math.log(3))

    assert (low, high) == pytest.approx((0.1 - 2 * 0.3 / 20, 0.1 + 2 * 0.3 / 20), abs=0.02)


def test_of_few_pictures_that_are_all_told_right_more_are_not_said_to_help() -> None:
    """Scores of 24 pictures rise a little with every picture; a loss that has not shown yet is larger than that."""
    curve = curve_of(*make_blobs(24, features=40, classes=2, distance=6.0))

    assert curve is not None
    assert curve.points[-1].accuracy == 1
    assert curve.log_loss.interval[0] < 0 < curve.log_loss.mean
    assert would_more_help(curve) == "unclear"
