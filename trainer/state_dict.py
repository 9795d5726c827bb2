"""Reads a weights file without running anything in it: a flat state dict of tensors, unwrapped."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from trainer.errors.backbones import WeightsUnreadable

StateDict = dict[str, Tensor]

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile


def read_state_dict(path: Path) -> StateDict:
    """The tensors of a .pth or .safetensors file by name, on the CPU, floating-point ones as float32.

    Training scripts wrap them in {"state_dict": ...} or put "module." before every name; both are taken off.

    Raises:
        WeightsUnreadable: the file is something else, needs code to be run, or holds values that are not numbers.
    """
    loaded = _unwrapped(_load(path))
    if not isinstance(loaded, Mapping) or not loaded:
        raise WeightsUnreadable(path, f"it holds {_describe(loaded)}")
    strangers = [str(name) for name, value in loaded.items() if not isinstance(value, Tensor)]
    if strangers:
        raise WeightsUnreadable(path, f"{strangers[0]!r} and {len(strangers) - 1} more of its entries are no tensors")
    state = {str(name): value for name, value in loaded.items()}
    while any(all(name.startswith(prefix) for name in state) for prefix in _PREFIXES):
        state = {name.partition(".")[2]: value for name, value in state.items()}
    return {name: _as_float32(path, name, value) for name, value in state.items()}


def _load(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings(action="ignore"):  # of pickle protocols it may not know; it does, or raises
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsUnreadable(path, f"cannot be read: {error.strerror or error}") from error
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError) as error:
        raise WeightsUnreadable(path, f"not a weights file ({_first_sentence(error)})") from error


def _unwrapped(loaded: Any) -> Any:
    for key in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            return loaded[key]
    return loaded


def _as_float32(path: Path, name: str, value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    if not torch.isfinite(value).all():
        raise WeightsUnreadable(path, f"{name!r} holds values that are not numbers")
    return value.float()


def _describe(loaded: Any) -> str:
    return "an empty state dict" if isinstance(loaded, Mapping) else f"a {type(loaded).__name__}"


def _first_sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
