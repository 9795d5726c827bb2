"""Two backbones in one graph give what each gives alone."""

import numpy as np
import pytest
from onnx import ModelProto

from shared.onnx_file import refuse_unsafe_model
from shared.preprocess import PreprocessSpec
from shared.session import open_session
from tests.trainer.conv_graph import CONV_SPEC, conv_graph
from tests.trainer.tiny_graph import tiny_graph
from trainer.activation_ranges import measure_ranges
from trainer.canonical import canonical
from trainer.joined_graph import join_graphs
from trainer.parity import probe_images
from trainer.quantise import quantise

CONVOLUTIONS = canonical(ModelProto.FromString(conv_graph()))
COLOURS = canonical(ModelProto.FromString(tiny_graph(CONV_SPEC)))
IMAGES = probe_images(CONV_SPEC)


@pytest.mark.parametrize("first", [CONVOLUTIONS, quantise(CONVOLUTIONS, measure_ranges(CONVOLUTIONS, IMAGES))])
def test_features_of_both_stand_side_by_side_bit_for_bit(first: bytes) -> None:
    """So the features that were computed for each of them may be joined in memory: nothing is featurised again."""
    joined = join_graphs(first, COLOURS)

    refuse_unsafe_model(joined)
    session = open_session(joined, provider="cpu")
    alone = [open_session(graph, provider="cpu").run(IMAGES, ["features"])[0] for graph in (first, COLOURS)]
    np.testing.assert_array_equal(session.run(IMAGES, ["features"])[0], np.hstack(alone))
    assert session.shape_of("features") == (None, 11)


def test_backbones_for_pictures_of_different_sizes_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match=r"\[16, 16, 3\] and \[16, 24, 3\]"):
        join_graphs(CONVOLUTIONS, tiny_graph(PreprocessSpec(height=16, width=24, resize=24)))
