"""A classifier small enough for a test, with the tensors of a served graph, and a bundle around it."""

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH, LABEL_COUNT = 4, 6, 3
LABELS = ("cat", "dog", "teddy bear")


@cache
def _weights() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    generator = np.random.default_rng(0)
    return generator.normal(0, 0.05, (3, LABEL_COUNT)).astype(np.float32), np.array([0.1, 0, -0.1], np.float32)


def some_images(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)


def expected_probabilities(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What `classifier` gives: softmax of a linear head over the mean colour."""
    weight, bias = _weights()
    logits = images.mean(axis=(1, 2)) @ weight + bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def classifier(*, metadata: Mapping[str, str] | None = None, head_domain: str = "", scale: float = 1.0) -> bytes:
    """An ONNX file: images uint8 (N, H, W, 3) -> probabilities, logits, features.

    Args:
        metadata: stored in the file.
        head_domain: whose operator the head is.
        scale: factor on the weights; infinity makes answers that are not numbers.
    """
    weight, bias = _weights()
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["features"], axes=[1, 2], keepdims=0),
        helper.make_node("Gemm", ["features", "weight", "bias"], ["logits"], domain=head_domain),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    outputs = {"probabilities": LABEL_COUNT, "logits": LABEL_COUNT, "features": 3}
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width]) for name, width in outputs.items()],
        [
            numpy_helper.from_array(weight * np.float32(scale), "weight"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    domains = [helper.make_opsetid("", 17), *([helper.make_opsetid(head_domain, 1)] if head_domain else [])]
    model = helper.make_model(graph, opset_imports=domains, ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    return model.SerializeToString()
