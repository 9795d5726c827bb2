"""The head on top of a backbone's graph."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from shared.onnx_file import refuse_unsafe_model
from shared.preprocess import PreprocessSpec
from shared.session import Session, open_session
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.head import Head, Hidden
from trainer.served_graph import attach_head

LABELS = ("cat", "dog", "Zebra, gestreift \N{ZEBRA FACE}", "teddy bear")


def head_for(labels: int = len(LABELS), features: int = 3) -> Head:
    random = np.random.default_rng(5)
    return Head(
        weight=random.normal(size=(features, labels)).astype(np.float32),
        bias=random.normal(size=labels).astype(np.float32),
        mean=random.uniform(100, 150, features).astype(np.float32),
        std=random.uniform(5, 50, features).astype(np.float32),
    )


def pictures(count: int = 5) -> NDArray[np.uint8]:
    shades = np.random.default_rng(6).integers(0, 256, (count, 1, 1, 3), np.uint8)
    return np.ascontiguousarray(np.broadcast_to(shades, (count, TINY_SPEC.height, TINY_SPEC.width, 3)))


def served(*, temperature: float = 1.0) -> Session:
    return open_session(attach_head(tiny_graph(), head_for(), labels=LABELS, spec=TINY_SPEC, temperature=temperature))


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.7])
def test_served_probabilities_are_the_heads_own(temperature: float) -> None:
    session, images = served(temperature=temperature), pictures()

    probabilities, logits, features = session.run(images, ["probabilities", "logits", "features"])

    expected = head_for().logits(features)
    exponentials = np.exp((expected - expected.max(1, keepdims=True)) / temperature)
    assert logits == pytest.approx(expected, abs=1e-5)
    assert probabilities == pytest.approx(exponentials / exponentials.sum(1, keepdims=True), abs=1e-6)
    assert features == pytest.approx(images.mean((1, 2)), rel=1e-6)


def test_the_served_graph_has_the_contracts_names_and_shapes() -> None:
    session = served()

    assert (session.input_name, session.output_names) == ("images", ("probabilities", "logits", "features"))
    assert session.shape_of("images") == (None, TINY_SPEC.height, TINY_SPEC.width, 3)
    assert session.shape_of("probabilities") == session.shape_of("logits") == (None, len(LABELS))


def test_labels_and_spec_travel_inside_the_file() -> None:
    metadata = served().metadata

    assert tuple(json.loads(metadata["labels"])) == LABELS
    assert PreprocessSpec.model_validate_json(metadata["preprocess"]) == TINY_SPEC


def test_the_served_graph_is_valid_standard_and_the_same_every_time() -> None:
    first, second = (attach_head(tiny_graph(), head_for(), labels=LABELS, spec=TINY_SPEC) for _ in range(2))

    assert first == second
    onnx.checker.check_model(first, full_check=True)
    refuse_unsafe_model(first)


@pytest.mark.parametrize(
    ("head", "temperature"), [(head_for(labels=3), 1.0), (head_for(features=4), 1.0), (head_for(), 0.0)]
)
def test_parts_that_do_not_go_together_are_refused(head: Head, temperature: float) -> None:
    with pytest.raises(ValueError, match="3 features and 4 labels"):
        attach_head(tiny_graph(), head, labels=LABELS, spec=TINY_SPEC, temperature=temperature)


def test_a_hidden_layer_is_served_as_the_head_computes_it() -> None:
    random = np.random.default_rng(8)
    hidden = Hidden(random.normal(size=(3, 7)).astype(np.float32), random.normal(size=7).astype(np.float32))
    head = replace(head_for(features=7), hidden=hidden, mean=head_for().mean, std=head_for().std)
    session = open_session(attach_head(tiny_graph(), head, labels=LABELS, spec=TINY_SPEC))

    logits, features = session.run(pictures(), ["logits", "features"])

    units = np.maximum((features - head.mean) / head.std @ hidden.weight + hidden.bias, 0)
    assert logits == pytest.approx(units @ head.weight + head.bias, abs=1e-4)
