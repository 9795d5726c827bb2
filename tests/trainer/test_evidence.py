"""Whether class activation maps can be told is read from the graph, and what they add up to is what the head says."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import NodeProto, helper

from shared.evidence import heat_of
from shared.session import open_session
from tests.trainer.pooled_graphs import (
    CHANNELS,
    POOLED_SPEC,
    global_average,
    mean_of_lower_half,
    mean_of_sides,
    pooled_graph,
    two_scales,
)
from trainer.evidence import evidence_weights, learn_evidence
from trainer.head import Head, Hidden
from trainer.pooled_maps import find_pooled_maps
from trainer.served_graph import attach_head

LABELS = ("cat", "dog", "newt", "owl")


def head_of(features: int = CHANNELS) -> Head:
    random = np.random.default_rng(3)
    return Head(
        weight=random.normal(size=(features, len(LABELS))).astype(np.float32),
        bias=random.normal(size=len(LABELS)).astype(np.float32),
        mean=random.uniform(100, 150, features).astype(np.float32),
        std=random.uniform(5, 50, features).astype(np.float32),
    )


@pytest.mark.parametrize(
    "nodes",
    [
        global_average("fine", "features"),
        mean_of_sides("fine", "features"),
        mean_of_sides("fine", "features", sides="last_sides"),
        [
            helper.make_node("QuantizeLinear", ["fine", "scale", "zero"], ["small"]),
            helper.make_node("DequantizeLinear", ["small", "scale", "zero"], ["large"]),
            *global_average("large", "features"),
        ],
    ],
)
def test_maps_behind_a_global_average_are_found(nodes: list[NodeProto]) -> None:
    found = find_pooled_maps(pooled_graph(nodes))

    assert found.reason is None
    assert [(maps.tensor, maps.shape) for maps in found.maps] == [(nodes[-2:][0].input[0], (CHANNELS, 8, 8))]


def test_features_of_several_maps_are_found_in_their_order() -> None:
    found = find_pooled_maps(two_scales())

    assert [(maps.tensor, maps.shape) for maps in found.maps] == [("fine", (3, 8, 8)), ("coarse", (3, 4, 4))]


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (
            [*global_average("fine", "pooled"), helper.make_node("MatMul", ["pooled", "square"], ["features"])],
            "they come from MatMul",
        ),
        (
            [helper.make_node("ReduceMean", ["pixels", "sides"], ["features"], keepdims=0)],
            "not one map for each feature",  # pixels (N, H, W, 3): no feature is the mean of a channel
        ),
        (
            [
                helper.make_node("ReduceMean", ["fine", "channels"], ["grey"], keepdims=0),
                helper.make_node("ReduceMean", ["grey", "last_sides"], ["features"], keepdims=1),
            ],
            "not one map for each feature",
        ),
        ([helper.make_node("ReduceMax", ["fine", "sides"], ["features"], keepdims=0)], "they come from ReduceMax"),
        (mean_of_lower_half("fine", "features"), "averages of a part of the maps"),
        (mean_of_lower_half("fine", "features", in_int8=True), "averages of a part of the maps"),
    ],
)
def test_other_features_have_no_such_maps_and_the_reason_is_told(nodes: list[NodeProto], reason: str) -> None:
    found = find_pooled_maps(pooled_graph(nodes))

    assert not found.maps
    assert reason in (found.reason or "")


@pytest.mark.parametrize("in_int8", [False, True])
def test_averages_beside_those_of_a_part_have_none_either(*, in_int8: bool) -> None:
    """The graph of `--taps middle,middle:quarters`: heat of a quarter would be spread over the whole picture."""
    nodes = [*global_average("fine", "first"), *mean_of_lower_half("coarse", "second", in_int8=in_int8)]
    together = helper.make_node("Concat", ["first", "second"], ["features"], axis=1)

    found = find_pooled_maps(pooled_graph([*nodes, together], feature_size=6))

    assert not found.maps
    assert found.reason == "the features are not global averages of maps (they are averages of a part of the maps)"


def test_a_head_that_is_not_linear_has_no_map_of_its_own() -> None:
    hidden = Hidden(np.eye(CHANNELS, dtype=np.float32), np.zeros(CHANNELS, np.float32))

    found = learn_evidence(pooled_graph(global_average("fine", "features")), replace(head_of(), hidden=hidden))

    assert (found.maps, found.weights, found.info, found.file()) == ((), None, None, None)
    assert found.reason == "the head is not linear"


@pytest.mark.parametrize(
    ("backbone", "features"), [(pooled_graph(global_average("fine", "features")), 3), (two_scales(), 6)]
)
def test_the_heat_of_each_label_adds_up_to_its_logit(backbone: bytes, features: int) -> None:
    """The map shows where exactly that comes from which the label is chosen by, nothing else."""
    head = head_of(features)
    learned = learn_evidence(backbone, head)
    model = attach_head(backbone, head, labels=LABELS, spec=POOLED_SPEC, exposed=learned.exposed)
    images = np.random.default_rng(4).integers(0, 256, (2, 8, 8, 3), np.uint8)

    logits, *maps = open_session(model).run(images, ["logits", *learned.exposed])

    assert learned.weights is not None
    for row in range(len(images)):
        heat = heat_of([each[row] for each in maps], learned.weights)
        assert heat.shape == (len(LABELS), 8, 8)
        assert heat.mean((1, 2)) == pytest.approx(logits[row] - logits[row].mean(), rel=1e-4, abs=1e-4)


def test_maps_are_outputs_of_their_own_and_change_no_other() -> None:
    backbone, head = two_scales(), head_of(6)
    plain = attach_head(backbone, head, labels=LABELS, spec=POOLED_SPEC)
    exposed = learn_evidence(backbone, head).exposed
    with_maps = attach_head(backbone, head, labels=LABELS, spec=POOLED_SPEC, exposed=exposed)
    images = np.random.default_rng(4).integers(0, 256, (2, 8, 8, 3), np.uint8)

    first, second = open_session(plain), open_session(with_maps)

    assert second.output_names == (*first.output_names, "maps", "maps_1")
    assert [second.shape_of(name) for name in ("maps", "maps_1")] == [(None, 3, 8, 8), (None, 3, 4, 4)]
    for one, other in zip(first.run(images, first.output_names), second.run(images, first.output_names), strict=True):
        assert np.array_equal(one, other)


def test_the_graph_with_maps_is_the_same_every_time() -> None:
    backbone, head = two_scales(), head_of(6)

    made = {
        attach_head(backbone, head, labels=LABELS, spec=POOLED_SPEC, exposed=learn_evidence(backbone, head).exposed)
        for _ in range(3)
    }

    assert len(made) == 1
    assert learn_evidence(backbone, head).file() == learn_evidence(backbone, head).file()


def test_what_all_labels_share_is_no_evidence() -> None:
    head = head_of()
    shifted = replace(head, weight=head.weight + 5, bias=head.bias - 7)

    assert evidence_weights(head).sum(0) == pytest.approx(0, abs=1e-5)
    assert evidence_weights(shifted) == pytest.approx(evidence_weights(head), abs=1e-4)
