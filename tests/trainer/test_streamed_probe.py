"""Against the fit in memory, on rows that both can take."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.trainer.blobs import make_blobs
from trainer import rows_on_disk, streamed_regression
from trainer.folds import draw_folds
from trainer.head import HeadFit
from trainer.learned_rows import learned_rows
from trainer.linear_probe import fit_linear_probe
from trainer.live_metrics import HeadStep
from trainer.metrics import accuracy, softmax
from trainer.rows_on_disk import RowFile, RowsOnDisk
from trainer.softmax_regression import SoftmaxRegression
from trainer.standardise import shrunk_standardisation
from trainer.streamed_probe import fit_streamed_probe
from trainer.streamed_regression import StreamedRegression, streamed_standardisation
from trainer.sweep import fit_folds

CLASSES = 4


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many of them, and a sample that is not all rows."""
    monkeypatch.setattr(rows_on_disk, "_BLOCK_BYTES", 37 * 20 * 4)
    monkeypatch.setattr(streamed_regression, "_SAMPLED", 100)


@dataclass(frozen=True)
class Data:
    features: NDArray[np.float32]
    targets: NDArray[np.int64]
    groups: list[str]
    rows: RowsOnDisk

    def streamed(self, **options: Any) -> HeadFit:
        known = {"class_count": CLASSES, "seed": 0, "threads": 1} | options
        return fit_streamed_probe(self.rows, self.targets, self.groups, **known)

    def in_memory(self, **options: Any) -> HeadFit:
        known = {"class_count": CLASSES, "seed": 0, "threads": 1} | options
        return fit_linear_probe(self.features, self.targets, self.groups, **known)


def make(folder: Path, n: int) -> Data:
    features, targets, groups = make_blobs(n, features=20, classes=CLASSES, distance=0.6)
    file = RowFile(folder, *features.shape)
    file.write(np.arange(n), features)
    return Data(features, targets, groups, file.rows())


def on_disk(folder: Path, data: Data, features: NDArray[np.float32]) -> Data:
    """The same pictures with other features."""
    file = RowFile(folder, *features.shape)
    file.write(np.arange(len(features)), features)
    return replace(data, features=features, rows=file.rows())


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return make(tmp_path, 600)


def test_features_are_standardised_as_in_memory(data: Data) -> None:
    for ours, theirs in zip(streamed_standardisation(data.rows), shrunk_standardisation(data.features), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6)


def test_large_means_cost_no_digits(data: Data, tmp_path: Path) -> None:
    far = on_disk(tmp_path, data, data.features + 3000)

    assert streamed_standardisation(far.rows)[1] == pytest.approx(shrunk_standardisation(far.features)[1], rel=1e-4)
    ours, theirs = far.streamed(l2=0.01).head, far.in_memory(l2=0.01).head
    assert ours.logits(far.features) == pytest.approx(theirs.logits(far.features), abs=1e-2)


def test_objective_and_gradient_are_those_of_the_fit_in_memory(data: Data) -> None:
    mean, scale = shrunk_standardisation(data.features)
    members = (np.arange(600)[:, None] % 3 != np.arange(3)).astype(np.float32)
    std = np.random.default_rng(0).uniform(0.5, 2, (3, 20)).astype(np.float32)
    parameters = torch.randn(3, CLASSES, 21, generator=torch.Generator().manual_seed(0))
    in_memory = SoftmaxRegression(
        torch.from_numpy((data.features - mean) / scale),
        torch.from_numpy(data.targets),
        torch.from_numpy(members),
        torch.from_numpy(std),
        class_count=CLASSES,
    )
    streamed = StreamedRegression(
        data.rows, data.targets, members, mean=mean, scale=scale, std=std, class_count=CLASSES
    )
    for problem in (in_memory, streamed):
        problem.set_strength(0.1)

    for ours, theirs in zip(streamed.evaluate(parameters), in_memory.evaluate(parameters), strict=True):
        assert ours.numpy() == pytest.approx(theirs.numpy(), rel=1e-4, abs=1e-5)
    assert streamed.losses.numpy() == pytest.approx(in_memory.losses.numpy(), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("balance", [False, True])
def test_one_strength_has_the_same_optimum(data: Data, *, balance: bool) -> None:
    streamed = data.streamed(l2=0.01, balance=balance).head
    in_memory = data.in_memory(l2=0.01, balance=balance).head

    assert streamed.weight == pytest.approx(in_memory.weight, abs=2e-3)
    assert streamed.logits(data.features) == pytest.approx(in_memory.logits(data.features), abs=1e-2)


def test_a_head_that_was_fitted_on_much_the_same_rows_is_started_from(data: Data) -> None:
    most = replace(data, features=data.features[:550], targets=data.targets[:550], groups=data.groups[:550])
    near = most.in_memory(l2=0.01).head

    from_near, from_far = data.streamed(l2=0.01, near=near).head, data.streamed(l2=0.01).head

    assert from_near.weight == pytest.approx(from_far.weight, abs=2e-3)


def test_what_is_held_out_is_told_by_the_fold_that_did_not_see_it(data: Data) -> None:
    fit = data.streamed(seed=3)
    rows = learned_rows(data.features, data.targets, class_count=CLASSES)
    fold_of = draw_folds(data.targets, data.groups, 5, 3, is_known=False).of_rows
    assert fold_of is not None

    of_memory = fit_folds(
        rows.features,
        rows.targets,
        fold_of,
        l2=fit.l2,
        scale=rows.std,
        class_count=CLASSES,
        start=np.zeros((CLASSES, 21), np.float32),
    )

    difference = np.abs(softmax(fit.out_of_fold_logits) - softmax(of_memory))
    assert difference.max() < 0.02
    assert fit.folds == 5


def test_where_there_are_many_rows_the_choice_is_as_good_as_that_of_all_folds(tmp_path: Path) -> None:
    data = make(tmp_path, 6000)

    streamed, in_memory = data.streamed(), data.in_memory()

    ours, theirs = (accuracy(fit.out_of_fold_probabilities, data.targets) for fit in (streamed, in_memory))
    assert ours == pytest.approx(theirs, abs=0.003)
    assert "one fold of 5" in streamed.note


def test_each_strength_is_told_with_what_the_held_out_fold_says(data: Data) -> None:
    steps: list[HeadStep] = []

    fit = data.streamed(on_step=steps.append)

    assert [(step.strength, step.cross_entropy) for step in steps] == list(fit.swept)
    assert 0.25 < steps[-1].accuracy < 1
    assert {round(step.accuracy * 120, 6) % 1 for step in steps} == {0.0}


def test_too_few_groups_are_told(data: Data) -> None:
    fit = replace(data, groups=["one"] * 600).streamed()

    assert (fit.folds, fit.l2, fit.swept) == (0, 0.1, ())
    assert "could not be chosen" in fit.note


@pytest.mark.parametrize(
    ("targets", "l2", "said"),
    [
        (np.zeros(600, np.int64), None, "classes"),
        (np.arange(5), None, "5 targets"),
        (np.arange(600) % CLASSES, 0.0, "l2"),
    ],
)
def test_what_cannot_be_fitted_is_refused(data: Data, targets: NDArray[np.int64], l2: float | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(data, targets=targets).streamed(l2=l2)


@pytest.mark.parametrize("strange", [np.nan, np.inf])
@pytest.mark.parametrize("l2", [None, 0.1])
def test_a_feature_that_is_no_number_is_refused(data: Data, tmp_path: Path, l2: float | None, strange: float) -> None:
    features = data.features.copy()
    features[500, 3] = strange

    with pytest.raises(ValueError, match="not a finite number"):
        on_disk(tmp_path, data, features).streamed(l2=l2)


def test_one_class_is_refused(data: Data) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        replace(data, targets=np.zeros(600, np.int64)).streamed(class_count=1)


def test_many_classes_have_a_smaller_sample(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_regression, "_SAMPLED_LOGITS", 60 * CLASSES)
    members, ones = np.ones((600, 1), np.float32), np.ones(20, np.float32)

    problem = StreamedRegression(
        data.rows, data.targets, members, mean=ones, scale=ones, std=ones[None], class_count=CLASSES
    )

    assert len(problem.sampled) == 60
