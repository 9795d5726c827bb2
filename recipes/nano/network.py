"""The network that teaches and the one that learns: `nano` below, the teacher's last layers on top."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainer.nano import NANO_LAYERS, NANO_TAPS, Nano

FEATURES = 1280
CLASSES = 1000

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_BATCH_NORM_EPSILON = 1e-5


class Answers(NamedTuple):
    """What a network says about N pictures."""

    middle: Tensor  # map of the first tapped block, (N, C, H, W)
    late: Tensor  # map of the last block, (N, C, H, W)
    features: Tensor  # pooled penultimate features, (N, 1280)


class Network(nn.Module):
    """`nano` with MobileNetV2's last convolution and classifier, which only distillation needs."""

    def __init__(self) -> None:
        super().__init__()
        self.nano = Nano()
        self.head = nn.Conv2d(NANO_LAYERS[-1].out, FEATURES, 1)
        self.classifier = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> Answers:
        """Normalised pictures (N, 3, H, W)."""
        maps = self.nano.maps(images)
        features = self.nano.activation(self.head(maps[-1])).mean((2, 3))
        return Answers(maps[NANO_TAPS[0]], maps[-1], features)


class FromPixels(nn.Module):
    """uint8 (N, H, W, 3) to the network's answers as a plain tuple, for export."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise, run."""
        middle, late, features = self.network(normalise(pixels))
        return middle, late, features


def normalise(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W) with ImageNet's mean and standard deviation."""
    images = pixels.permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values, device=pixels.device).view(1, 3, 1, 1) for values in (_MEAN, _STD))
    return (images - mean) / std


def read_teacher(path: Path) -> Network:
    """A MobileNetV2 state dict with torchvision's names, its batch norms folded into the convolutions.

    Raises:
        KeyError: the file is not a MobileNetV2.
    """
    theirs: dict[str, Tensor] = torch.load(path, weights_only=True)
    network = Network().eval()
    ours = {"classifier.weight": theirs["classifier.1.weight"], "classifier.bias": theirs["classifier.1.bias"]}
    for name, (convolution, norm) in _names().items():
        ours[f"{name}.weight"], ours[f"{name}.bias"] = _fold(theirs, convolution, norm)
    network.load_state_dict(ours, strict=True)
    return network


def _names() -> dict[str, tuple[str, str]]:
    """Our convolution -> torchvision's convolution and batch norm."""
    names = {"nano.stem": ("features.0.0", "features.0.1"), "head": ("features.18.0", "features.18.1")}
    for index, layer in enumerate(NANO_LAYERS):
        theirs, ours = f"features.{index + 1}.conv", f"nano.blocks.{index}"
        parts = ["expand", "depthwise"] if layer.expanded else ["depthwise"]
        for place, part in enumerate(parts):
            names[f"{ours}.{part}"] = (f"{theirs}.{place}.0", f"{theirs}.{place}.1")
        names[f"{ours}.project"] = (f"{theirs}.{len(parts)}", f"{theirs}.{len(parts) + 1}")
    return names


def _fold(state: Mapping[str, Tensor], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + _BATCH_NORM_EPSILON)
    weight = state[f"{convolution}.weight"] * scale.view(-1, 1, 1, 1)
    return weight, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
