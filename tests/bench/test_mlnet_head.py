"""The head that ours are compared with does what ML.NET's source says."""

import numpy as np
import pytest
import torch

from bench.mlnet_head import MlnetHeads, Rule, measure_mlnet
from tests.trainer.blobs import make_blobs


def test_it_takes_plain_steps_in_an_order_that_never_changes() -> None:
    """Against torch's own SGD without momentum: 25 rows are batches of 10, 10 and 5, the same in both epochs."""
    scores, targets, _ = make_blobs(25, features=6, classes=3)
    order = np.random.default_rng(1).permutation(25)
    heads = MlnetHeads(scores, targets, [order], np.random.default_rng(0))
    layer = torch.nn.Linear(6, 3)
    with torch.no_grad():
        layer.weight.copy_(heads._weight[0].T)
        layer.bias.zero_()

    for epoch in (0, 2):
        heads.run_epoch(epoch, np.ones(1, np.bool_))
        for start in (0, 10, 20):
            rows = torch.tensor(order[start : start + 10])
            loss = torch.nn.functional.cross_entropy(layer(torch.tensor(scores)[rows]), torch.tensor(targets)[rows])
            layer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                for part in layer.parameters():
                    part.sub_(part.grad, alpha=0.01 * 0.94 ** (epoch // 2))

    expected = torch.softmax(layer(torch.tensor(scores)), -1).detach().numpy()
    assert heads.probabilities(0, np.arange(25)) == pytest.approx(expected, abs=1e-5)


def test_heads_side_by_side_do_not_touch_each_other_and_a_stopped_one_stays() -> None:
    scores, targets, _ = make_blobs(40, features=6, classes=2)
    everyone, first = np.arange(40), np.arange(13)
    together = MlnetHeads(scores, targets, [everyone, first], np.random.default_rng(0))
    start = together._weight[1].clone()

    together.run_epoch(0, np.array([True, False]))

    assert torch.equal(together._weight[1], start) and not torch.equal(together._weight[0], start)


def test_it_stops_twenty_epochs_after_the_last_gain_of_a_point() -> None:
    rule = Rule()
    for accuracy in (0.5, 0.505, 0.51, *[0.519] * 19):
        rule.see(accuracy)
        assert not rule.over
    rule.see(0.519)

    assert rule.over


def test_it_is_measured_on_every_fold_of_every_seed() -> None:
    scores, targets, groups = make_blobs(60, features=6, classes=2, distance=3.0)

    found = measure_mlnet(scores, targets, groups, ["a", "b"], seeds=range(2), early_stopping=True)

    assert (found.folds, len(found.accuracies), len(found.log_losses)) == (5, 10, 10)
    assert found.accuracy > 0.8
