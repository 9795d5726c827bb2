"""Fits in the space of their rows are the fits on all columns, for less work."""

import numpy as np
import pytest
import torch

import trainer.row_space_pays
import trainer.strength_path
from tests.trainer.blobs import make_blobs
from trainer.linear_probe import fit_linear_probe
from trainer.row_space import RowSpace
from trainer.row_space_pays import pays
from trainer.sweep import Swept, fit_folds, fit_one, sweep, torch_threads

WIDE = torch.from_numpy(np.random.default_rng(0).normal(size=(12, 40)).astype(np.float32))
OTHERS = torch.from_numpy(np.random.default_rng(1).normal(size=(5, 40)).astype(np.float32))
FEATURES, TARGETS, GROUPS = make_blobs(60, features=150, classes=4, distance=0.7)
FOLDS = np.arange(60) % 3


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer.row_space_pays, "_WORTH_IT", 1)


def test_rows_keep_their_lengths_and_angles() -> None:
    space = RowSpace(WIDE)

    assert space.rows.shape == (12, 12)
    assert (space.rows @ space.rows.T).numpy() == pytest.approx((WIDE @ WIDE.T).numpy(), abs=1e-3)
    assert (space.of_others(OTHERS) @ space.rows.T).numpy() == pytest.approx((OTHERS @ WIDE.T).numpy(), abs=1e-3)


def test_weights_say_the_same_of_all_rows_in_either_form_and_are_as_long() -> None:
    space = RowSpace(WIDE)
    of_rows = torch.from_numpy(np.random.default_rng(2).normal(size=(3, 12)).astype(np.float32))

    on_columns = space.on_columns(of_rows)

    assert (OTHERS @ on_columns.T).numpy() == pytest.approx((space.of_others(OTHERS) @ of_rows.T).numpy(), abs=1e-4)
    assert float(on_columns.norm()) == pytest.approx(float(of_rows.norm()), rel=1e-4)
    assert space.coordinates(on_columns).numpy() == pytest.approx(of_rows.numpy(), abs=1e-4)


def test_copies_of_a_row_do_no_harm() -> None:
    space = RowSpace(torch.cat([WIDE, WIDE, torch.zeros(1, 40)]))

    assert bool(torch.isfinite(space.on_columns(torch.ones(2, 25))).all())


def swept(*, weights: np.ndarray | None = None, plain: int | None = None) -> Swept:
    scale = np.ones(150, np.float32)
    with torch_threads(1):
        return sweep(FEATURES, TARGETS, FOLDS, scale=scale, class_count=4, weights=weights, plain=plain)


@pytest.mark.parametrize("plain", [None, 40])
def test_a_sweep_finds_there_what_it_finds_on_columns(plain: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearer to the optimum than a sweep goes, where what is left depends on the way."""
    monkeypatch.setattr(trainer.strength_path, "PATH_TOLERANCE", 1e-7)
    weights = np.linspace(0.5, 1.5, 60).astype(np.float32)
    on_columns = swept(weights=weights, plain=plain)

    monkeypatch.setattr(trainer.row_space_pays, "_WORTH_IT", 1)
    in_row_space = swept(weights=weights, plain=plain)

    assert in_row_space.l2 == on_columns.l2
    assert np.array(in_row_space.losses) == pytest.approx(np.array(on_columns.losses), rel=2e-3)
    assert in_row_space.logits == pytest.approx(on_columns.logits, abs=0.1)
    assert in_row_space.parameters == pytest.approx(on_columns.parameters, abs=5e-3)


def test_the_fit_on_all_rows_is_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    start = swept().parameters
    with torch_threads(1):
        on_columns = fit_one(FEATURES, TARGETS, l2=0.01, class_count=4, start=start)
        monkeypatch.setattr(trainer.row_space_pays, "_WORTH_IT", 1)
        in_row_space = fit_one(FEATURES, TARGETS, l2=0.01, class_count=4, start=start)

    assert in_row_space == pytest.approx(on_columns, abs=0.02)
    said, expected = FEATURES @ in_row_space[:, :-1].T, FEATURES @ on_columns[:, :-1].T
    assert said == pytest.approx(expected, abs=0.1)


@pytest.mark.usefixtures("always")
def test_a_probe_that_was_fitted_there_reads_columns() -> None:
    fit = fit_linear_probe(FEATURES, TARGETS, GROUPS, class_count=4, seed=0, threads=1)

    assert fit.head.weight.shape == (150, 4)
    assert (fit.head.logits(FEATURES).argmax(1) == TARGETS).mean() > 0.8
    of_folds = fit_folds(
        (FEATURES - fit.head.mean) / fit.head.std,
        TARGETS,
        FOLDS,
        l2=fit.l2,
        scale=fit.head.std,
        class_count=4,
        start=np.concatenate([fit.head.weight, fit.head.bias[None]]).T.copy(),
    )
    assert np.isfinite(of_folds).all()


def test_small_sets_are_fitted_on_columns_as_they_always_were() -> None:
    """518 pictures of ten labels with all that is read of them; a hundred labels are another matter."""
    assert not pays((518, 4736), 10) and not pays((2 * 518, 4736), 10)
    assert pays((1212, 4736), 101) and not pays((4800, 4736), 101)
