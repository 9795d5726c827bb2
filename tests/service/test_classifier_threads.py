"""Many callers on real threads and real sessions, some of whom go away, send rubbish or meet a failure."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.answers import Answer
from service.classifier import Classifier
from service.generation import Generation
from service.model_errors import ModelFailed
from service.pool import Pool, in_seconds
from service.registry import Registry
from service.runner import SessionRunner
from shared.decode import DecodeLimits
from shared.errors import PictureError, RunFailed
from shared.session import open_session
from tests.service.bundles import publish_bundle
from tests.service.fakes import FakeSession, fake_generation
from tests.service.pictures import BLUE, GREEN, RED, picture

pytestmark = pytest.mark.anyio

LANES = 3
MOST = 2  # of the lanes: with so many cores a run is wide, though another may have the third (decision 25)
MODELS = ("cats", "dogs")
COLOURS = {"red": RED, "green": GREEN, "blue": BLUE}


class Cores:
    """How many cores are computing at least, and the most there ever were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.busy = self.most = 0

    def take(self, cores: int) -> None:
        with self._lock:
            self.busy += cores
            self.most = max(self.most, self.busy)


class WatchedSession:
    """A real session that tells how many cores its lease has at least, and fails now and then."""

    provider = "CPUExecutionProvider"

    def __init__(self, model: Path, cores: Cores, *, width: int) -> None:
        self._session = open_session(model, provider="cpu", threads=1)
        self._cores, self._width, self._chance = cores, width, np.random.default_rng(width)

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        self._cores.take(self._width)
        try:
            if self._chance.random() < 0.1:
                raise RunFailed(images.shape, detail="bad luck")
            return self._session.run(images, outputs)
        finally:
            self._cores.take(-self._width)


@pytest.fixture
def cores() -> Cores:
    return Cores()


@pytest.fixture
def registry(models_dir: Path, cores: Cores) -> Registry:
    registry = Registry()
    for name in MODELS:
        bundle = publish_bundle(models_dir, name)
        narrow, wide = (WatchedSession(bundle.model_path, cores, width=width) for width in (1, MOST))
        registry.put(Generation(name, bundle, SessionRunner(narrow, wide)))  # type: ignore[arg-type]
    return registry


@pytest.fixture
def pool() -> Pool:
    return Pool(lanes=LANES, max_waiting=400)


@pytest.fixture
def classifier(registry: Registry, pool: Pool) -> Iterator[Classifier]:
    with ThreadPoolExecutor(LANES) as executor:
        yield Classifier(registry=registry, pool=pool, executor=executor, limits=DecodeLimits())


async def come_and_go(classifier: Classifier, chance: np.random.Generator, seen: Counter[str]) -> None:
    """One caller: sends a picture of a colour, or rubbish, and may lose patience at any moment."""
    colour, model = str(chance.choice(list(COLOURS))), str(chance.choice(MODELS))
    data = picture(COLOURS[colour], kind="PNG") if chance.random() < 0.8 else b"\x89PNG\r\n\x1a\n rubbish"
    await asyncio.sleep(chance.random() * 0.2)
    task = asyncio.create_task(classifier.classify(data, model=model, count=1, deadline=in_seconds(60)))
    if chance.random() < 0.3:
        await asyncio.sleep(chance.random() * 0.02)
        task.cancel()
    (answer,) = await asyncio.gather(task, return_exceptions=True)
    seen[type(answer).__name__] += 1
    if isinstance(answer, Answer):
        assert (answer.predictions[0].label, answer.model) == (colour, model), "an answer was swapped"
    else:
        assert isinstance(answer, PictureError | ModelFailed | asyncio.CancelledError), repr(answer)


async def test_every_caller_gets_its_own_answer_and_every_core_comes_back(
    classifier: Classifier, registry: Registry, pool: Pool, cores: Cores
) -> None:
    seen: Counter[str] = Counter()
    await asyncio.gather(*(come_and_go(classifier, np.random.default_rng(seed), seen) for seed in range(300)))
    for _ in range(3):  # and one who comes alone, whose session may fail
        with contextlib.suppress(ModelFailed):
            await classifier.classify(picture(), model="cats", count=1, deadline=in_seconds(60))

    assert seen.total() == 300
    assert min(seen[kind] for kind in ("Answer", "PictureCorrupt", "ModelFailed", "CancelledError")) > 0
    assert cores.busy == 0
    assert MOST <= cores.most <= LANES, "the budget was used, and kept"
    stats = pool.stats()
    assert (stats.leased, stats.wide, stats.waiting, stats.refused_total, stats.timed_out_total) == (0, 0, 0, 0, 0)
    assert stats.asked_total == stats.granted_total + stats.gave_up_total == 303
    assert stats.wide_runs_total >= 3
    assert stats.narrow_runs_total > 0
    generations = [registry.require(name) for name in MODELS]
    registry.close()
    assert all(generation.closed for generation in generations), "a lease of a generation was lost"


async def test_a_caller_who_is_cancelled_again_and_again_keeps_the_lane_until_the_thread_has_ended(pool: Pool) -> None:
    """A server that shuts down may cancel twice; the thread computes on, and on the lane's core."""
    release, session = threading.Event(), FakeSession()
    registry = Registry()
    registry.put(fake_generation("cats", session=session))
    with ThreadPoolExecutor(1) as executor:
        executor.submit(release.wait, 30)
        classifier = Classifier(registry=registry, pool=pool, executor=executor, limits=DecodeLimits())
        task = asyncio.create_task(classifier.classify(picture(), model="cats", count=1, deadline=in_seconds(60)))
        for _ in range(3):
            await asyncio.sleep(0.01)
            assert pool.stats().leased == 1
            task.cancel()
        await asyncio.sleep(0.01)
        assert (pool.stats().leased, task.done()) == (1, False)
        release.set()
        await asyncio.gather(task, return_exceptions=True)

    assert (task.cancelled(), pool.stats().leased) == (True, 0)
    assert session.shapes == [], "nobody waited for it any more"
    assert pool.stats().expired_total == 1
