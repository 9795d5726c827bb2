"""Tiny real bundles without the trainer: a model that tells colours apart, published as any other."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from shared.bundle import FEATURES, INPUT_NAME, LOGITS, MODEL_FILE, NOVELTY, PROBABILITIES, Bundle
from shared.golden import Golden, write_golden
from shared.preprocess import PreprocessSpec
from shared.publish import publish, seal, staging_folder
from shared.session import open_session

COLOURS = ("red", "green", "blue")
SPEC = PreprocessSpec(height=16, width=16, resize=16)
SHARPNESS = 20.0
NO_DIGEST = "0" * 64


def publish_bundle(
    models_dir: Path,
    name: str = "colours",
    *,
    labels: Sequence[str] = COLOURS,
    spec: PreprocessSpec = SPEC,
    model: bytes | None = None,
    golden: Golden | None = None,
    with_maps: bool = False,
    **fields: Any,
) -> Bundle:
    """Publish a model that names the strongest colour channel; K labels for the channels red, green and blue.

    With maps, the bundle says where the evidence lies: the channels themselves are the maps.
    """
    if with_maps:
        model = colour_model(len(labels), spec, with_maps=True)
        fields |= {"evidence": {"outputs": ("maps",), "file": "evidence.npy"}}
    model = colour_model(len(labels), spec) if model is None else model
    with staging_folder(models_dir, name) as folder:
        (folder / MODEL_FILE).write_bytes(model)
        (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
        (folder / "metrics.json").write_text(json.dumps({"accuracy": 1.0}), encoding="utf-8")
        if with_maps:
            np.save(folder / "evidence.npy", _evidence(len(labels)))
        write_golden(folder, golden or golden_of(model, spec))
        seal(folder, metadata_fields(name, labels, spec) | fields)
        return publish(folder, models_dir)


def colour_model(
    label_count: int = 3,
    spec: PreprocessSpec = SPEC,
    *,
    novelty: float | None = None,
    rename: Mapping[str, str] = MappingProxyType({}),
    reshape_to: int | None = None,
    with_maps: bool = False,
) -> bytes:
    """uint8 (N, H, W, 3) -> mean of each channel -> linear -> softmax, as an ONNX file.

    Args:
        label_count: K, at most 3.
        spec: only its height and width matter.
        novelty: what the output of that name says about every picture; None for no such output.
        rename: tensor names to exchange, for models that break their promise.
        reshape_to: insert a reshape to this many values in all, which fails for any other size.
        with_maps: an output of that name, the channels (N, 3, H, W), is there too.
    """
    weight = _weight(label_count)
    nodes = [
        helper.make_node("Cast", [INPUT_NAME], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "full"], ["scaled"]),
        helper.make_node("ReduceMean", ["scaled", "sides"], [FEATURES], keepdims=0),
        helper.make_node("MatMul", [FEATURES, "weight"], [LOGITS]),
        helper.make_node("Softmax", [LOGITS], [PROBABILITIES], axis=1),
    ]
    constants = {"full": np.float32(255), "sides": np.array([1, 2]), "weight": weight}
    outputs = {PROBABILITIES: ["N", label_count], LOGITS: ["N", label_count], FEATURES: ["N", 3]}
    if novelty is not None:
        nodes += [
            helper.make_node("ReduceMin", [PROBABILITIES, "last"], ["least"], keepdims=0),
            helper.make_node("Mul", ["least", "nothing"], ["none"]),
            helper.make_node("Add", ["none", "novelty_value"], [NOVELTY]),
        ]
        constants |= {"last": np.array([1]), "nothing": np.float32(0), "novelty_value": np.float32(novelty)}
        outputs[NOVELTY] = ["N"]
    if with_maps:
        nodes.append(helper.make_node("Transpose", ["scaled"], ["maps"], perm=[0, 3, 1, 2]))
        outputs["maps"] = ["N", 3, spec.height, spec.width]
    if reshape_to is not None:
        nodes[0].output[0] = "any"
        nodes.insert(1, helper.make_node("Reshape", ["any", "fixed"], ["float"]))
        constants["fixed"] = np.array([1, reshape_to, 1, 3])
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, ["N", spec.height, spec.width, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return _renamed(model, rename).SerializeToString(deterministic=True)


def _weight(label_count: int) -> NDArray[np.float32]:
    return (SHARPNESS * np.eye(3, label_count)).astype(np.float32)


def _evidence(label_count: int) -> NDArray[np.float32]:
    """The weights by label, less their mean, and a constant of 0."""
    weight = _weight(label_count).T
    return np.ascontiguousarray(np.pad(weight - weight.mean(0), ((0, 0), (0, 1))))


def golden_of(model: bytes, spec: PreprocessSpec = SPEC) -> Golden:
    """Plain pictures of each colour and what the model makes of them; zeros where it cannot be run."""
    images = np.zeros((3, spec.height, spec.width, 3), np.uint8)
    for channel in range(3):
        images[channel, ..., channel] = 200
    return Golden(images=images, probabilities=_probabilities(model, images), novelty=_novelty(model, images))


def metadata_fields(name: str, labels: Sequence[str], spec: PreprocessSpec) -> dict[str, Any]:
    """What `seal` wants to know of a model that was never trained."""
    return {
        "name": name,
        "labels": tuple(labels),
        "spec": spec,
        "backbone": {
            "name": "mean colour",
            "feature_size": 3,
            "weights": "none",
            "weights_sha256": NO_DIGEST,
            "licence": "none",
            "graph_sha256": NO_DIGEST,
        },
        "metrics": {"accuracy": 1.0},
        "manifest_digest": NO_DIGEST,
        "split": {"seed": 0, "shares": (0.7, 0.1, 0.2), "counts": {"train": 7, "validation": 1, "test": 2}},
        "settings": {},
        "tools": {},
    }


def _probabilities(model: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = open_session(model, provider="cpu")
    return session.run(images, [session.output_names[0]])[0]


def _novelty(model: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    session = open_session(model, provider="cpu")
    return session.run(images, [NOVELTY])[0] if NOVELTY in session.output_names else None


def _renamed(model: onnx.ModelProto, names: Mapping[str, str]) -> onnx.ModelProto:
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.name = names.get(tensor.name, tensor.name)
    return model
