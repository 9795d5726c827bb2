"""The cache of exported graphs."""

import hashlib
from pathlib import Path

import pytest

from tests.trainer.random_weights import random_state, save_with_hash, whole_network
from trainer.backbones import Weights, choose_backbone, find_weights
from trainer.catalogue import BackboneEntry, get_entry
from trainer.errors.backbones import WeightsDamaged
from trainer.errors.caches import CacheNotWritable
from trainer.graph import backbone_graph, find_graph
from trainer.progress import Quiet

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


@pytest.mark.slow
def test_a_graph_is_known_by_what_is_in_it_and_not_by_how_pictures_are_brought_to_its_size(
    random_squeezenet: tuple[BackboneEntry, Weights], exported: tuple[Path, bytes]
) -> None:
    """Fits share a graph; another size, tap or mirror never gets it."""
    cache, graph = exported
    same = {"fit": "stretch", "resize": 500, "interpolation": "bicubic"}

    assert find_graph(*random_squeezenet, SMALL.model_copy(update=same), cache) == graph
    for other in ({"height": 128}, {"width": 128}, {"std": (0.5, 0.5, 0.5)}):
        assert find_graph(*random_squeezenet, SMALL.model_copy(update=other), cache) is None
    assert find_graph(*random_squeezenet, SMALL, cache, taps=("features.7",)) is None
    assert find_graph(*random_squeezenet, SMALL, cache, mirror=True) is None
