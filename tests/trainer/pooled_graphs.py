"""Small backbones whose features are, or are not, global averages of maps. No torch."""

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from shared.preprocess import PreprocessSpec

POOLED_SPEC = PreprocessSpec(height=8, width=8, resize=8)
CHANNELS = 3


def pooled_graph(nodes: Sequence[NodeProto], *, feature_size: int = CHANNELS) -> bytes:
    """A graph whose nodes make `features` from `maps_in` (N, 3, 8, 8), the pixels as they are, and `coarse`, 4 x 4."""
    before = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["maps_in"], perm=[0, 3, 1, 2]),
        helper.make_node("Relu", ["maps_in"], ["fine"]),
        helper.make_node("MaxPool", ["maps_in"], ["coarse"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    constants = {
        "sides": np.array([2, 3], np.int64),
        "last_sides": np.array([-1, -2], np.int64),
        "channels": np.array([1], np.int64),
        "flat": np.array([0, -1], np.int64),
        "begin": np.array([4], np.int64),
        "end": np.array([8], np.int64),
        "down": np.array([2], np.int64),
        "square": np.eye(CHANNELS, dtype=np.float32),
        "scale": np.float32(0.25),
        "zero": np.uint8(0),
    }
    graph = helper.make_graph(
        [*before, *nodes],
        "pooled",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 8, 8, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", feature_size])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString(deterministic=True))


def global_average(maps: str, features: str) -> list[NodeProto]:
    """As torch's adaptive pooling and flattening are exported."""
    return [
        helper.make_node("GlobalAveragePool", [maps], [f"{features}.pooled"]),
        helper.make_node("Reshape", [f"{features}.pooled", "flat"], [features]),
    ]


def mean_of_sides(maps: str, features: str, *, sides: str = "sides") -> list[NodeProto]:
    """As torch's `mean((2, 3))` is exported."""
    return [helper.make_node("ReduceMean", [maps, sides], [features], keepdims=0)]


def mean_of_lower_half(maps: str, features: str, *, in_int8: bool = False) -> list[NodeProto]:
    """As quarters are exported: maps are cut first, and in int8 quantised before that and after it."""
    cut = [helper.make_node("Slice", [f"{maps}.in" if in_int8 else maps, "begin", "end", "down"], [f"{features}.cut"])]
    if in_int8:
        before, after = _rounded(maps, f"{maps}.in"), _rounded(f"{features}.cut", f"{features}.out")
        return [*before, *cut, *after, *mean_of_sides(f"{features}.out", features)]
    return [*cut, *mean_of_sides(f"{features}.cut", features)]


def _rounded(maps: str, out: str) -> list[NodeProto]:
    return [
        helper.make_node("QuantizeLinear", [maps, "scale", "zero"], [f"{out}.small"]),
        helper.make_node("DequantizeLinear", [f"{out}.small", "scale", "zero"], [out]),
    ]


def two_scales() -> bytes:
    """Features of fine maps beside those of coarse ones, as taps give them."""
    nodes = [*global_average("fine", "first"), *mean_of_sides("coarse", "second")]
    return pooled_graph([*nodes, helper.make_node("Concat", ["first", "second"], ["features"], axis=1)], feature_size=6)
