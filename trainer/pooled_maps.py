"""Which maps of a backbone's graph the features are the global averages of, read from the graph itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.bundle import FEATURES

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, ValueInfoProto

_KEEP_VALUES = ("Reshape", "Flatten", "Squeeze", "Identity")
_KEEP_PLACES = ("Identity", "QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True)
class Maps:
    """A tensor of the graph, by name, and its shape (C, h, w) for one picture."""

    tensor: str
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class PooledMaps:
    """Maps whose means over h and w are the features, in order; else none, and the reason."""

    maps: tuple[Maps, ...]
    reason: str | None = None


def find_pooled_maps(backbone: bytes) -> PooledMaps:
    """Go back from the features to the maps that they are the means of: one, or several side by side.

    Args:
        backbone: a graph of `backbone_graph`, float32 or int8.
    """
    from onnx import ModelProto, shape_inference

    model = ModelProto.FromString(backbone)
    makers = {name: node for node in model.graph.node for name in node.output}
    try:
        tensors = _behind(FEATURES, makers, model.graph)
    except _NotPooled as found:
        return PooledMaps((), f"the features are not global averages of maps ({found})")
    values = {value.name: value for value in shape_inference.infer_shapes(model).graph.value_info}
    maps = tuple(Maps(name, shape) for name in tensors if (shape := _shape_of(values.get(name))) is not None)
    feature_size = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    if len(maps) < len(tensors) or sum(each.shape[0] for each in maps) != feature_size:
        return PooledMaps((), "what is averaged is not one map for each feature, of a known size")
    if len(set(tensors)) < len(tensors):
        return PooledMaps((), "the features are averages of the same maps twice")
    return PooledMaps(maps)


class _NotPooled(Exception):
    """Says what was found on the way."""


def _shape_of(value: "ValueInfoProto | None") -> tuple[int, int, int] | None:
    sides = [side.dim_value for side in value.type.tensor_type.shape.dim] if value is not None else []
    return (sides[1], sides[2], sides[3]) if len(sides) == 4 and all(sides[1:]) else None


def _behind(name: str, makers: dict[str, "NodeProto"], graph: "GraphProto") -> tuple[str, ...]:
    node = makers.get(name)
    if node is None:
        raise _NotPooled("they are what goes in")
    if node.op_type in _KEEP_VALUES:
        return _behind(node.input[0], makers, graph)
    if node.op_type == "Concat" and next(each.i for each in node.attribute if each.name == "axis") == 1:
        return tuple(tensor for part in node.input for tensor in _behind(part, makers, graph))
    if node.op_type == "GlobalAveragePool" or (
        node.op_type == "ReduceMean" and _axes(node, graph) in ((2, 3), (-2, -1))
    ):
        if _is_part(node.input[0], makers):
            raise _NotPooled("they are averages of a part of the maps")
        return (node.input[0],)
    raise _NotPooled(f"they come from {node.op_type}")


def _is_part(name: str, makers: dict[str, "NodeProto"]) -> bool:
    """Whether these maps were cut out of others, as quarters are: laid over the whole picture they would mislead."""
    node = makers.get(name)
    while node is not None and node.op_type in _KEEP_PLACES:
        node = makers.get(node.input[0])
    return node is not None and node.op_type == "Slice"


def _axes(node: "NodeProto", graph: "GraphProto") -> tuple[int, ...]:
    from onnx import numpy_helper

    if len(node.input) < 2:
        return ()
    found = [numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name == node.input[1]]
    return tuple(sorted(int(axis) for axis in np.ravel(found[0]))) if found else ()
