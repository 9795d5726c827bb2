"""A classifier small enough for a test, with the tensors of a served graph, and a bundle around it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from shared.bundle import Bundle, BundleMetadata
from shared.golden import Golden, write_golden
from shared.preprocess import PreprocessSpec
from shared.publish import publish, seal, staging_folder

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


def classifier(
    *, metadata: Mapping[str, str] | None = None, head_domain: str = "", scale: float = 1.0, external: bool = False
) -> bytes:
    """An ONNX file: images uint8 (N, H, W, 3) -> probabilities, logits, features.

    Args:
        metadata: stored in the file.
        head_domain: whose operator the head is.
        scale: factor on the weights; infinity makes answers that are not numbers.
        external: a weight is kept in another file.
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
    if external:
        model.graph.initializer[0].data_location = TensorProto.EXTERNAL
        model.graph.initializer[0].external_data.add(key="location", value="../weights.bin")
    return model.SerializeToString()


def write_bundle(folder: Path, name: str = "pets", *, model: bytes | None = None, **fields: object) -> BundleMetadata:
    """Write a whole, sealed bundle of `classifier` into an empty folder; `fields` replace those of bundle.json."""
    model = classifier() if model is None else model
    images = some_images(2)
    (folder / "model.onnx").write_bytes(model)
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    (folder / "report.html").write_text("<p>not part of the content</p>")
    write_golden(folder, Golden(images=images, probabilities=expected_probabilities(images).astype(np.float32)))
    return seal(folder, metadata_fields(name) | fields)


def metadata_fields(name: str = "pets") -> dict[str, Any]:
    return {
        "name": name,
        "labels": LABELS,
        "spec": PreprocessSpec(height=HEIGHT, width=WIDTH, resize=8),
        "backbone": {
            "name": "mean colour",
            "feature_size": 3,
            "weights": "none",
            "weights_sha256": "0" * 64,
            "licence": "none",
            "graph_sha256": "0" * 64,
        },
        "metrics": {"accuracy": 0.5},
        "manifest_digest": "1" * 64,
        "split": {"seed": 0, "shares": (0.7, 0.15, 0.15), "counts": {"train": 7}},
        "settings": {"top_k": 5, "by_count": {2: "two", 10: "ten"}},
        "tools": {"onnx": "1"},
    }


def publish_pets(models_dir: Path, *, model: bytes | None = None, **options: Any) -> Bundle:
    with staging_folder(models_dir, "pets") as folder:
        write_bundle(folder, model=model)
        return publish(folder, models_dir, **options)
