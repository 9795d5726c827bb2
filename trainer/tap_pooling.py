"""How the maps of a tapped stage become features, in torch; the exported graph does the same."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from trainer.taps import Pooling


def pool(maps: Tensor, pooling: "Pooling") -> Tensor:
    """Maps (N, C, h, w) to features: (N, C), or (N, 4 * C) of quarters."""
    if pooling == "peaks":
        return peaks(maps)
    if pooling == "quarters":
        return quarters(maps)
    return nn.functional.adaptive_avg_pool2d(maps, (1, 1)).flatten(1)


def peaks(maps: Tensor) -> Tensor:
    """The generalised mean with the exponent 3 of what is above 0, (N, C): between the average and the maximum.

    What is strong in a few places and absent elsewhere, such as a crack, is lost in an average and kept here.

    Source: F. Radenovic, G. Tolias, O. Chum, Fine-tuning CNN Image Retrieval with No Human Annotation (2019), with a
    fixed exponent.
    """
    above = maps.relu()
    return (above * above * above).mean((2, 3)).pow(1 / 3)


def quarters(maps: Tensor) -> Tensor:
    """Averages over the upper left, upper right, lower left and lower right quarter, (N, 4 * C) in this order.

    Of an odd side both halves have the middle row or column; a side of 1 is both.
    """
    height, width = maps.shape[2:]
    upper, lower = maps[:, :, : (height + 1) // 2], maps[:, :, height // 2 :]
    left, right = slice(0, (width + 1) // 2), slice(width // 2, width)
    return torch.cat([half[:, :, :, side].mean((2, 3)) for half in (upper, lower) for side in (left, right)], dim=1)
