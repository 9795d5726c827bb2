"""The head on top of a backbone's graph, and the cache of exported graphs."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from shared.onnx_file import refuse_unsafe_model
from shared.preprocess import PreprocessSpec
from shared.session import Session, open_session
from tests.trainer.random_weights import random_state, save_with_hash, whole_network
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.backbones import Weights, choose_backbone, find_weights
from trainer.catalogue import BackboneEntry, get_entry
from trainer.errors import CacheNotWritable, WeightsDamaged
from trainer.graph import attach_head, backbone_graph
from trainer.head import LinearHead
from trainer.progress import Quiet

LABELS = ("cat", "dog", "Zebra, gestreift \N{ZEBRA FACE}", "teddy bear")


def head_for(labels: int = len(LABELS), features: int = 3) -> LinearHead:
    random = np.random.default_rng(5)
    return LinearHead(
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
def test_parts_that_do_not_go_together_are_refused(head: LinearHead, temperature: float) -> None:
    with pytest.raises(ValueError, match="3 features and 4 labels"):
        attach_head(tiny_graph(), head, labels=LABELS, spec=TINY_SPEC, temperature=temperature)


SMALL = get_entry("squeezenet1_1").spec.model_copy(update={"height": 96, "width": 96, "resize": 96})


@pytest.fixture(scope="module")
def random_squeezenet(tmp_path_factory: pytest.TempPathFactory) -> tuple[BackboneEntry, Weights]:
    state = random_state(whole_network("squeezenet1_1"))
    path = save_with_hash(tmp_path_factory.mktemp("weights"), "squeezenet1_1", state)
    entry, _ = choose_backbone(None, path)
    return entry, find_weights(entry, path, download=False)


@pytest.fixture(scope="module")
def exported(
    random_squeezenet: tuple[BackboneEntry, Weights], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, bytes]:
    """A cache folder with one graph in it, and that graph."""
    cache, progress = tmp_path_factory.mktemp("cache"), Quiet()
    graph = backbone_graph(*random_squeezenet, SMALL, cache, progress=progress)
    assert progress.said == [
        "Exporting squeezenet1_1 to ONNX; this is done once for these weights, and takes about 10 s."
    ]
    return cache, graph


@pytest.mark.slow
def test_a_graph_is_exported_once_and_read_ever_after(
    random_squeezenet: tuple[BackboneEntry, Weights], exported: tuple[Path, bytes]
) -> None:
    """The second time the weights are not even there."""
    (entry, weights), (cache, graph) = random_squeezenet, exported
    progress = Quiet()

    again = backbone_graph(
        entry, Weights(Path("gone.pth"), weights.sha256, weights.source), SMALL, cache, progress=progress
    )

    assert again == graph
    assert progress.said == []
    (stored,) = (cache / "graphs").iterdir()
    assert stored.stem.endswith(hashlib.sha256(graph).hexdigest())


@pytest.mark.slow
def test_a_damaged_graph_is_exported_again(
    random_squeezenet: tuple[BackboneEntry, Weights], exported: tuple[Path, bytes], tmp_path: Path
) -> None:
    (stored,) = (exported[0] / "graphs").iterdir()
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / stored.name).write_bytes(exported[1][:-1])

    assert backbone_graph(*random_squeezenet, SMALL, tmp_path) == exported[1]
    assert [path.read_bytes() for path in (tmp_path / "graphs").iterdir()] == [exported[1]]


@pytest.mark.slow
def test_other_weights_or_another_spec_never_get_this_graph(
    random_squeezenet: tuple[BackboneEntry, Weights], exported: tuple[Path, bytes], tmp_path: Path
) -> None:
    (entry, weights), (cache, _) = random_squeezenet, exported
    gone = tmp_path / "gone.pth"
    gone.write_bytes(b"")
    others = [
        (entry, Weights(gone, 64 * "0", "other weights"), SMALL),
        (entry, Weights(gone, weights.sha256, "same weights"), SMALL.model_copy(update={"mean": (0.5, 0.5, 0.5)})),
        (get_entry("resnet18"), Weights(gone, weights.sha256, "same weights"), SMALL),
    ]

    for other, its_weights, spec in others:
        with pytest.raises(WeightsDamaged):  # it had to look at the weights: there was no graph for them
            backbone_graph(other, its_weights, spec, cache)


def test_a_cache_that_cannot_be_written_is_named_before_the_work_is_done(tmp_path: Path) -> None:
    (tmp_path / "graphs").write_text("a file where the folder belongs")

    with pytest.raises(CacheNotWritable, match="--cache-dir"):
        backbone_graph(get_entry("resnet18"), Weights(Path("gone.pth"), 64 * "0", "none"), SMALL, tmp_path)
