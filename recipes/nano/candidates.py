"""Architectures weighed against each other for `nano`: small, for 128 px, the stem at a quarter of the side."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Block = Callable[[int], nn.Module]


class Candidate(nn.Module):
    """Normalised pictures (N, 3, H, W) to features (N, D): the last two stages, average-pooled and concatenated.

    Args:
        block: makes one block of a given width, which keeps the size of the map.
        widths: channels of the stages at 1/4, 1/8, 1/16 and 1/32 of the side.
        depths: blocks of each stage.
    """

    def __init__(self, block: Block, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        self.feature_size = sum(widths[-2:])
        self.stem = _normed(3, widths[0], 4, stride=4)
        self.stages = nn.ModuleList()
        for place, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            shrink = [_normed(widths[place - 1], width, 2, stride=2)] if place else []
            self.stages.append(nn.Sequential(*shrink, *(block(width) for _ in range(depth))))

    def forward(self, images: Tensor) -> Tensor:
        """Any side in multiples of 32 px."""
        last, pooled = self.stem(images), []
        for stage in self.stages:
            last = stage(last)
            pooled.append(last.mean((2, 3)))
        return torch.cat(pooled[-2:], dim=1)


class Residual(nn.Module):
    """Adds what `inside` makes of the map to the map."""

    def __init__(self, *inside: nn.Module) -> None:
        super().__init__()
        self.inside = nn.Sequential(*inside)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        added: Tensor = images + self.inside(images)
        return added


class PartialConvolution(nn.Module):
    """Filters a quarter of the channels and hands on the others as they are.

    Source: Chen et al. 2023, FasterNet.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self._filtered = width // 4
        self.filter = nn.Conv2d(self._filtered, self._filtered, 3, padding=1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        first, rest = images[:, : self._filtered], images[:, self._filtered :]
        return torch.cat([self.filter(first), rest], dim=1)


def plain_residual() -> Candidate:
    """Two 3x3 convolutions a block (He et al. 2015)."""
    return Candidate(
        lambda width: Residual(_normed(width, width, 3), nn.ReLU(), _normed(width, width, 3)),
        widths=(32, 64, 112, 160),
        depths=(1, 1, 2, 1),
    )


def inverted_residual() -> Candidate:
    """Expand four times, filter each channel, project (Sandler et al. 2018)."""
    return Candidate(_inverted, widths=(24, 48, 96, 192), depths=(1, 2, 4, 2))


def partial_convolution() -> Candidate:
    """Filter a quarter of the channels, then expand twice and project (Chen et al. 2023)."""
    return Candidate(_partial, widths=(40, 80, 160, 256), depths=(1, 2, 4, 1))


CANDIDATES: dict[str, Callable[[], Candidate]] = {
    "plain 3x3 residual": plain_residual,
    "inverted residual": inverted_residual,
    "partial convolution": partial_convolution,
}


def _inverted(width: int) -> nn.Module:
    inner = 4 * width
    return Residual(
        _normed(width, inner, 1), nn.ReLU(), _normed(inner, inner, 3, groups=inner), nn.ReLU(), _normed(inner, width, 1)
    )


def _partial(width: int) -> nn.Module:
    project = nn.Conv2d(2 * width, width, 1, bias=False)
    return Residual(PartialConvolution(width), _normed(width, 2 * width, 1), nn.ReLU(), project)


def _normed(channels: int, out: int, side: int, *, stride: int = 1, groups: int = 1) -> nn.Module:
    padding = side // 2 if stride == 1 else 0
    convolution = nn.Conv2d(channels, out, side, stride, padding, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out))
