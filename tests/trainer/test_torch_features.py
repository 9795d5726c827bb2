"""What torch computed for the golden pictures is not computed again, and never taken for another backbone's."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from tests.trainer.test_parity import MeanColour
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.parity import probe_images
from trainer.torch_features import known_torch_features, torch_features


class Modules:
    """Gives the module and counts how often it was asked for."""

    def __init__(self, *, factor: float = 1.0) -> None:
        self.factor, self.asked = factor, 0

    def __call__(self) -> nn.Module:
        self.asked += 1
        return MeanColour(TINY_SPEC, factor=self.factor)


def known(modules: Modules, images: NDArray[np.uint8], cache: Path, graph: bytes = tiny_graph()) -> NDArray[np.float32]:
    return known_torch_features(
        modules, graph, TINY_SPEC, images, feature_size=3, cache_dir=cache, backbone="mean-colour"
    )


def test_the_module_is_built_once_for_the_same_pictures(tmp_path: Path) -> None:
    modules, images = Modules(), probe_images(TINY_SPEC)

    first, second = known(modules, images, tmp_path), known(modules, images, tmp_path)

    assert modules.asked == 1
    assert np.array_equal(first, torch_features(modules, TINY_SPEC, images))
    assert np.array_equal(first, second)


def test_only_new_pictures_are_computed_and_rows_keep_their_order(tmp_path: Path) -> None:
    modules, images = Modules(), probe_images(TINY_SPEC)
    known(modules, images[1:2], tmp_path)

    found = known(modules, np.stack([*images, images[0]]), tmp_path)

    expected = torch_features(modules, TINY_SPEC, images)
    assert np.array_equal(found, np.stack([*expected, expected[0]]))


def test_another_graph_is_another_module(tmp_path: Path) -> None:
    """A row of a module that was changed must never prove the graph of the new one."""
    images = probe_images(TINY_SPEC)
    known(Modules(), images, tmp_path)

    changed = known(Modules(factor=2.0), images, tmp_path, graph=tiny_graph() + b" ")

    assert np.array_equal(changed, torch_features(Modules(factor=2.0), TINY_SPEC, images))


def test_values_that_are_not_numbers_are_given_and_not_kept(tmp_path: Path) -> None:
    """The gate is to see them, in this run and in the next."""
    modules, images = Modules(factor=float("nan")), probe_images(TINY_SPEC)

    for _ in range(2):
        assert np.isnan(known(modules, images, tmp_path)).all()
    assert modules.asked == 2


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "features").write_bytes(b"a file where a folder should be")
    modules, images = Modules(), probe_images(TINY_SPEC)

    assert np.array_equal(known(modules, images, tmp_path), torch_features(modules, TINY_SPEC, images))
