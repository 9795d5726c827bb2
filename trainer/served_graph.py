"""The served graph: the backbone's with the head on top, pixels in and probabilities out."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from shared.bundle import FEATURES, LOGITS, NOVELTY, PROBABILITIES
from shared.preprocess import PreprocessSpec
from trainer.head import Head
from trainer.novelty import Novelty
from trainer.novelty_nodes import Constants, Node, novelty_nodes
from trainer.pooled_maps import Maps

if TYPE_CHECKING:
    from onnx import ModelProto


def attach_head(
    backbone: bytes,
    head: Head,
    *,
    labels: Sequence[str],
    spec: PreprocessSpec,
    temperature: float = 1.0,
    novelty: Novelty | None = None,
    exposed: Mapping[str, Maps] = MappingProxyType({}),
) -> bytes:
    """The served graph: pixels in; probabilities, logits, features and, if it is known, novelty out.

    Standardisation, the linear layer, temperature and softmax become nodes after the backbone's; the operations are
    those of `Head.logits`, in the same order. Labels and spec are also in the file's metadata, as JSON.

    Args:
        backbone: a graph of `backbone_graph`.
        head: for its features.
        labels: K class names, by class index.
        spec: what the pixels must be prepared with.
        temperature: probabilities are softmax(logits / temperature).
        novelty: fitted on the same features; the graph has no such output without it.
        exposed: maps of the backbone, (N, C, h, w), that are outputs too, by the names they have then.

    Raises:
        ValueError: head, labels and backbone do not go together.
    """
    from onnx import ModelProto, TensorProto, helper

    from trainer.canonical import serialise

    model = ModelProto.FromString(backbone)
    feature_size = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    if (len(head.mean), len(head.bias)) != (feature_size, len(labels)) or temperature <= 0:
        raise ValueError(
            f"a head of {len(head.mean)} features and {len(head.bias)} labels at temperature {temperature} "
            f"for {feature_size} features and {len(labels)} labels"
        )
    _extend(model, "head", *_head_nodes(head, temperature))
    features = model.graph.output.pop()
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", len(labels)]) for name in (PROBABILITIES, LOGITS)
    )
    model.graph.output.append(features)
    if novelty is not None:
        _extend(model, "novelty", *novelty_nodes(novelty))
        model.graph.output.append(helper.make_tensor_value_info(NOVELTY, TensorProto.FLOAT, ["N"]))
    _expose(model, exposed)
    helper.set_model_props(
        model, {"labels": json.dumps(list(labels), ensure_ascii=False), "preprocess": spec.model_dump_json()}
    )
    return serialise(model)


def _extend(model: "ModelProto", part: str, nodes: Sequence[Node], constants: Constants) -> None:
    from onnx import helper, numpy_helper

    model.graph.node.extend(
        helper.make_node(operator, inputs, outputs, name=f"{part}.{operator}_{number}")
        for number, (operator, inputs, outputs) in enumerate(nodes)
    )
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())


def _expose(model: "ModelProto", exposed: Mapping[str, Maps]) -> None:
    """Let tensors be outputs. To rename one costs nothing; a node that copies it would."""
    from onnx import TensorProto, helper

    names = {maps.tensor: name for name, maps in exposed.items()}
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *maps.shape]) for name, maps in exposed.items()
    )


def _head_nodes(head: Head, temperature: float) -> tuple[list[Node], Constants]:
    """The nodes in order, and the constants that they read."""
    constants = {"head.mean": head.mean, "head.std": head.std, "head.weight": head.weight, "head.bias": head.bias}
    nodes: list[Node] = [
        ("Sub", [FEATURES, "head.mean"], ["head.centred"]),
        ("Div", ["head.centred", "head.std"], ["head.standardised"]),
    ]
    read = "head.standardised"
    if head.hidden is not None:
        constants |= {"head.hidden.weight": head.hidden.weight, "head.hidden.bias": head.hidden.bias}
        nodes.append(("Gemm", [read, "head.hidden.weight", "head.hidden.bias"], ["head.hidden.sums"]))
        nodes.append(("Relu", ["head.hidden.sums"], ["head.hidden.units"]))
        read = "head.hidden.units"
    nodes.append(("Gemm", [read, "head.weight", "head.bias"], [LOGITS]))
    scaled = LOGITS
    if temperature != 1.0:
        scaled = "head.scaled"
        constants["head.temperature"] = np.array(temperature, dtype=np.float32)
        nodes.append(("Div", [LOGITS, "head.temperature"], [scaled]))
    nodes.append(("Softmax", [scaled], [PROBABILITIES]))
    return nodes, {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in constants.items()}
