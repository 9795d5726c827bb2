"""Does novelty notice real pictures that have nothing to do with the training? bench.novelty has all the figures."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.backbones import find_weights, get_entry
from trainer.featurize import featurize
from trainer.graph import backbone_graph
from trainer.mahalanobis import fit_mahalanobis, unit_rows
from trainer.manifest import read_manifest
from trainer.ranking import roc_auc

pytestmark = pytest.mark.slow

FLOWERS, UNRELATED = "flower-photos-small", ("cats-dogs", "sdnet2018-decks", "sign-digits")
_OF_EACH = 40

OfSets = dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]]


@pytest.fixture(scope="module")
def of_sets(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> OfSets:
    """MobileNetV2's features and class indices: of all flowers, and of 40 pictures of each other set."""
    cache, (weights,) = tmp_path_factory.mktemp("cache"), (shared_data / "weights").glob("mobilenet_v2_*.pth")
    entry = get_entry("mobilenet_v2")
    graph = backbone_graph(entry, find_weights(entry, weights, download=False), entry.spec, cache)
    found: OfSets = {}
    for name in (FLOWERS, *UNRELATED):
        manifest = read_manifest(shared_data / "datasets" / name, cache_dir=cache)
        samples = manifest.samples if name == FLOWERS else manifest.samples[:: len(manifest.samples) // _OF_EACH]
        features = featurize(samples, graph, entry.spec, cache_dir=cache, threads=2).values
        found[name] = features, np.array([manifest.labels.index(sample.label) for sample in samples])
    return found


@pytest.mark.parametrize("name", UNRELATED)
def test_flowers_are_told_from_what_is_no_flower(name: str, of_sets: OfSets) -> None:
    """PCA to 64 dimensions, without what it leaves out, reaches 0.70 on cats-dogs and 0.75 on decks."""
    flowers, targets = of_sets[FLOWERS]
    unrelated, _ = of_sets[name]
    held = np.arange(len(flowers)) % 5 == 0

    near = fit_mahalanobis(unit_rows(flowers[~held]), targets[~held])
    known, unknown = near.distances(flowers[held]), near.distances(unrelated)

    area = roc_auc(np.concatenate([known, unknown]), np.arange(len(known) + len(unknown)) >= len(known))
    assert area is not None
    assert area >= 0.95
