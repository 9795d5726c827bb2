import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.cross_validation import cross_validate
from trainer.errors.splits import TooFewForFolds
from trainer.fitting import FitOptions, fit_head
from trainer.folds import FOLDS, draw_folds, fewest_groups, most_folds
from trainer.learning_curve import learning_curve
from trainer.recipe import HeadKind, plain_rows
from trainer.split import make_folds

LAYOUTS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), min_size=3, max_size=30)


def test_groups_are_counted_by_class_and_the_fewest_are_told() -> None:
    targets = np.array([0, 0, 0, 1, 1, 1])

    assert fewest_groups(targets, ["a", "b", "c", "d", "d", "e"]) == 2


def test_a_group_of_two_classes_counts_for_both() -> None:
    assert fewest_groups(np.array([0, 0, 1, 1]), ["a", "b", "b", "c"]) == 2


@settings(max_examples=300, deadline=None)
@given(LAYOUTS, st.integers(2, 6), st.integers(0, 50))
def test_whatever_a_fold_holds_out_every_class_is_left_to_learn_from(
    rows: list[tuple[int, int]], wanted: int, seed: int
) -> None:
    targets, groups = np.array([target for target, _ in rows]), [f"g{group}" for _, group in rows]

    folds = most_folds(targets, groups, wanted, (seed, seed + 1))

    assert folds <= wanted
    for of_seed in (seed, seed + 1) if folds >= 2 else ():
        fold_of = make_folds(targets, groups, folds, of_seed)
        assert set(fold_of.tolist()) == set(range(folds))
        assert all(set(targets[fold_of != fold]) == set(targets) for fold in range(folds))


def test_groups_of_one_class_each_allow_as_many_folds_as_the_smallest_class_has() -> None:
    assert most_folds(np.array([0, 0, 0, 1, 1, 1]), list("abcdef"), 5, (0,)) == 3
    assert most_folds(np.array([0, 0, 0, 1]), list("abcd"), 5, (0,)) == 1


def tangled() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Two classes of two groups each, one of them shared: of two folds one takes a whole class, with the seed 0."""
    targets = np.array([1, 0, 1, 0, 1, 0])
    features = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    return features, targets, ["g1", "g2", "g1", "g2", "g0", "g0"]


@pytest.mark.parametrize("kind", ["probe", "prototype", "mlp", "sgd"])
def test_every_head_does_without_folds_that_would_lack_a_class(kind: HeadKind) -> None:
    features, targets, groups = tangled()
    fold_of = make_folds(targets, groups, fewest_groups(targets, groups), 0)
    assert any(len(set(targets[fold_of != fold])) == 1 for fold in (0, 1)), "else this tests nothing"

    fit = fit_head(kind, plain_rows(features), targets, groups, FitOptions(2, 0, 1))

    assert fit.folds == 0
    assert "no folds can be made" in fit.note
    assert np.isfinite(fit.probabilities(features)).all()


def test_what_needs_folds_is_left_out_or_refused_where_they_would_lack_a_class() -> None:
    features, targets, groups = tangled()

    assert learning_curve(features, targets, groups, class_count=2, l2=1.0, seed=0, threads=1) is None
    with pytest.raises(TooFewForFolds, match="2 groups, some shared with other labels"):
        cross_validate(features, targets, groups, ("ant", "bee"), folds=2, seeds=(0,), threads=1)


def test_heads_that_choose_on_equal_rows_choose_by_the_same_folds() -> None:
    """Recipes are compared picture by picture; folds of their own would compare the folds instead."""
    targets, groups = np.repeat([0, 1], 10), [str(row) for row in range(20)]

    one, other = (draw_folds(targets, groups, FOLDS, 3, is_known=False) for _ in range(2))

    assert one.of_rows is not None and other.of_rows is not None
    assert one.count == FOLDS and not one.note("the strength", used=0.1)
    assert one.of_rows.tolist() == other.of_rows.tolist()
    assert one.of_rows.tolist() == make_folds(targets, groups, FOLDS, 3).tolist()


def test_what_is_known_needs_no_folds_and_nothing_is_said_of_them() -> None:
    drawn = draw_folds(np.array([0, 1]), ["a", "b"], FOLDS, 0, is_known=True)

    assert drawn.of_rows is None and drawn.count == 0
    assert not drawn.note("the strength", used=0.1)


def test_a_note_names_what_could_not_be_chosen_and_what_was_taken() -> None:
    none = draw_folds(np.array([0, 0, 1]), ["a", "b", "c"], FOLDS, 0, is_known=False)
    fewer = draw_folds(np.array([0, 0, 0, 1, 1, 1]), list("abcdef"), FOLDS, 0, is_known=False)

    assert none.count == 0 and "so the number of epochs could not be chosen" in none.note(
        "the number of epochs", used=20
    )
    assert "20 was used" in none.note("the number of epochs", used=20)
    assert fewer.count == 3 and fewer.note("the strength", used=0.1).startswith("3 folds instead of 5")
