"""trainer/novelty.py, mahalanobis.py, novelty_nodes.py: how far a picture is from what is familiar."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.onnx_file import refuse_unsafe_model
from shared.session import open_session
from tests.trainer.blobs import make_blobs
from tests.trainer.test_served_graph import LABELS, head_for, pictures
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.mahalanobis import fit_mahalanobis, unit_rows
from trainer.novelty import Novelty, fit_novelty, fit_scale
from trainer.served_graph import attach_head


def familiar(
    n: int = 400, *, features: int = 40, classes: int = 3, directions: int = 3
) -> tuple[NDArray[np.float32], NDArray[np.int64], list[str]]:
    """Positive features with correlated noise around the class means, as a backbone's."""
    random = np.random.default_rng(0)
    means = random.uniform(0.5, 2, (classes, features))
    targets = np.arange(n) % classes
    mixing = random.normal(size=(directions, features))
    noise = random.normal(size=(n, directions)) @ mixing * 0.2 + random.normal(size=(n, features)) * 0.1
    return (means[targets] + noise).astype(np.float32), targets, [str(row) for row in range(n)]


def by_the_formula(features: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distances (N,) under the covariance whose directions after the sixteenth have their mean variance, in full."""
    rows = unit_rows(features).astype(np.float64)
    means = np.stack([rows[targets == k].mean(axis=0) for k in range(targets.max() + 1)])
    centred = rows - means[targets]
    variances, directions = np.linalg.eigh(centred.T @ centred / (len(rows) - len(means)))
    variances[:-16] = variances[:-16].mean() if len(variances) > 16 else variances[:-16]
    differences = (rows[:, None] - means) @ directions
    counts = np.bincount(targets)
    return np.asarray(np.sqrt(((differences**2 / variances).sum(axis=2) * counts / (counts + 1)).min(axis=1)))


@pytest.mark.parametrize("size", [12, 100])
def test_the_distance_is_the_one_of_the_formula(size: int) -> None:
    features, targets, _ = familiar(features=size, directions=16)

    found = fit_mahalanobis(unit_rows(features), targets).distances(features)

    assert found == pytest.approx(by_the_formula(features, targets), rel=0.02)


def test_a_picture_off_everything_the_training_pictures_vary_in_is_far() -> None:
    """The 160 pictures of a small training span a fraction of the features; what lies outside is what is unknown."""
    random = np.random.default_rng(0)
    alike = random.normal(size=(160, 10)) @ random.normal(size=(10, 600)) / np.sqrt(10)
    seen, unseen = 5 + alike + 0.1 * random.normal(size=(160, 600)), 5 + random.normal(size=(50, 600))
    targets = np.arange(160) % 2

    near = fit_mahalanobis(unit_rows(seen.astype(np.float32)), targets)

    assert near.distances(unseen.astype(np.float32)).min() > 2 * near.distances(seen.astype(np.float32)).max()


def test_brightness_alone_makes_nothing_unknown() -> None:
    features, targets, _ = familiar()
    near = fit_mahalanobis(unit_rows(features), targets)

    assert near.distances(features * 3) == pytest.approx(near.distances(features), rel=1e-3)


@pytest.mark.parametrize("classes", [2, 150])
def test_few_pictures_a_class_do_not_make_the_spread_look_small(classes: int) -> None:
    """A mean of two pictures lies between them; without allowing for it, every new picture would be far."""
    features, targets, _ = familiar(600, classes=classes)

    distances = fit_mahalanobis(unit_rows(features[:300]), targets[:300]).distances(features[300:])

    assert np.square(distances).mean() == pytest.approx(40, rel=0.2)


@pytest.mark.parametrize("few", [1, 2, 3])
def test_pictures_of_a_tiny_label_beside_large_ones_are_hardly_called_new_more_often(few: int) -> None:
    """Their mean is poor, so they are farther from it: as if it were not, 74, 54 and 18 % would be above 0.95."""
    features, targets, groups = familiar(3000)
    learned = np.flatnonzero(targets < 2)[:300].tolist() + np.flatnonzero(targets == 2)[:few].tolist()
    unseen = np.flatnonzero(targets == 2)[few:]

    novelty = fit_novelty(features[learned], targets[learned], [groups[row] for row in learned], seed=0).novelty

    assert novelty is not None
    assert np.mean(novelty.of(features[unseen]) > 0.95) < 0.1


def test_unseen_pictures_of_the_same_kind_are_spread_evenly() -> None:
    features, targets, groups = familiar(4000)
    fit = fit_novelty(features[:2000], targets[:2000], groups[:2000], seed=0)
    assert fit.novelty is not None

    unseen = fit.novelty.of(features[2000:])

    assert [np.mean(unseen <= level) for level in (0.25, 0.5, 0.75, 0.95)] == pytest.approx(
        [0.25, 0.5, 0.75, 0.95], abs=0.03
    )
    assert 0.001 < np.mean(unseen > 0.98) < 0.03


def test_unseen_pictures_are_spread_evenly_though_each_label_has_few() -> None:
    """Means of the four pictures that a fold leaves are poorer than those of five: uncorrected, 41 % exceed 0.5."""
    features, targets, groups = familiar(6000, classes=100)
    novelty = fit_novelty(features[:500], targets[:500], groups[:500], seed=0).novelty
    assert novelty is not None

    unseen = novelty.of(features[500:])

    assert np.mean(unseen > 0.95) == pytest.approx(0.05, abs=0.015)
    assert np.mean(unseen > 0.5) == pytest.approx(0.5, abs=0.05)


def test_a_label_in_one_group_does_not_make_everything_familiar() -> None:
    """Where its group is held out, its pictures are as far as those of any other kind."""
    features, targets, groups = familiar(4000, classes=5)
    known = np.flatnonzero(targets != 4)
    rows, unseen = known[:160], known[160:]

    fit = fit_novelty(
        features[rows], targets[rows], ["one" if targets[row] == 3 else groups[row] for row in rows.tolist()], seed=0
    )

    assert fit.novelty is not None
    assert len(fit.distances) == 120
    assert np.mean(fit.novelty.of(features[unseen]) > 0.95) == pytest.approx(0.05, abs=0.02)
    assert fit.novelty.of(features[targets == 4]).min() > 0.99


def test_pictures_of_tiny_labels_are_too_little_to_tell() -> None:
    features, targets, groups = familiar(202, classes=101)

    fit = fit_novelty(features, targets, groups, seed=0)

    assert fit.novelty is None
    assert fit.reason == (
        "0 training pictures of labels with at least 5 pictures in 2 groups; novelty needs 100 to tell what is familiar"
    )


def test_distances_of_a_row_are_those_without_its_group() -> None:
    """An outlier that had helped to set the measure would look familiar; so would its copies."""
    features, targets, groups = familiar(200)
    features[:10] = np.random.default_rng(3).uniform(0, 3, features.shape[1])

    alone = fit_novelty(features, targets, groups, seed=0)
    together = fit_novelty(features, targets, ["copies"] * 10 + groups[10:], seed=0)

    assert together.distances[:10].min() > 1.2 * alone.distances[:10].max()


@pytest.mark.parametrize(("n", "groups", "reason"), [(99, 99, "99 training pictures"), (120, 4, "4 groups")])
def test_too_little_to_tell_has_a_reason(n: int, groups: int, reason: str) -> None:
    features, targets, _ = familiar(n)

    fit = fit_novelty(features, targets, [str(row % groups) for row in range(n)], seed=0)

    assert fit.novelty is None
    assert reason in fit.reason
    assert len(fit.distances) == 0


def test_the_same_rows_give_the_same_novelty_to_the_bit() -> None:
    features, targets, groups = familiar()
    first, second = (fit_novelty(features, targets, groups, seed=0).novelty for _ in range(2))
    assert first is not None and second is not None

    assert np.array_equal(first.near.weight, second.near.weight)
    assert np.array_equal(first.scale.knots, second.scale.knots)


distances = st.lists(st.floats(0.5, 100, width=32), min_size=2, max_size=60)


@given(distances, st.lists(st.floats(0, 200, width=32), min_size=2, max_size=20))
def test_the_scale_rises_from_0_to_1_and_is_095_at_the_95th_percentile(known: list[float], asked: list[float]) -> None:
    scale = fit_scale(np.array(known, np.float32))

    found = scale.of(np.sort(np.array(asked, np.float32)))

    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert scale.of(scale.knots[-1:])[0] == pytest.approx(0.95)
    assert scale.of(np.zeros(1, np.float32))[0] == 0


def test_beyond_the_95th_percentile_the_scale_is_the_exponential() -> None:
    known = np.linspace(10, 20, 1001, dtype=np.float32)
    q95, q99 = 19.5, 19.9

    found = fit_scale(known).of(np.array([q95, q99, 21.0], np.float32))

    assert found == pytest.approx([0.95, 1 - 0.05 / np.e, 1 - 0.05 * np.exp(-1.5 / 0.4)], abs=1e-5)


def test_the_scale_rises_strictly_where_pictures_are() -> None:
    asked = np.linspace(0, 22, 500, dtype=np.float32)

    assert (np.diff(fit_scale(np.linspace(10, 20, 300, dtype=np.float32)).of(asked)) > 0).all()


def colours(n: int = 200) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Means of colours, as the tiny graph has them for features: greenish and bluish."""
    random = np.random.default_rng(0)
    means = np.array([[40.0, 200.0, 60.0], [50.0, 60.0, 210.0]])
    return (means[np.arange(n) % 2] + random.normal(size=(n, 3)) * 15).astype(np.float32), np.arange(n) % 2


def of_colours() -> Novelty:
    features, targets = colours()
    novelty = fit_novelty(features, targets, [str(row) for row in range(200)], seed=0).novelty
    assert novelty is not None
    return novelty


def test_the_graph_says_what_numpy_says() -> None:
    novelty, images = of_colours(), pictures(40)
    images[:20] = np.clip(colours(20)[0], 0, 255).astype(np.uint8)[:, None, None]
    images[20] = 0  # features of length 0

    model = attach_head(tiny_graph(), head_for(), labels=LABELS, spec=TINY_SPEC, novelty=novelty)
    refuse_unsafe_model(model)
    session = open_session(model)
    features, found = session.run(images, ["features", "novelty"])

    assert session.output_names == ("probabilities", "logits", "features", "novelty")
    assert session.shape_of("novelty") == (None,)
    assert found.shape == (40,)
    assert found == pytest.approx(novelty.of(features), abs=1e-4)
    assert found[:20].mean() < 0.7
    assert (found[21:] > 0.99).any()
    assert ((found >= 0) & (found <= 1)).all()


def test_one_picture_gets_the_answer_that_it_gets_among_others() -> None:
    session = open_session(attach_head(tiny_graph(), head_for(), labels=LABELS, spec=TINY_SPEC, novelty=of_colours()))
    images = pictures(5)

    (together,) = session.run(images, ["novelty"])

    assert [session.run(image[None], ["novelty"])[0][0] for image in images] == pytest.approx(
        together.tolist(), abs=1e-6
    )


def test_a_graph_without_novelty_has_no_such_output() -> None:
    assert (
        "novelty" not in open_session(attach_head(tiny_graph(), head_for(), labels=LABELS, spec=TINY_SPEC)).output_names
    )


def test_blobs_of_another_place_are_unfamiliar_and_new_ones_of_the_same_are_not() -> None:
    features, targets, groups = make_blobs(600, features=64, classes=3, distance=4)
    features = (features + 10).astype(np.float32)
    novelty = fit_novelty(features[:300], targets[:300], groups[:300], seed=0).novelty
    assert novelty is not None

    fresh, elsewhere = features[300:], features[300:, ::-1] * np.linspace(0.1, 3, 64, dtype=np.float32)

    assert np.mean(novelty.of(fresh) > 0.99) < 0.03
    assert novelty.of(elsewhere).min() > 0.99
    assert novelty.near.distances(elsewhere).min() > novelty.near.distances(fresh).max()
