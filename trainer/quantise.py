"""The backbone's graph in int8: weights and maps in 8 bits, with the scales that pictures of the training have."""

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from trainer.activation_ranges import Ranges
from trainer.canonical import canonical
from trainer.errors.features import QuantisationFailed

if TYPE_CHECKING:
    from onnx import ModelProto

QUANTISER_REVISION = 2
"""Raised whenever the same graph and ranges may give another int8 graph with the same packages."""

# Normalisation, pooling and what follows it stay float: they take no time worth mentioning.
_QUANTISED = ("Conv", "Gemm", "MatMul", "Add", "Clip", "Relu", "MaxPool", "Concat")
_RANK_OF_MAPS = 4

FLOAT_CONVOLUTIONS = 3
"""The first ones work on large maps of few channels: int8 is slower there, and costs most; see decision 0022."""


def quantise(graph: bytes, ranges: Ranges, *, reduced_range: bool = False) -> bytes:
    """Quantise a graph statically: uint8 maps, int8 weights with a scale for each output channel.

    Args:
        graph: canonical, of `backbone_graph`.
        ranges: of its tensors.
        reduced_range: weights in 7 bits, so that no sum overflows on a CPU without VNNI.

    Returns:
        A graph in canonical form with QuantizeLinear and DequantizeLinear of the ONNX standard, which ONNX Runtime
        turns into int8 kernels; input and outputs are those of `graph`. The same arguments and versions give the
        same bytes.

    Raises:
        QuantisationFailed: nothing in it can be quantised, or the tools cannot do it.
    """
    from onnx import ModelProto
    from onnx.shape_inference import infer_shapes

    first = nodes_left_float(graph)
    try:
        model = infer_shapes(ModelProto.FromString(graph))
        with _silence():
            left_float = [*first, *_joining_features(model)]
            return canonical(_insert_scales(model, ranges, left_float, reduced_range=reduced_range))
    except Exception as error:  # the tools raise whatever their insides raise
        raise QuantisationFailed(" ".join(str(error).split())[:300] or type(error).__name__) from error


def nodes_left_float(graph: bytes) -> list[str]:
    """Names of the nodes before the first convolution that is to be quantised.

    Raises:
        QuantisationFailed: there is none.
    """
    from onnx import ModelProto

    nodes = ModelProto.FromString(graph).graph.node
    convolutions = [number for number, node in enumerate(nodes) if node.op_type == "Conv"]
    if len(convolutions) <= FLOAT_CONVOLUTIONS:
        raise QuantisationFailed(f"it has no convolution after the first {FLOAT_CONVOLUTIONS}")
    return [node.name for node in nodes[: convolutions[FLOAT_CONVOLUTIONS]]]


def _joining_features(model: "ModelProto") -> list[str]:
    """Names of the nodes that join what was pooled already; those within a network join maps."""
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in model.graph.value_info}
    joining = [node for node in model.graph.node if node.op_type == "Concat"]
    return [node.name for node in joining if ranks.get(node.output[0]) != _RANK_OF_MAPS]


def _insert_scales(model: "ModelProto", ranges: Ranges, left_float: list[str], *, reduced_range: bool) -> "ModelProto":
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    found = {name: TensorData(lowest=low, highest=high) for name, (low, high) in ranges.items()}
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=reduced_range,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, found),
        nodes_to_quantize=[],
        nodes_to_exclude=left_float,
        op_types_to_quantize=list(_QUANTISED),
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    quantised: ModelProto = quantizer.model.model
    return quantised


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The tools log what they pass over, and advise on steps that were taken; none of it helps a user."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)
