"""Between which values the tensors of a graph lie, seen on some pictures: what int8 needs to know of them."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.session import open_session

if TYPE_CHECKING:
    from onnx import ModelProto

Ranges = Mapping[str, tuple[np.float32, np.float32]]
"""The smallest and the largest value that is worth a step of its own, by tensor; zero lies between them."""

QUANTILE = 0.75
"""Of the pictures' extremes. Those of the very brightest pictures would cost all others steps; see decision 0022."""

_LEAST, _MOST = "ReduceMin", "ReduceMax"


def measure_ranges(graph: bytes, images: Iterable[NDArray[np.uint8]]) -> Ranges:
    """Run pictures through a graph and look at every float tensor inside.

    Args:
        graph: takes uint8 pictures.
        images: at least one, each (H, W, 3); one is in memory at a time.

    Returns:
        For each tensor the lower quartile of the pictures' smallest values, and the upper one of their largest.
    """
    from onnx import ModelProto

    model = ModelProto.FromString(graph)
    names = float_tensors(model)
    session = open_session(_with_extremes(model, names), provider="cpu", threads=1)
    wanted = [f"{operator}:{name}" for operator in (_LEAST, _MOST) for name in names]
    extremes = np.array([session.run(image[None], wanted) for image in images], np.float32)
    least, most = np.split(extremes.reshape(len(extremes), 2 * len(names)), 2, axis=1)
    low = np.minimum(np.quantile(least, 1 - QUANTILE, axis=0), 0).astype(np.float32)
    high = np.maximum(np.quantile(most, QUANTILE, axis=0), 0).astype(np.float32)
    return {name: (low[number], high[number]) for number, name in enumerate(names)}


def float_tensors(model: "ModelProto") -> list[str]:
    """Names of what the nodes compute as float32, in their order; constants are not among them."""
    from onnx import TensorProto
    from onnx.shape_inference import infer_shapes

    inferred = infer_shapes(model).graph
    floats = {
        value.name
        for value in (*inferred.value_info, *inferred.output)
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    return [name for node in model.graph.node for name in node.output if name in floats]


def _with_extremes(model: "ModelProto", names: Iterable[str]) -> bytes:
    """A copy that also gives the smallest and the largest value of each of these tensors, as scalars."""
    from onnx import ModelProto, TensorProto, helper

    copied = ModelProto.FromString(model.SerializeToString())
    for operator in (_LEAST, _MOST):
        for name in names:
            output = f"{operator}:{name}"
            copied.graph.node.append(helper.make_node(operator, [name], [output], keepdims=0))
            copied.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, []))
    return bytes(copied.SerializeToString())
