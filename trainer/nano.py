"""`nano`, the backbone that Finial carries with it: architecture, weights file and how the two are joined.

The weights' origin, their measured worth and the terms of the pictures behind them are in `nano.card.md`; the recipe
that made them is `recipes/nano`.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load
from torch import Tensor, nn

from trainer.catalogue import NANO, get_entry
from trainer.errors import TrainerError
from trainer.weights import NANO_FILE

NANO_SIZE = 128
NANO_RESIZE = 128


class Layer(NamedTuple):
    """The widths of one inverted residual block."""

    expanded: int  # 0: no expansion
    out: int
    stride: int


NANO_STEM = 32
NANO_LAYERS = (
    Layer(0, 16, 1),
    Layer(96, 24, 2),
    Layer(144, 24, 1),
    Layer(144, 32, 2),
    Layer(192, 32, 1),
    Layer(192, 32, 1),
    Layer(192, 64, 2),
    Layer(384, 64, 1),
    Layer(384, 64, 1),
    Layer(384, 64, 1),
    Layer(384, 96, 1),
    Layer(576, 96, 1),
    Layer(576, 96, 1),
    Layer(576, 160, 2),
    Layer(960, 160, 1),
    Layer(960, 160, 1),
    Layer(960, 320, 1),
)
NANO_TAPS = (12, 16)
NANO_FEATURE_SIZE = sum(NANO_LAYERS[tap].out for tap in NANO_TAPS)


class NanoWeightsDamaged(TrainerError):
    """The embedded weights file is not the one this version of Finial was released with."""

    def __init__(self, path: Path, *, found: str, expected: str) -> None:
        super().__init__(
            f"{path}: SHA-256 starts {found[:12]}, expected {expected[:12]}. "
            "The installation is damaged; install Finial again, or name another backbone."
        )


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; no batch norm, it is folded into the convolutions.

    Source: Sandler et al. 2018, MobileNetV2.
    """

    def __init__(self, channels: int, layer: Layer) -> None:
        super().__init__()
        inner = layer.expanded or channels
        self.expand = nn.Conv2d(channels, inner, 1) if layer.expanded else None
        self.depthwise = nn.Conv2d(inner, inner, 3, layer.stride, 1, groups=inner)
        self.project = nn.Conv2d(inner, layer.out, 1)
        self.activation = nn.ReLU6()
        self.is_residual = layer.stride == 1 and channels == layer.out

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out, H / stride, W / stride)."""
        inner = images if self.expand is None else self.activation(self.expand(images))
        projected: Tensor = self.project(self.activation(self.depthwise(inner)))
        return images + projected if self.is_residual else projected


class Nano(nn.Module):
    """Normalised pictures (N, 3, H, W) to features (N, D): the tapped blocks, average-pooled and concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, NANO_STEM, 3, 2, 1)
        self.activation = nn.ReLU6()
        widths = [NANO_STEM, *(layer.out for layer in NANO_LAYERS)]
        self.blocks = nn.ModuleList(InvertedResidual(*pair) for pair in zip(widths, NANO_LAYERS, strict=False))

    def forward(self, images: Tensor) -> Tensor:
        """Pictures normalised with ImageNet's mean and standard deviation, float32; any side from 32 px."""
        maps = self.maps(images)
        return torch.cat([maps[tap].mean((2, 3)) for tap in NANO_TAPS], dim=1)

    def maps(self, images: Tensor) -> list[Tensor]:
        """What each block gives, from the first to the last."""
        last: Tensor = self.activation(self.stem(images))
        maps = []
        for block in self.blocks:
            last = block(last)
            maps.append(last)
        return maps


def build_nano() -> Nano:
    """The architecture in `eval()` mode, with random weights."""
    return Nano().eval()


def load_nano_state() -> dict[str, Tensor]:
    """The embedded weights as float32, ready for `load_state_dict(state, strict=True)`.

    Raises:
        NanoWeightsDamaged: the file's SHA-256 is not that of the catalogue.
    """
    data = NANO_FILE.read_bytes()
    found, expected = hashlib.sha256(data).hexdigest(), get_entry(NANO).weights_sha256
    if found != expected:
        raise NanoWeightsDamaged(NANO_FILE, found=found, expected=expected)
    return {name: value.float() for name, value in load(data).items()}
