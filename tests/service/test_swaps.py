"""Versions are swapped while leases are out: nothing is freed under a running prediction, and nothing is kept after."""

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from service.loading import open_generation
from service.model_store import LocalStore
from service.registry import Registry
from service.watcher import Watcher
from shared.bundle import Bundle
from shared.publish import rollback
from tests.service.bundles import publish_bundle

IMAGES = np.full((1, 16, 16, 3), 7, np.uint8)
SESSIONS_EACH = 2  # narrow and wide


def sessions_alive() -> int:
    gc.collect()
    return sum(type(each) is onnxruntime.InferenceSession for each in gc.get_objects())


@pytest.fixture
def before() -> int:
    return sessions_alive()


@pytest.fixture
def watcher(models_dir: Path, bundle: Bundle, before: int) -> Iterator[tuple[Registry, Watcher]]:
    registry = Registry()

    def open_wide(name: str, path: Path) -> object:
        return open_generation(name, path, cores=2)

    yield registry, Watcher(registry, LocalStore(models_dir), open_version=open_wide)  # type: ignore[arg-type]
    registry.close()


def test_a_lease_that_is_out_keeps_its_version_and_its_end_frees_it(
    watcher: tuple[Registry, Watcher], models_dir: Path, bundle: Bundle, before: int
) -> None:
    registry, one = watcher
    one.poll()
    assert sessions_alive() == before + SESSIONS_EACH

    with registry.lease("colours") as leased:
        publish_bundle(models_dir, labels=("rot", "gruen", "blau"))
        one.poll()
        assert registry.require("colours").version != leased.version == bundle.version
        assert leased.run(IMAGES).probabilities.shape == (3,)
        assert sessions_alive() == before + 2 * SESSIONS_EACH
    assert leased.closed
    assert sessions_alive() == before + SESSIONS_EACH  # though somebody may still know the generation

    registry.close()
    assert sessions_alive() == before


def test_swaps_under_running_predictions_free_none_of_them_and_keep_none(
    watcher: tuple[Registry, Watcher], models_dir: Path, bundle: Bundle, before: int
) -> None:
    """Each lease runs on to the end of its version's time and beyond; each run is whole."""
    registry, one = watcher
    versions = [bundle.version, publish_bundle(models_dir, labels=("rot", "gruen", "blau")).version]
    one.poll()
    over = threading.Event()

    def predict() -> int:
        count = 0
        while not over.is_set():
            with registry.lease("colours") as leased:
                for _ in range(50):
                    assert np.isclose(leased.run(IMAGES, wide=bool(count % 2)).probabilities.sum(), 1.0)
                    count += 1
        return count

    with ThreadPoolExecutor(3) as executor:
        running = [executor.submit(predict) for _ in range(3)]
        for number in range(30):
            rollback(models_dir, "colours", versions[number % 2])
            one.poll()
        over.set()
        counts = [each.result(60) for each in running]

    assert min(counts) > 0
    assert registry.reloads()["colours"] == {"loaded": 31}
    assert sessions_alive() == before + SESSIONS_EACH
