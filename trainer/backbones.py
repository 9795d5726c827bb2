"""Backbones: which one to take, and building it from torchvision with its weights, cut at its penultimate features.

The only home of torchvision. The catalogue itself is plain data, in `catalogue`; files are found in `weights`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from trainer.catalogue import (
    NANO,
    PREFERRED,
    BackboneEntry,
    backbone_names,
    entry_of_file,
    get_entry,
    get_variants,
)
from trainer.errors import UsageError
from trainer.errors.backbones import BackboneNotRecognised, WeightsDoNotFit
from trainer.weights import Weights, fetch_weights, find_weights, is_cached, verify_unchanged

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "BackboneEntry",
    "Weights",
    "backbone_names",
    "build_backbone",
    "build_classifier",
    "cached_names",
    "choose_backbone",
    "class_names",
    "fetch_weights",
    "find_weights",
    "get_entry",
]

# What the builders do when they are given their weights enum and would not do without. `transform_input` undoes the
# enum's normalisation and applies that of the original training; no test with random weights can see it missing.
_BUILDER_OPTIONS: dict[str, dict[str, bool]] = {
    "googlenet": {"transform_input": True, "aux_logits": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "aux_logits": True, "init_weights": False},
}
_OPTIONAL_SUFFIX = ".num_batches_tracked"  # files from before torch 0.4.1 have no such counters, and eval needs none


def choose_backbone(name: str | None, weights: Path | None, *, no_nano: bool = False) -> tuple[BackboneEntry, str]:
    """The backbone to use and a sentence that says why.

    Args:
        name: what the user named, if anything.
        weights: a local weights file, if one was named; it tells the architecture by its name or by what it holds.
        no_nano: never take the embedded backbone.

    Raises:
        UsageError: the embedded backbone is named and ruled out.
        UnknownBackbone, BackboneNotRecognised: `name` or `weights` mean no entry of the catalogue.
        WeightsMissing: nothing was named, nothing is cached, and nano is ruled out.
        WeightsUnreadable: the file had to be read to tell its architecture, and cannot be.
    """
    if weights is not None and name != NANO:
        return _chosen_by_file(name, weights)
    if name == NANO and no_nano:
        raise UsageError("nano is named and ruled out; leave out --backbone nano or --no-nano.")
    if name is not None:
        entry = _cached_variant(name) or get_entry(name)
        return entry, f"{name}, because it was named; weights: {entry.weights_name}."
    preferred = _cached_variant(PREFERRED)
    if preferred is not None:
        return preferred, f"{PREFERRED}, because its weights ({preferred.weights_name}) are cached."
    if no_nano:
        entry = get_entry(PREFERRED)
        find_weights(entry, None, download=False)  # raises with what to do
        return entry, f"{PREFERRED}, because nano is ruled out."
    return get_entry(NANO), (
        f"nano, the embedded one, because no backbone was named and no weights of {PREFERRED} are cached; "
        f"`--backbone {PREFERRED}` downloads them and usually gives better models."
    )


def cached_names() -> list[str]:
    """Names of the backbones whose published weights are in torchvision's cache, small networks first."""
    return [name for name in _torchvision_names() if _cached_variant(name) is not None]


def build_backbone(entry: BackboneEntry, weights: Weights) -> "nn.Module":
    """The frozen backbone, in eval mode.

    Returns:
        A module from normalised pictures, float32 (N, 3, H, W), to penultimate features (N, D): what the last layer
        of the weights' own classifier reads, after pooling, without auxiliary classifiers and dropout.

    Raises:
        WeightsUnreadable: the file holds no state dict.
        WeightsDoNotFit: its tensors are not those of the architecture, name for name and shape for shape.
        WeightsDamaged: the file changed since it was found.
    """
    from torch import nn

    if entry.name == NANO:
        return _frozen(_build_nano())
    module = build_classifier(entry, weights)
    if entry.name == "squeezenet1_1":  # classifies every place of the map, then averages; features are the averaged map
        module.classifier = nn.AdaptiveAvgPool2d((1, 1))
    else:
        module.set_submodule(entry.last_layer, nn.Identity())
    return module


def build_classifier(entry: BackboneEntry, weights: Weights) -> "nn.Module":
    """The whole frozen network with the classifier it was trained with: (N, 3, H, W) to logits (N, 1000).

    Built with the options of the weights enum. Raises as `build_backbone`; nano has no classifier: ValueError.
    """
    from trainer.state_dict import read_state_dict

    if entry.name == NANO:
        raise ValueError("nano comes without a classifier")
    verify_unchanged(weights)
    state = read_state_dict(weights.path)
    module = _empty(entry.name)
    if differences := _differences(module, state):
        fits = next((name for name in _torchvision_names() if not _differences(_empty(name), state)), None)
        raise WeightsDoNotFit(weights.path, backbone=entry.name, differences=differences, fits=fits)
    module.load_state_dict(state, strict=True, assign=True)
    return _frozen(_without_auxiliary_classifiers(module))


def class_names(entry: BackboneEntry) -> list[str]:
    """Names of the classes that the weights' own classifier tells apart, by class index."""
    from torchvision.models import get_model_weights

    names: list[str] = list(get_model_weights(entry.name).DEFAULT.meta["categories"])
    return names


def _chosen_by_file(name: str | None, weights: Path) -> tuple[BackboneEntry, str]:
    by_name = name or _architecture_in_name(weights)
    architecture = by_name or _architecture_that_fits(weights)
    found = find_weights(get_entry(architecture), weights, download=False)
    entry = entry_of_file(architecture, file_name=weights.name, sha256=found.sha256)
    how = "it was named" if name else f"the name of {weights.name} begins so" if by_name else f"{weights.name} fits it"
    return entry, f"{architecture}, because {how}; weights: {entry.weights_name}."


def _cached_variant(name: str) -> BackboneEntry | None:
    return next((variant for variant in get_variants(name) if is_cached(variant)), None)


def _architecture_in_name(weights: Path) -> str | None:
    """The longest name of the catalogue that the file's name begins with."""
    fitting = [name for name in _torchvision_names() if weights.name.startswith((f"{name}-", f"{name}_", f"{name}."))]
    return max(fitting, key=len, default=None)


def _architecture_that_fits(weights: Path) -> str:
    from trainer.state_dict import read_state_dict

    state = read_state_dict(weights)
    for name in _torchvision_names():
        if not _differences(_empty(name), state):
            return name
    raise BackboneNotRecognised(weights, choices=_torchvision_names())


def _torchvision_names() -> list[str]:
    return [name for name in backbone_names() if name != NANO]


def _empty(name: str) -> "nn.Module":
    """The whole network with neither memory nor values; loading fills it."""
    import torch
    from torchvision.models import get_model

    with torch.device("meta"):
        module: nn.Module = get_model(name, weights=None, **_BUILDER_OPTIONS.get(name, {}))
    return module


def _without_auxiliary_classifiers(module: Any) -> "nn.Module":
    """Inception's helpers in training; strict loading wants them there, eval mode never computes them."""
    for name in ("AuxLogits", "aux1", "aux2"):
        if hasattr(module, name):
            module.aux_logits = False
            setattr(module, name, None)
    return cast("nn.Module", module)


def _differences(module: "nn.Module", state: dict[str, "Tensor"]) -> list[str]:
    """What keeps a state dict from fitting strictly, in words, alternating so that the first few show each kind."""
    expected = module.state_dict()
    missing = [f"lacks {key}" for key in expected if key not in state and not key.endswith(_OPTIONAL_SUFFIX)]
    unexpected = [f"has {key}, which is unknown" for key in state if key not in expected]
    changed = [
        f"{key} is {_describe(state[key])}, expected {_describe(value)}"
        for key, value in expected.items()
        if key in state and (state[key].shape != value.shape or state[key].dtype != value.dtype)
    ]
    return [*missing[:2], *unexpected[:2], *changed[:2], *missing[2:], *unexpected[2:], *changed[2:]]


def _describe(tensor: "Tensor") -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _build_nano() -> "nn.Module":
    from trainer.nano import build_nano, load_nano_state

    module = build_nano()
    module.load_state_dict(load_nano_state(), strict=True)
    return module


def _frozen(module: "nn.Module") -> "nn.Module":
    part: Any
    for part in module.modules():
        if hasattr(part, "inplace"):
            part.inplace = False  # the same numbers, and torch.export takes a third less time
    return module.eval().requires_grad_(False)
