"""A torch backbone -> one canonical ONNX graph that takes pixels. Done once for each backbone and its weights."""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from onnxscript import opset20
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from shared.bundle import FEATURES, INPUT_NAME
from shared.preprocess import PreprocessSpec
from trainer.canonical import canonical
from trainer.errors import TrainerError
from trainer.errors.features import ExportFailed

OPSET = 20

_EXAMPLES = 2  # torch.export takes a batch of one for a constant


def export_backbone(module: nn.Module, spec: PreprocessSpec) -> bytes:
    """Export a backbone with its normalisation, in canonical form.

    Args:
        module: normalised pictures (N, 3, H, W) to features (N, D), in eval mode.
        spec: height, width, mean and std are built into the graph.

    Returns:
        An ONNX file without external data: input `images` uint8 (N, H, W, 3), output `features` float32 (N, D). The
        same module and versions give the same bytes, wherever they are made.

    Raises:
        ExportFailed: the module holds something that has no place in such a graph.
    """
    images = torch.zeros(_EXAMPLES, spec.height, spec.width, 3, dtype=torch.uint8)
    try:
        with torch.no_grad(), _silence():
            program = torch.onnx.export(
                _FromPixels(_folded(module), spec).eval(),
                (images,),
                dynamo=True,
                input_names=[INPUT_NAME],
                output_names=[FEATURES],
                dynamic_shapes=({0: torch.export.Dim("N")},),
                opset_version=OPSET,
                custom_translation_table={torch.ops.aten.adaptive_avg_pool2d.default: _pool_to},
                verbose=False,
            )
    except Exception as error:  # the exporter's own errors are private, and many
        reason = _first_of(error)
        raise reason if isinstance(reason, TrainerError) else ExportFailed(_first_line(reason)) from error
    assert program is not None  # noqa: S101 (None only when asked to write a file)
    return canonical(program.model_proto)


class _FromPixels(nn.Module):
    """Pixels (N, H, W, 3), uint8, to features: normalisation as one multiplication and one addition."""

    scale: Tensor
    shift: Tensor

    def __init__(self, backbone: nn.Module, spec: PreprocessSpec) -> None:
        super().__init__()
        self.backbone = backbone
        mean, std = (torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
        self.register_buffer("scale", (1 / (255 * std)).float())
        self.register_buffer("shift", (-mean / std).float())

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.permute(0, 3, 1, 2).to(torch.float32)
        features: Tensor = self.backbone(pixels * self.scale + self.shift)
        return features


def _folded(module: nn.Module) -> nn.Module:
    """A copy, sharing its weights, in which every batch norm is part of the convolution before it.

    The exporter would fold them too, after spending most of its time on taking them apart. "Before" is read from the
    order of the modules, not of the computation; that the two agree is what the parity check proves.
    """
    copied = copy.deepcopy(module, {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())})
    for parent in list(copied.modules()):
        for (first, convolution), (second, norm) in pairwise(parent.named_children()):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and not _read(convolution, norm):
                setattr(parent, first, fuse_conv_bn_eval(convolution, norm))
                setattr(parent, second, nn.Identity())
    return copied


def _read(*modules: nn.Module) -> bool:
    """Whether what one of them gives is read by itself, as a tapped stage is: it must stay what it is."""
    return any(module._forward_hooks for module in modules)


def _pool_to(maps: Any, output_size: Sequence[int]) -> Any:
    """Average pooling to a fixed size, which the exporter would spread over a dozen operators."""
    if tuple(output_size) == (1, 1):
        return opset20.GlobalAveragePool(maps)
    found = maps.shape[2:]
    if any(not isinstance(side, int) or side % wanted for side, wanted in zip(found, output_size, strict=True)):
        raise ExportFailed(f"maps of {found[0]} x {found[1]} cannot be pooled evenly to {list(output_size)}")
    step = [side // wanted for side, wanted in zip(found, output_size, strict=True)]
    return opset20.AveragePool(maps, kernel_shape=step, strides=step)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The exporter prints its steps, warns about its own insides and logs what it skips; none of it helps a user."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)


def _first_of(error: BaseException) -> BaseException:
    """What is at the bottom of the exporter's chain of causes."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
