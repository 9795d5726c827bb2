"""The torch module of a choice of features: the backbone, stages of it read beside its end, and its mirror image."""

from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainer.backbones import BackboneEntry, Weights, build_backbone
from trainer.errors.features import TapUnusable
from trainer.tap_pooling import pool
from trainer.taps import pooling_of, stage_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# What the stages of this thread's pass gave. Several threads may run one module, and modules are copied for export.
_GIVEN: ContextVar[dict[str, Tensor]] = ContextVar("given")


def build_chosen(entry: BackboneEntry, weights: Weights, *, taps: "Sequence[str]" = (), mirror: bool) -> nn.Module:
    """The frozen module from normalised pictures, float32 (N, 3, H, W), to the features of a choice, (N, D).

    Args:
        entry, weights: of the backbone.
        taps: stages whose pooled maps follow the penultimate features, in this order; see `trainer.taps`.
        mirror: the features are the mean of those of the picture and of its mirror image.

    Raises:
        TapUnusable: there is no such stage.
        WeightsUnreadable, WeightsDoNotFit, WeightsDamaged: as `build_backbone`.
    """
    module = build_backbone(entry, weights)
    if taps:
        module = WithTaps(module, taps, name=entry.name)
    return (OfBothSides(module) if mirror else module).eval()


class WithTaps(nn.Module):
    """A backbone whose features are followed by the pooled maps of some of its stages.

    Args:
        backbone: pictures to features (N, D).
        taps: dotted names of its modules, each of which gives maps (N, C, H, W), and how these are pooled.
        name: of the backbone, for messages.

    Raises:
        TapUnusable: there is no such module; when it runs, what it gives are no maps.
    """

    def __init__(self, backbone: nn.Module, taps: "Sequence[str]", *, name: str) -> None:
        super().__init__()
        self.backbone = backbone
        self._taps = tuple(taps)
        self._name = name
        for stage, tap in {stage_of(tap): tap for tap in self._taps}.items():
            self._module_of(stage, tap).register_forward_hook(partial(_keep, stage))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, D + what each tap gives)."""
        given: dict[str, Tensor] = {}
        token = _GIVEN.set(given)
        try:
            features = self.backbone(images)
        finally:
            _GIVEN.reset(token)
        return torch.cat([features, *(self._pooled(tap, given) for tap in self._taps)], dim=1)

    def _module_of(self, stage: str, tap: str) -> nn.Module:
        try:
            return self.backbone.get_submodule(stage)
        except AttributeError as error:
            raise TapUnusable(self._name, tap, "there is no such module") from error

    def _pooled(self, tap: str, given: dict[str, Tensor]) -> Tensor:
        if stage_of(tap) not in given:
            raise TapUnusable(self._name, tap, "this module computes nothing")
        maps = given[stage_of(tap)]
        if not isinstance(maps, Tensor) or maps.ndim != 4:
            found = f"of shape {tuple(maps.shape[1:])}" if isinstance(maps, Tensor) else "several things at once"
            raise TapUnusable(self._name, tap, f"what this module gives for a picture, {found}, are no maps")
        return pool(maps, pooling_of(tap))


class OfBothSides(nn.Module):
    """The mean of a module's features of a picture and of its mirror image, in one pass."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, D)."""
        features: Tensor = self.module(torch.cat([images, images.flip(3)]))
        return features.reshape(2, -1, features.shape[1]).mean(0)


def _keep(stage: str, _module: nn.Module, _inputs: object, output: Tensor) -> None:
    given = _GIVEN.get(None)
    if given is not None:
        given[stage] = output
