"""The parity gate closes when the two do not agree."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from shared.preprocess import PreprocessSpec
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.errors.features import ParityFailed
from trainer.head import Head
from trainer.parity import check_parity, probe_images, prove_parity, relative_differences


class MeanColour(nn.Module):
    """What `tiny_graph` computes, as torch sees it: from normalised pictures."""

    def __init__(self, spec: PreprocessSpec, *, factor: float = 1.0) -> None:
        super().__init__()
        self.mean, self.std = (torch.tensor(values).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
        self.factor = factor

    def forward(self, images: Tensor) -> Tensor:
        pixels = (images * self.std + self.mean) * 255
        return pixels.mean((2, 3)) * self.factor


def test_the_same_computation_passes() -> None:
    assert prove_parity(MeanColour(TINY_SPEC), tiny_graph(), TINY_SPEC) < 1e-6


def test_a_graph_that_is_a_thousandth_off_does_not_pass() -> None:
    with pytest.raises(ParityFailed, match=r"differ by 0\.001"):
        prove_parity(MeanColour(TINY_SPEC, factor=1.001), tiny_graph(), TINY_SPEC)


def test_a_graph_with_another_normalisation_does_not_pass() -> None:
    other = TINY_SPEC.model_copy(update={"mean": (0.5, 0.5, 0.5)})

    with pytest.raises(ParityFailed):
        prove_parity(MeanColour(TINY_SPEC), tiny_graph(), other)


def test_the_difference_is_relative_to_the_row() -> None:
    expected = np.array([[3.0, 4.0], [300.0, 400.0]], np.float32)

    differences = relative_differences(expected, expected + np.array([[0.5, 0.0], [0.0, 5.0]], np.float32))

    assert differences == pytest.approx([0.1, 0.01])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_numbers_do_not_pass(value: float) -> None:
    """A comparison with NaN is false, which must not look like agreement."""
    good, bad = np.ones((2, 3), np.float32), np.ones((2, 3), np.float32)
    bad[1, 2] = value

    for expected, found in ((good, bad), (bad, good), (bad, bad)):
        with pytest.raises(ParityFailed, match="picture 1"):
            check_parity(expected, found)


def test_another_label_does_not_pass_however_small_the_difference() -> None:
    head = Head(
        weight=np.array([[1.0, -1.0]], np.float32),
        bias=np.zeros(2, np.float32),
        mean=np.array([1.0], np.float32),
        std=np.array([1.0], np.float32),
    )
    expected, found = np.array([[1.00001]], np.float32), np.array([[0.99999]], np.float32)

    assert check_parity(expected, found) == pytest.approx(2e-5, rel=0.01)
    with pytest.raises(ParityFailed, match="another label"):
        check_parity(expected, found, head=head)


def test_no_pictures_no_difference() -> None:
    assert check_parity(np.empty((0, 3), np.float32), np.empty((0, 3), np.float32)) == 0.0


def test_probe_images_are_seeded_and_unlike_each_other() -> None:
    images = probe_images(TINY_SPEC)

    assert images.shape == (3, 16, 24, 3)
    assert np.array_equal(images, probe_images(TINY_SPEC))
    assert len(np.unique(images.reshape(3, -1), axis=0)) == 3
