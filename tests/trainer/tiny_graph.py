"""A backbone small enough to read: three features, the mean of each colour. Needs no torch and runs at once."""

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from shared.preprocess import PreprocessSpec

TINY_SPEC = PreprocessSpec(height=16, width=24, resize=24)


def tiny_graph(spec: PreprocessSpec = TINY_SPEC, *, factor: float = 1.0) -> bytes:
    """`images` uint8 (N, H, W, 3) to `features` (N, 3), each colour's mean times `factor`, in the canonical form."""
    constants = {"axes": np.array([1, 2], np.int64), "factor": np.array(factor, np.float32)}
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["images"], ["pixels"], name="Cast_0", to=TensorProto.FLOAT),
            helper.make_node("Mul", ["pixels", "factor"], ["scaled"], name="Mul_1"),
            helper.make_node("ReduceMean", ["scaled", "axes"], ["features"], name="ReduceMean_2", keepdims=0),
        ],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", spec.height, spec.width, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString(deterministic=True))
