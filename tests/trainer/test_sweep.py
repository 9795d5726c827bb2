import numpy as np
import pytest
import torch

from tests.trainer.blobs import make_blobs
from trainer.split import make_folds
from trainer.standardise import standardisation
from trainer.strength_path import STRENGTHS
from trainer.sweep import Swept, fit_one, sweep, torch_threads


def swept(n: int = 90, *, distance: float, classes: int = 3) -> Swept:
    features, targets, groups = make_blobs(n, features=20, classes=classes, distance=distance)
    mean, std = standardisation(features)
    folds = make_folds(targets, groups, 3, seed=0)
    return sweep((features - mean) / std, targets, folds, scale=std, class_count=classes)


def test_the_path_ends_early_where_weaker_strengths_only_get_worse() -> None:
    losses = [loss for _, loss in swept(distance=0.3).losses]

    assert 13 <= len(losses) < len(STRENGTHS)
    assert min(losses[-2:]) > 1.02 * min(losses)


def test_the_path_goes_to_its_end_where_weaker_strengths_get_better() -> None:
    found = swept(distance=5)

    assert [strength for strength, _ in found.losses] == list(STRENGTHS)


def test_the_warm_start_is_close_to_the_optimum_on_all_rows() -> None:
    features, targets, _ = make_blobs(90, features=20, classes=3, distance=1)
    mean, std = standardisation(features)
    found = swept(distance=1)

    optimum = fit_one((features - mean) / std, targets, l2=found.l2, class_count=3)

    agreement = np.corrcoef(found.parameters[:, :-1].ravel(), optimum[:, :-1].ravel())[0, 1]
    assert agreement > 0.95


def test_a_fit_does_not_depend_on_where_it_starts() -> None:
    features, targets, _ = make_blobs(60, features=8, classes=3)
    mean, std = standardisation(features)
    far = np.full((3, 9), 2.0, np.float32)
    far[1] = -2.0

    from_zero = fit_one((features - mean) / std, targets, l2=0.1, class_count=3)
    from_far = fit_one((features - mean) / std, targets, l2=0.1, class_count=3, start=far)

    assert from_far[:, :-1] == pytest.approx(from_zero[:, :-1], abs=2e-3)


def test_torch_gets_its_threads_back_even_after_an_error() -> None:
    before = torch.get_num_threads()

    with pytest.raises(RuntimeError, match="in between"), torch_threads(1):
        assert torch.get_num_threads() == 1
        raise RuntimeError("in between")

    assert torch.get_num_threads() == before
