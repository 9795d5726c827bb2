"""The SGD head: what it fits, what decides on the epochs, and what ML.NET's does otherwise."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.trainer.blobs import make_blobs
from trainer.early_stopping import EarlyStopping
from trainer.errors.training import SgdDiverged
from trainer.head import HeadFit
from trainer.live_metrics import HeadStep
from trainer.metrics import accuracy, log_loss, softmax
from trainer.recipe import FeatureRows, plain_rows
from trainer.schedules import Constant, ExponentialDecay
from trainer.sgd import FIXED_EPOCHS, fit_sgd
from trainer.sgd_epochs import deal
from trainer.sgd_options import SgdOptions
from trainer.split import make_folds
from trainer.standardise import PRIOR_ROWS, shrunk_standardisation, standardisation

Rows = tuple[NDArray[np.float32], NDArray[np.int64], Sequence[str]]

QUICK = SgdOptions(epochs=12, batch_size=16, schedule=Constant(0.003), early_stopping=EarlyStopping(patience=4))


def fit(
    rows: Rows,
    options: SgdOptions = QUICK,
    *,
    views: NDArray[np.float32] | None = None,
    validation: NDArray[np.int64] | None = None,
    epochs: int | None = None,
    balance: bool = False,
    steps: list[HeadStep] | None = None,
) -> HeadFit:
    features, targets, groups = rows
    return fit_sgd(
        plain_rows(features) if views is None else FeatureRows(features, views),
        targets,
        groups,
        class_count=int(targets.max()) + 1,
        seed=0,
        threads=1,
        options=options,
        validation=validation,
        epochs=epochs,
        balance=balance,
        on_step=None if steps is None else steps.append,
    )


def of(history: Sequence[HeadStep], dataset: str) -> list[HeadStep]:
    return [step for step in history if step.dataset == dataset]


# --- the descent itself ---


@pytest.mark.parametrize(("momentum", "weight_decay"), [(0.0, 0.0), (0.9, 0.0), (0.9, 0.3)])
def test_it_takes_the_steps_that_torchs_sgd_takes(momentum: float, weight_decay: float) -> None:
    """The gradients are written by hand; torch's own, batch by batch, must lead to the same head."""
    features, targets, groups = make_blobs(50, features=12, classes=3)
    options = SgdOptions(
        batch_size=8, schedule=ExponentialDecay(0.05, 1.0, 0.5), momentum=momentum, weight_decay=weight_decay
    )

    found = fit((features, targets, groups), options, epochs=3).head

    mean, std = shrunk_standardisation(features)
    x, y, layer = torch.tensor((features - mean) / std), torch.tensor(targets), torch.nn.Linear(12, 3)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    groups_of = [{"params": [layer.weight], "weight_decay": weight_decay}, {"params": [layer.bias], "weight_decay": 0}]
    optimiser = torch.optim.SGD(groups_of, lr=1.0, momentum=momentum)
    for epoch in range(3):
        for batch in deal([np.arange(50)], 7, seed=0, epoch=epoch):
            rows = torch.tensor(batch.rows[0][batch.shares[0] > 0])
            for group in optimiser.param_groups:
                group["lr"] = 0.05 * 0.5**epoch
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(layer(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    assert found.weight == pytest.approx(layer.weight.detach().numpy().T, abs=2e-5)
    assert found.bias == pytest.approx(layer.bias.detach().numpy(), abs=2e-5)


def test_given_time_it_comes_to_the_probes_optimum() -> None:
    """Same objective, another solver: with small steps and no early stop the gradient of the penalised loss is 0."""
    features, targets, groups = make_blobs(120, features=10, classes=3)
    slow = SgdOptions(schedule=ExponentialDecay(0.02, 10, 0.8), weight_decay=0.3, early_stopping=None, batch_size=40)

    head = fit((features, targets, groups), slow, epochs=200).head

    x = (features - head.mean) / head.std
    residuals = softmax(head.logits(features)) - np.eye(3)[targets]
    assert x.T @ residuals / 120 + 0.3 * head.weight == pytest.approx(0, abs=2e-3)


def test_the_same_rows_and_seed_give_the_same_bits() -> None:
    rows = make_blobs(90, features=20, classes=3)

    first, second = fit(rows), fit(rows)

    assert first.head.weight.tobytes() == second.head.weight.tobytes()
    assert first.out_of_fold_logits.tobytes() == second.out_of_fold_logits.tobytes()
    assert first.history == second.history


def test_steps_that_are_too_large_are_an_error_that_says_so() -> None:
    with pytest.raises(SgdDiverged, match="--learning-rate"):
        fit(make_blobs(60, features=10, classes=2), replace(QUICK, schedule=Constant(1e38)))


def test_balance_lifts_the_small_class() -> None:
    features, targets, groups = make_blobs(200, features=8, classes=2, distance=0.3)
    rows = np.flatnonzero((targets == 0) | (np.arange(200) < 40))
    small = (features[rows], targets[rows], [groups[row] for row in rows])

    plain, balanced = fit(small, epochs=10), fit(small, epochs=10, balance=True)

    assert balanced.probabilities(small[0])[:, 1].mean() > 1.3 * plain.probabilities(small[0])[:, 1].mean()


# --- the order of rows ---


def test_every_row_is_learned_from_once_an_epoch_and_in_a_new_order_each_time() -> None:
    """ML.NET shuffles once, when it caches, and then learns from the same batches in the same order every epoch."""
    members = [np.arange(3, 40), np.arange(36)]

    def orders(seed: int, epoch: int) -> list[list[int]]:
        dealt = list(deal(members, 4, seed=seed, epoch=epoch))
        return [[int(row) for batch in dealt for row in batch.rows[fit][batch.shares[fit] > 0]] for fit in range(2)]

    first, second = orders(seed=1, epoch=0), orders(seed=1, epoch=1)
    assert [sorted(order) for order in first] == [list(range(3, 40)), list(range(36))]
    assert [sorted(order) for order in second] == [list(range(3, 40)), list(range(36))]
    assert first[0] != second[0] and first[1] != second[1]
    assert orders(seed=1, epoch=0) == first != orders(seed=2, epoch=0)


def test_batches_are_equally_large_and_each_is_a_mean() -> None:
    """41 rows in batches of at most 10 are 9, 8, 8, 8, 8: no last batch of one row that weighs as much as ten."""
    batches = list(deal([np.arange(41), np.arange(40)], 5, seed=0, epoch=0))

    assert [int((batch.shares[0] > 0).sum()) for batch in batches] == [9, 8, 8, 8, 8]
    assert np.concatenate([batch.shares.sum(axis=1) for batch in batches]) == pytest.approx(1)
    assert of(fit(make_blobs(100, features=5, classes=2)).history, "validation")[0].batches == 5


# --- how many epochs ---


def test_the_best_epoch_is_restored() -> None:
    """ML.NET keeps the last one, which is `patience` epochs past it."""
    rows = make_blobs(80, features=40, classes=4, distance=0.7)
    eager = SgdOptions(epochs=60, schedule=Constant(0.01), weight_decay=0.0, early_stopping=EarlyStopping(patience=6))

    found = fit(rows, eager)

    losses = [step.cross_entropy for step in of(found.history, "validation")]
    assert found.epochs == int(np.argmin(losses)) + 1 == len(losses) - 6 < 54
    assert log_loss(softmax(found.out_of_fold_logits), rows[1]) == pytest.approx(min(losses), rel=1e-5)
    assert found.head.weight.tobytes() == fit(rows, eager, epochs=found.epochs).head.weight.tobytes()
    assert found.head.weight.tobytes() != fit(rows, eager, epochs=len(losses)).head.weight.tobytes()


def test_without_early_stopping_all_epochs_are_run_and_the_last_is_kept() -> None:
    rows = make_blobs(80, features=40, classes=4, distance=0.7)

    found = fit(rows, replace(QUICK, schedule=Constant(0.05), early_stopping=None))

    losses = [step.cross_entropy for step in of(found.history, "validation")]
    assert found.epochs == len(losses) == 12 and min(losses) < losses[-1]
    assert log_loss(softmax(found.out_of_fold_logits), rows[1]) == pytest.approx(losses[-1], rel=1e-5)


def test_epochs_that_are_known_are_run_and_nothing_is_chosen() -> None:
    found = fit(make_blobs(60, features=10, classes=2), epochs=7)

    assert (found.epochs, found.folds, found.history, found.note) == (7, 0, (), "")
    assert found.out_of_fold_logits.shape == (0, 2)


def test_folds_are_those_of_the_probe() -> None:
    """So that recipes can be compared picture by picture: a fit on the other folds alone gives the same logits."""
    features, targets, groups = make_blobs(60, features=10, classes=2)

    found = fit((features, targets, groups), replace(QUICK, early_stopping=None, batch_size=48))

    learned = make_folds(targets, groups, 5, seed=0) != 3
    alone = fit((features[learned], targets[learned], [groups[row] for row in np.flatnonzero(learned)]), epochs=1)
    again = fit(
        (features[learned], targets[learned], [groups[row] for row in np.flatnonzero(learned)]),
        replace(QUICK, batch_size=48),
        epochs=12,
    )
    assert found.folds == 5
    assert again.head.logits(features[~learned]) == pytest.approx(found.out_of_fold_logits[~learned], abs=1e-4)
    assert alone.head.logits(features[~learned]) != pytest.approx(found.out_of_fold_logits[~learned], abs=1e-2)


def test_validation_rows_alone_may_decide_as_in_ml_net() -> None:
    """They are watched without being learned from; out-of-fold logits are still had for every row."""
    features, targets, groups = make_blobs(100, features=30, classes=2, distance=0.5)
    validation = np.arange(70, 100)
    turned = targets.copy()
    turned[validation] = 1 - turned[validation]

    usual, contrary = (
        fit((features, one, groups), replace(QUICK, epochs_by="validation"), validation=validation)
        for one in (targets, turned)
    )

    assert of(usual.history, "train")[:1] == of(contrary.history, "train")[:1]
    first = of(usual.history, "validation")[0], of(contrary.history, "validation")[0]
    assert first[0].accuracy == pytest.approx(1 - first[1].accuracy)
    assert contrary.epochs == 1, "what is learned only makes turned labels worse"
    assert usual.epochs == int(np.argmin([s.cross_entropy for s in of(usual.history, "validation")])) + 1
    assert usual.out_of_fold_logits.shape == (100, 2) and usual.folds == 5


def test_a_class_of_one_group_has_no_folds_and_gets_a_fixed_number_of_epochs() -> None:
    features, targets, _ = make_blobs(40, features=10, classes=2)
    groups = ["same" if target else f"group {row}" for row, target in enumerate(targets)]

    found = fit((features, targets, groups))

    assert (found.epochs, found.folds, found.history) == (12, 0, ())
    assert "only one group" in found.note and "12 were run" in found.note
    many = replace(QUICK, epochs=100)
    assert fit((features, targets, groups), many).epochs == FIXED_EPOCHS
    assert fit((features, targets, groups), replace(many, early_stopping=None)).epochs == 100


def test_it_is_said_when_the_last_epoch_was_the_best() -> None:
    rows = make_blobs(80, features=10, classes=2)

    assert "--epochs" in fit(rows, replace(QUICK, epochs=2)).note
    assert fit(rows, replace(QUICK, epochs=2, early_stopping=None)).note == ""


# --- what is told ---


def test_each_epoch_is_told_on_what_is_learned_and_on_what_is_held_out() -> None:
    steps: list[HeadStep] = []

    found = fit(
        make_blobs(60, features=10, classes=2),
        replace(QUICK, epochs=3, schedule=ExponentialDecay(1e-3, 1.0, 0.5)),
        steps=steps,
    )

    assert tuple(steps) == found.history
    assert [(step.dataset, step.epoch) for step in steps] == [
        (dataset, epoch) for epoch in range(3) for dataset in ("train", "validation")
    ]
    assert [step.learning_rate for step in steps[::2]] == pytest.approx([1e-3, 5e-4, 2.5e-4])
    assert {step.strength for step in steps} == {None}


def test_numbers_are_means_over_rows() -> None:
    """ML.NET averages over batches, where a last batch of one picture counts as much as one of ten."""
    features, targets, groups = make_blobs(61, features=10, classes=2)
    options = replace(QUICK, epochs=1, batch_size=25, early_stopping=None, epochs_by="validation")
    validation = np.arange(40, 61)

    found = fit((features, targets, groups), options, validation=validation)

    rest = fit((features[:40], targets[:40], groups[:40]), options, epochs=1)
    told = {step.dataset: step for step in found.history}
    for dataset, rows in (("train", slice(0, 40)), ("validation", slice(40, 61))):
        probabilities = softmax(rest.head.logits(features[rows]))
        assert told[dataset].accuracy == accuracy(probabilities, targets[rows])
        assert told[dataset].cross_entropy == pytest.approx(log_loss(probabilities, targets[rows]), rel=1e-4)


def test_test_on_train_can_be_left_out_and_changes_nothing_else() -> None:
    rows = make_blobs(60, features=10, classes=2)

    without = fit(rows, replace(QUICK, test_on_train=False))

    assert of(without.history, "train") == []
    assert without.history == tuple(of(fit(rows).history, "validation"))


# --- views ---


def test_views_are_learned_from_but_not_those_of_held_out_pictures() -> None:
    features, targets, groups = make_blobs(60, features=10, classes=2)
    held = make_folds(targets, groups, 5, seed=0) == 0
    views = np.stack([features * 1.1, features + 0.1]).astype(np.float32)
    poisoned = views.copy()
    poisoned[:, held] = 1e4
    options = replace(QUICK, epochs=4, early_stopping=None)

    plain, seen, bad = (fit((features, targets, groups), options, views=one) for one in (None, views, poisoned))

    assert not np.array_equal(plain.out_of_fold_logits, seen.out_of_fold_logits)
    assert bad.out_of_fold_logits[held].tobytes() == seen.out_of_fold_logits[held].tobytes()
    assert not np.array_equal(bad.out_of_fold_logits[~held], seen.out_of_fold_logits[~held])


def test_without_a_validation_split_the_folds_decide_and_that_is_said() -> None:
    rows = make_blobs(60, features=10, classes=2)
    alone = replace(QUICK, epochs_by="validation")

    found, by_folds = fit(rows, alone, validation=np.zeros(0, np.int64)), fit(rows)

    assert "no validation split" in found.note
    assert (found.epochs, found.history) == (by_folds.epochs, by_folds.history)
    assert fit(rows, QUICK, validation=np.arange(20)).history == by_folds.history, "not asked for"


def test_each_epoch_shows_pictures_in_their_views_too() -> None:
    """Views of other labels confuse the head as much as their number says; copies of the pictures change nothing."""
    features, targets, groups = make_blobs(80, features=10, classes=2, distance=2.0)
    by_label = np.argsort(targets, kind="stable")
    wrong = np.empty_like(features)
    wrong[by_label] = features[by_label[::-1]]

    def loss(view: NDArray[np.float32]) -> float:
        found = fit((features, targets, groups), views=np.stack([view] * 4), epochs=20)
        return log_loss(found.probabilities(features), targets)

    assert loss(wrong) > 2 * loss(features)


def test_views_that_are_copies_do_not_change_the_standardisation() -> None:
    """A picture with its views is one picture: six with four views each are not thirty that vary less than others."""
    features, targets, groups = make_blobs(6, features=5, classes=2)
    features[:, 0] = 1 + np.arange(6) / 1000

    alone = fit((features, targets, groups), epochs=1).head
    with_copies = fit((features, targets, groups), views=np.stack([features] * 4), epochs=1).head

    assert with_copies.std == pytest.approx(alone.std)
    assert with_copies.mean == pytest.approx(alone.mean)


def test_deviations_of_few_rows_are_drawn_towards_the_typical_one() -> None:
    """Of four rows a feature may hardly differ by chance; of four hundred it does so for a reason."""
    few = np.array([[1, 0], [1, 2], [1.2, 4], [1, 6]], np.float32)
    many = np.tile(few, (100, 1))

    std, drawn = standardisation(few)[1], shrunk_standardisation(few)[1]
    typical = (np.square(std) / 2).sum()

    assert drawn == pytest.approx(np.sqrt((4 * np.square(std) + PRIOR_ROWS * typical) / (4 + PRIOR_ROWS)))
    assert drawn[0] > 10 * std[0]
    assert shrunk_standardisation(many)[1][1] == pytest.approx(standardisation(many)[1][1], rel=0.01)
