"""Weights whose batch norms were folded into the convolutions, made fit for loops that learn in train mode."""

import io
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import datasets, transforms

from shared.files import write_atomically
from trainer.backbones import build_classifier, choose_backbone, find_weights
from trainer.state_dict import read_state_dict

PICTURES = 64


def are_folded(weights: Path) -> bool:
    """Whether all batch norms of a state dict have the mean 0 and the variance 1: they do nothing that one would do."""
    state = read_state_dict(weights)
    means = [value for name, value in state.items() if name.endswith("running_mean")]
    variances = [value for name, value in state.items() if name.endswith("running_var")]
    return bool(means) and not any(bool(mean.any()) for mean in means) and all(bool((v == 1).all()) for v in variances)


def spread(network: nn.Module, images: Tensor) -> None:
    """Give each batch norm the statistics of what it sees, and the scale and shift that undo them.

    In eval mode the network computes what it did; in train mode, where statistics are those of the batch, much the same
    instead of something else.

    Args:
        network: any; it is changed.
        images: normalised pictures (N, 3, H, W).
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_hook(_keep) for norm in norms]
    with torch.no_grad():
        network.eval()(images)
    for hook in hooks:
        hook.remove()


def _keep(norm: nn.Module, inputs: tuple[Tensor], _output: Tensor) -> None:
    """After the norm has computed as before, so that the layers behind it see what they always saw."""
    if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None or norm.running_var is None:
        return
    mean, variance = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3), unbiased=False)
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    norm.bias.add_(factor * (mean - norm.running_mean))
    norm.weight.copy_(factor * (variance + norm.eps).sqrt())
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


def write_spread(weights: Path, backbone: str, pictures: Path, target: Path) -> Path:
    """A weights file that computes the same, its batch norms spread by pictures from a folder with class folders."""
    entry, _ = choose_backbone(backbone, weights)
    network = build_classifier(entry, find_weights(entry, weights, download=False))
    steps = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()]
    steps += [transforms.Normalize(entry.spec.mean, entry.spec.std)]
    found = datasets.ImageFolder(pictures, transforms.Compose(steps))
    every = max(1, len(found) // PICTURES)
    spread(network, torch.stack([found[row][0] for row in range(0, len(found), every)][:PICTURES]))
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    write_atomically(target, file.getvalue())
    return target
