"""The int8 graph gives nearly the float32 graph's features, and depends on nothing but what it is made from."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

from shared.onnx_file import refuse_unsafe_model
from shared.session import open_session
from tests.trainer.conv_graph import CONV_SPEC, conv_graph
from tests.trainer.tiny_graph import tiny_graph
from trainer.activation_ranges import measure_ranges
from trainer.canonical import canonical
from trainer.errors.features import QuantisationFailed
from trainer.parity import probe_images, relative_differences
from trainer.quantise import FLOAT_CONVOLUTIONS, quantise

ROOT = Path(__file__).parents[2]
GRAPH = canonical(ModelProto.FromString(conv_graph()))
IMAGES = probe_images(CONV_SPEC)


def features_of(graph: bytes) -> NDArray[np.float32]:
    return open_session(graph, provider="cpu").run(IMAGES, ["features"])[0]


def weights_in_8_bits(graph: bytes) -> list[NDArray[np.int8]]:
    constants = ModelProto.FromString(graph).graph.initializer
    return [numpy_helper.to_array(one) for one in constants if one.data_type == TensorProto.INT8 and len(one.dims) == 4]


@pytest.mark.parametrize("reduced_range", [False, True])
def test_its_features_are_nearly_those_of_the_float32_graph(*, reduced_range: bool) -> None:
    quantised = quantise(GRAPH, measure_ranges(GRAPH, IMAGES), reduced_range=reduced_range)

    differences = relative_differences(features_of(GRAPH), features_of(quantised))
    assert 0 < differences.max() < 0.1


def test_only_the_first_convolutions_stay_float() -> None:
    """They are the ones that int8 makes slower and worse."""
    quantised = quantise(GRAPH, measure_ranges(GRAPH, IMAGES))

    assert len(weights_in_8_bits(quantised)) == 6 - FLOAT_CONVOLUTIONS


def test_maps_are_joined_in_8_bits_and_features_are_not() -> None:
    """Turned back to float to be joined, maps cost more than the int8 convolutions around them save."""
    graph = canonical(ModelProto.FromString(conv_graph(joined=True)))
    quantised = quantise(graph, measure_ranges(graph, IMAGES))

    nodes = ModelProto.FromString(quantised).graph.node
    made_by = {node.output[0]: node.op_type for node in nodes}
    read_by = {name: node.op_type for node in nodes for name in node.input}
    maps, features = [node for node in nodes if node.op_type == "Concat"]
    assert {made_by[name] for name in maps.input} == {"DequantizeLinear"}
    assert read_by[maps.output[0]] == "QuantizeLinear"
    assert "DequantizeLinear" not in {made_by[name] for name in features.input}
    assert read_by[features.output[0]] == "Identity"
    assert 0 < relative_differences(features_of(graph), features_of(quantised)).max() < 0.1


def test_weights_have_a_scale_for_each_output_channel() -> None:
    """One scale for all channels costs most where channels differ, as behind depthwise convolutions."""
    for weight in weights_in_8_bits(quantise(GRAPH, measure_ranges(GRAPH, IMAGES))):
        assert (np.abs(weight.reshape(len(weight), -1)).max(axis=1) == 127).all()


def test_in_the_reduced_range_no_two_products_overflow_16_bits() -> None:
    """A CPU without VNNI adds two products of a uint8 and an int8 in 16 bits, and clips the sum without a word."""
    reduced = quantise(GRAPH, measure_ranges(GRAPH, IMAGES), reduced_range=True)

    largest = [int(np.abs(weight.astype(int)).max()) for weight in weights_in_8_bits(reduced)]
    assert largest and max(largest) * 255 * 2 < 2**15


def test_the_graph_may_be_served_and_is_canonical() -> None:
    """QOperator graphs have operators of Microsoft's domain, which no bundle may hold."""
    quantised = quantise(GRAPH, measure_ranges(GRAPH, IMAGES))

    refuse_unsafe_model(quantised)
    assert canonical(ModelProto.FromString(quantised)) == quantised
    model = ModelProto.FromString(quantised).graph
    assert [value.name for value in (*model.input, *model.output)] == ["images", "features"]


def test_graphs_made_in_two_folders_under_two_hash_seeds_are_byte_equal(tmp_path: Path) -> None:
    program = (
        "import hashlib, tests.trainer.test_quantise as here;"
        "made = here.quantise(here.GRAPH, here.measure_ranges(here.GRAPH, here.IMAGES));"
        "print(hashlib.sha256(made).hexdigest(), any(word in made for word in (b'/tmp', b'/home')))"
    )
    told = set()
    for hash_seed in ("0", "1"):
        folder = tmp_path / hash_seed
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        told.add(subprocess.check_output([sys.executable, "-c", program], cwd=folder, env=environment, text=True))

    here = hashlib.sha256(quantise(GRAPH, measure_ranges(GRAPH, IMAGES))).hexdigest()
    assert [line.split() for line in told] == [[here, "False"]]


def test_a_graph_without_enough_convolutions_is_refused_with_what_to_do() -> None:
    with pytest.raises(QuantisationFailed, match=r"no convolution after the first 3.*--precision float32"):
        quantise(tiny_graph(), measure_ranges(tiny_graph(), np.zeros((1, 16, 24, 3), np.uint8)))


def test_ranges_follow_the_pictures_and_hold_zero() -> None:
    black, white = np.zeros((2, 16, 16, 3), np.uint8), np.full((2, 16, 16, 3), 255, np.uint8)

    assert range_of_pixels(black) == (0, 0)
    assert range_of_pixels(white) == pytest.approx((0, 1))


def test_one_extreme_picture_does_not_widen_the_ranges_for_all_others() -> None:
    images = np.zeros((8, 16, 16, 3), np.uint8)
    images[3] = 255

    assert range_of_pixels(images) == (0, 0)


def range_of_pixels(images: NDArray[np.uint8]) -> tuple[float, float]:
    """Of the tensor that holds pixels between 0 and 1."""
    name: str = next(node.output[0] for node in ModelProto.FromString(GRAPH).graph.node if node.op_type == "Mul")
    low, high = measure_ranges(GRAPH, images)[name]
    return float(low), float(high)
