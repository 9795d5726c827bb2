"""Two backbones in one graph: the same pixels go into both, and their features stand side by side."""

from typing import TYPE_CHECKING

from shared.bundle import FEATURES, INPUT_NAME

if TYPE_CHECKING:
    from onnx import GraphProto


def join_graphs(first: bytes, second: bytes) -> bytes:
    """One canonical graph that gives the features of two, those of the first one before those of the second.

    Args:
        first, second: canonical graphs of backbones that take the same pixels: `images` (N, H, W, 3) to `features`
            (N, D1) and (N, D2), float32 or int8 inside.

    Raises:
        ValueError: they take pictures of different sizes, or were made for different versions of ONNX.
    """
    from onnx import ModelProto, TensorProto, helper

    from trainer.canonical import canonical

    models = [ModelProto.FromString(graph) for graph in (first, second)]
    sizes = [_sides(model.graph) for model in models]
    opsets = [model.opset_import[0].version for model in models]
    if sizes[0] != sizes[1] or opsets[0] != opsets[1]:
        raise ValueError(f"pictures of {sizes[0]} and {sizes[1]} under opset {opsets[0]} and {opsets[1]}")
    joined = ModelProto()
    joined.CopyFrom(models[0])
    del joined.graph.node[:], joined.graph.initializer[:], joined.graph.output[:]
    for number, model in enumerate(models):
        _add(joined.graph, model.graph, prefix=f"{number}.")
    read = [f"{number}.{FEATURES}" for number in range(len(models))]
    joined.graph.node.append(helper.make_node("Concat", read, [FEATURES], axis=1))
    width = sum(model.graph.output[0].type.tensor_type.shape.dim[1].dim_value for model in models)
    joined.graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["N", width]))
    return canonical(joined)


def _sides(graph: "GraphProto") -> list[int]:
    return [side.dim_value for side in graph.input[0].type.tensor_type.shape.dim[1:]]


def _add(joined: "GraphProto", graph: "GraphProto", *, prefix: str) -> None:
    """Append the nodes and constants of a graph; only the pixels keep their name."""

    def renamed(name: str) -> str:
        return name if name in ("", INPUT_NAME) else f"{prefix}{name}"

    for node in graph.node:
        copied = joined.node.add()
        copied.CopyFrom(node)
        copied.input[:] = map(renamed, node.input)
        copied.output[:] = map(renamed, node.output)
    for constant in graph.initializer:
        kept = joined.initializer.add()
        kept.CopyFrom(constant)
        kept.name = renamed(constant.name)
