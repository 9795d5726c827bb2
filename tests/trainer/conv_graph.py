"""A small convolutional backbone with seeded weights, for what needs convolutions and not sense."""

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from shared.preprocess import PreprocessSpec

CONV_SPEC = PreprocessSpec(height=16, width=16, resize=16)
_CHANNELS = 8


def conv_graph(
    convolutions: int = 6, *, seed: int = 0, spec: PreprocessSpec = CONV_SPEC, joined: bool = False
) -> bytes:
    """`images` uint8 (N, H, W, 3) to `features` (N, 8): 3 x 3 convolutions with ReLU, and averages of the maps.

    `joined`: the last two convolutions' maps are joined before they are averaged, and the averages with themselves, so
    that features are (N, 32).
    """
    random = np.random.default_rng(seed)
    constants = {"scale": np.array(1 / 255, np.float32)}
    nodes: list[NodeProto] = [
        helper.make_node("Transpose", ["images"], ["planes"], name="Transpose_0", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["pixels"], name="Cast_1", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "scale"], ["maps0"], name="Mul_2"),
    ]
    for number in range(convolutions):
        depth = _CHANNELS if number else 3
        weight = random.normal(0, (2 / (9 * depth)) ** 0.5, (_CHANNELS, depth, 3, 3))
        constants[f"weight{number}"] = weight.astype(np.float32)
        constants[f"bias{number}"] = random.normal(0, 0.1, _CHANNELS).astype(np.float32)
        read = [f"maps{number}", f"weight{number}", f"bias{number}"]
        nodes.append(helper.make_node("Conv", read, [f"sums{number}"], name=f"Conv_{number}", pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"sums{number}"], [f"maps{number + 1}"], name=f"Relu_{number}"))
    maps, flat, size = f"maps{convolutions}", "features", _CHANNELS
    if joined:
        last_two, maps, flat, size = [f"maps{convolutions - 1}", maps], "joined", "flat", 4 * _CHANNELS
        nodes.append(helper.make_node("Concat", last_two, [maps], name="Concat_maps", axis=1))
    nodes.append(helper.make_node("GlobalAveragePool", [maps], ["pooled"], name="GlobalAveragePool"))
    nodes.append(helper.make_node("Flatten", ["pooled"], [flat], name="Flatten"))
    if joined:
        nodes.append(helper.make_node("Concat", [flat, flat], ["twice"], name="Concat_features", axis=1))
        nodes.append(helper.make_node("Identity", ["twice"], ["features"], name="Identity"))
    graph = helper.make_graph(
        nodes,
        "conv",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", spec.height, spec.width, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", size])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString(deterministic=True))
