"""A model of colours that takes its time, so that a few requests a second are too many."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.service.bundles import colour_model

SIDE = 512


def slow_model(products: int) -> bytes:
    """Answers as `colour_model` does, after so many products of 512 x 512 matrices: some 3 ms each on one core."""
    model = onnx.load_model_from_string(colour_model())
    # What the picture contributes keeps ONNX Runtime from computing the products once, when it loads the graph.
    nodes = [
        helper.make_node("ReduceMean", ["scaled"], ["grey"], keepdims=0),
        helper.make_node("Add", ["grey", "matrix"], ["product-0"]),
        *(helper.make_node("MatMul", [f"product-{n}", "matrix"], [f"product-{n + 1}"]) for n in range(products)),
        helper.make_node("ReduceMean", [f"product-{products}"], ["end"], keepdims=0),
        helper.make_node("Mul", ["end", "nothing"], ["zero"]),
        helper.make_node("Add", ["scaled", "zero"], ["slowed"]),
    ]
    before = [node for node in model.graph.node if node.op_type in ("Cast", "Div")]
    after = [node for node in model.graph.node if node.op_type not in ("Cast", "Div")]
    after[0].input[0] = "slowed"
    model.graph.ClearField("node")
    model.graph.node.extend([*before, *nodes, *after])
    for name, value in {"matrix": np.full((SIDE, SIDE), 1 / SIDE), "nothing": np.float64(0)}.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
    content: bytes = model.SerializeToString(deterministic=True)
    return content
