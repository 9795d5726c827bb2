import numpy as np
import pytest

from tests.trainer.blobs import make_blobs
from trainer.head import HeadFit
from trainer.linear_probe import fit_linear_probe
from trainer.metrics import log_loss, softmax
from trainer.mlp import FIXED_EPOCHS, fit_mlp
from trainer.recipe import FeatureRows, plain_rows


def fit(rows: FeatureRows, targets: np.ndarray, groups: list[str], *, epochs: int | None = None) -> HeadFit:
    classes = int(targets.max()) + 1
    return fit_mlp(rows, targets, groups, class_count=classes, seed=0, threads=1, epochs=epochs)


def test_what_no_line_separates_is_learned() -> None:
    """Opposite quarters of the plane: a linear head can only guess."""
    corners = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    targets = (corners[:, 0] * corners[:, 1] > 0).astype(np.int64)
    groups = [str(row) for row in range(400)]

    found = fit(plain_rows(corners), targets, groups)
    linear = fit_linear_probe(corners, targets, groups, class_count=2, seed=0, threads=1)

    assert log_loss(softmax(found.out_of_fold_logits), targets) < 0.45
    assert log_loss(softmax(linear.out_of_fold_logits), targets) > 0.65


def test_the_same_rows_give_the_same_bits() -> None:
    features, targets, groups = make_blobs(60, features=12, classes=3)

    first, second = (fit(plain_rows(features), targets, groups) for _ in range(2))

    assert first.head.logits(features).tobytes() == second.head.logits(features).tobytes()
    assert first.out_of_fold_logits.tobytes() == second.out_of_fold_logits.tobytes()


def test_the_epoch_with_the_lowest_loss_counts() -> None:
    features, targets, groups = make_blobs(90, features=12, classes=3, distance=0.3)

    found = fit(plain_rows(features), targets, groups)

    losses = [step.cross_entropy for step in found.history]
    assert found.epochs == losses.index(min(losses)) + 1 < len(losses)
    assert log_loss(softmax(found.out_of_fold_logits), targets) == pytest.approx(min(losses))


def test_known_epochs_leave_nothing_to_choose() -> None:
    features, targets, groups = make_blobs(30, features=5, classes=2)

    found = fit(plain_rows(features), targets, groups, epochs=3)

    assert (found.epochs, found.folds, found.history, len(found.out_of_fold_logits)) == (3, 0, (), 0)


def test_a_class_with_one_group_gets_fixed_epochs_and_the_note_says_so() -> None:
    features, targets, _ = make_blobs(9, features=5, classes=3)

    found = fit(plain_rows(features), targets, [str(target) for target in targets])

    assert found.epochs == FIXED_EPOCHS
    assert f"{FIXED_EPOCHS} was used" in found.note
