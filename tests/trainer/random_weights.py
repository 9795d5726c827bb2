"""Seeded random weights that keep signals alive through a deep network, so that a wrong layer shows in the features."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer.catalogue import BackboneEntry

SEED = 11


def random_state(module: torch.nn.Module) -> dict[str, Tensor]:
    """A state dict for a module, which may be on the meta device: He-scaled weights, unlike statistics everywhere."""
    generator = torch.Generator().manual_seed(SEED)
    return {name: _random(name, value, generator) for name, value in module.state_dict().items()}


def whole_network(name: str) -> torch.nn.Module:
    """Torchvision's whole network without memory or values."""
    from torchvision.models import get_model

    options = {"init_weights": False, "aux_logits": True} if name in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):
        network: torch.nn.Module = get_model(name, weights=None, **options)
    return network


def put_into_cache(entry: BackboneEntry, torch_home: Path, state: dict[str, Any]) -> Path:
    """Write a state dict where torchvision keeps downloads, under the entry's own file name."""
    path = torch_home / "hub" / "checkpoints" / entry.weights_file
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    return path


def save_with_hash(folder: Path, stem: str, state: dict[str, Any]) -> Path:
    """Write a state dict as torchvision names its files: with the start of its SHA-256."""
    path = folder / stem
    torch.save(state, path)
    return path.rename(folder / f"{stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth")


def _random(name: str, value: Tensor, generator: torch.Generator) -> Tensor:
    if not value.is_floating_point():
        return torch.zeros(value.shape, dtype=value.dtype)
    if name.endswith(("running_var", "layer_scale")) or (value.ndim == 1 and name.endswith("weight")):
        return torch.empty(value.shape).uniform_(0.5, 1.5, generator=generator)
    spread = (2 / value[0].numel()) ** 0.5 if value.ndim >= 2 and value.shape[0] > 1 else 0.1
    return torch.empty(value.shape).normal_(0, spread, generator=generator)
