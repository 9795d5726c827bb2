from pathlib import Path

import pytest
import torch
from torch import nn

from bench.batch_norms import are_folded, spread


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5)).eval()


def test_a_network_with_spread_norms_computes_what_it_did() -> None:
    folded, images = network(), torch.randn(6, 3, 12, 12)
    with torch.no_grad():
        before = folded(images)
        spread(folded, images)
        after = folded(images)

    assert after.numpy() == pytest.approx(before.numpy(), abs=1e-5)


def test_it_then_computes_the_same_in_train_mode_on_these_pictures_and_did_not_before() -> None:
    folded, images = network(), 3 * torch.randn(6, 3, 12, 12) + 1
    with torch.no_grad():
        expected = folded(images)
        assert (folded.train()(images) - expected).abs().max() > 0.1
        folded = network()
        spread(folded, images)
        found = folded.train()(images)

    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-4)


def test_folded_norms_are_known_by_their_statistics(tmp_path: Path) -> None:
    one = network()
    torch.save(one.state_dict(), tmp_path / "folded.pth")
    spread(one, torch.randn(6, 3, 12, 12))
    torch.save(one.state_dict(), tmp_path / "spread.pth")

    assert are_folded(tmp_path / "folded.pth")
    assert not are_folded(tmp_path / "spread.pth")
