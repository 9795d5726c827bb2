"""Which models run pictures together, and how requests go through one that does."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from service.answers import Answer
from service.batching import Batching, MicroBatching
from service.classifier import Classifier
from service.generation import Generation
from service.loading import open_generation
from service.micro_batch import MicroBatcher
from service.pool import Pool, in_seconds
from service.pool_errors import PoolTimeout, TooManyWaiting
from service.registry import Registry
from service.runner import Outputs
from service.settings import ServiceSettings
from shared.bundle import Bundle
from shared.decode import DecodeLimits
from shared.errors import RunFailed
from shared.openvino import OPENVINO
from shared.session import CPU, CUDA
from tests.service.fakes import FakeSession, fake_generation
from tests.service.gated_session import PATIENCE_S, GatedSession
from tests.service.pictures import GREEN, RED, picture
from tests.service.running import running_app
from tests.service.waiting import until


class GatedColours(GatedSession):
    """Held as its parent, and sure that everything is the second of three labels."""

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        count = len(super().run(images, outputs)[0])
        return [np.tile(np.array([0.2, 0.7, 0.1], np.float32), (count, 1))]


class Declared(FakeSession):
    """A session of which only its provider and its declared batch matter."""

    def __init__(self, provider: str, batch: int | None = None) -> None:
        super().__init__()
        self.provider, self.batch = provider, batch

    def shape_of(self, _name: str) -> tuple[int | None, ...]:
        return (self.batch, 16, 16, 3)


@pytest.mark.parametrize(
    ("when", "provider", "suits"),
    [
        ("auto", CPU, False),
        ("auto", CUDA, True),
        ("on", CPU, True),
        ("on", CUDA, True),
        ("off", CPU, False),
        ("off", CUDA, False),
    ],
)
def test_pictures_are_run_together_on_a_gpu_or_where_asked(when: MicroBatching, provider: str, *, suits: bool) -> None:
    assert Batching(when, 16).suits(Declared(provider)) is suits  # type: ignore[arg-type]


def test_a_graph_that_takes_one_picture_at_a_time_is_given_one() -> None:
    assert not Batching("on", 16).suits(Declared(CPU, batch=1))  # type: ignore[arg-type]
    assert not Batching("on", 1).suits(Declared(CPU))  # type: ignore[arg-type]


@pytest.mark.parametrize("when", ["auto", "on"])
def test_openvino_is_given_one_picture_at_a_time(when: MicroBatching) -> None:
    """It is opened for one, and would answer the first of a batch alone."""
    session = Declared(OPENVINO)
    session.only_shape = (1, 16, 16, 3)

    assert not Batching(when, 16).suits(session)  # type: ignore[arg-type]


def test_a_device_that_cannot_hold_the_largest_batch_says_so_when_the_model_is_loaded(bundle: Bundle) -> None:
    class Small(FakeSession):
        def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
            raise RunFailed(images.shape, detail="") from MemoryError("out of memory")

    with pytest.raises(
        RunFailed, match=r"\(16, 16, 16, 3\) \(out of memory; perhaps it can with a smaller --max-batch"
    ):
        Batching("on", 16).open(Small(), ["probabilities"], bundle)  # type: ignore[arg-type]


def test_a_model_answers_the_same_in_a_batch_but_for_the_last_bits(bundle: Bundle) -> None:
    """This model's mean adds up in another order in a batch; those of real backbones here happen not to."""
    images = np.random.default_rng(0).integers(0, 256, (12, 1, 16, 16, 3), np.uint8)
    alone = open_generation("colours", bundle.path)
    together = open_generation("colours", bundle.path, cores=2, batching=Batching("on", 4))

    assert (alone.batches, together.batches) == (False, True)
    pending = [together.submit(each, deadline=in_seconds(PATIENCE_S)) for each in images]
    answers = [each.result(PATIENCE_S).probabilities for each in pending]
    assert np.allclose(answers, [alone.run(each).probabilities for each in images], rtol=0, atol=1e-5)
    together.retire()


@pytest.mark.parametrize(("provider", "both_run"), [(CPU, False), (CUDA, True)])
def test_models_that_batch_on_a_cpu_take_turns_on_its_cores(provider: str, *, both_run: bool, bundle: Bundle) -> None:
    """A run there takes all cores; three models at once would have three times as many threads as there are cores."""
    batching, sessions = Batching("on", 4), [GatedColours(), GatedColours()]
    images = np.ones((1, 16, 16, 3), np.uint8)
    for session in sessions:
        session.provider = provider
    one, other = (batching.open(session, ["probabilities"], bundle) for session in sessions)  # type: ignore[arg-type]

    first = one.submit(images)
    sessions[0].wait_until_inside()
    second = other.submit(images)
    until(lambda: other.stats().waiting == 0)  # its thread has taken it
    if both_run:
        sessions[1].wait_until_inside()
    else:
        time.sleep(0.05)
        assert sessions[1].inside is None
    for session in sessions:
        session.let_go(1000)
    assert first.result(PATIENCE_S)
    assert second.result(PATIENCE_S)
    for batcher in (one, other):
        batcher.close()
        assert batcher.join(PATIENCE_S)


# --- requests ---


def handed_in(pool: Pool) -> int:
    return pool.stats().granted_total - pool.stats().leased


def waiting_in(generation: Generation) -> int:
    stats = generation.batch_stats()
    assert stats is not None
    return stats.waiting


async def reached(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.005)


@contextmanager
def classifying(
    session: GatedColours,
    *,
    max_batch: int = 16,
    max_waiting: int = 64,
    batcher_type: type[MicroBatcher] = MicroBatcher,
) -> Iterator[tuple[Classifier, Pool, Generation]]:
    batcher = batcher_type(session, max_batch=max_batch)  # type: ignore[arg-type]
    generation = Generation("colours", fake_generation().bundle, batcher)
    registry, pool = Registry(), Pool(lanes=1, max_waiting=max_waiting)
    registry.put(generation)
    registry.put(fake_generation("cats"))
    with ThreadPoolExecutor(1) as executor:
        yield Classifier(registry=registry, pool=pool, executor=executor, limits=DecodeLimits()), pool, generation
        session.let_go(1000)
        registry.close()
    assert batcher.join(PATIENCE_S)


def test_no_lane_is_held_while_a_picture_is_run_elsewhere() -> None:
    """One core decodes picture after picture while the device computes; else a batch would never exceed the cores."""
    session = GatedColours()

    async def crowd(classifier: Classifier, pool: Pool) -> list[str]:
        def ask() -> asyncio.Task[Answer]:
            asked = classifier.classify(picture(GREEN), model="colours", count=1, deadline=in_seconds(30))
            return asyncio.create_task(asked)

        first = ask()
        await reached(lambda: session.inside)  # computed alone, since nobody else was there
        calls = [first, *(ask() for _ in range(5))]
        await reached(lambda: pool.stats().granted_total == len(calls) and not pool.stats().leased)
        session.let_go(1000)
        return [answer.predictions[0].label for answer in await asyncio.gather(*calls)]

    with classifying(session) as (classifier, pool, _):
        assert asyncio.run(crowd(classifier, pool)) == ["green"] * 6
    assert sorted(map(len, session.answered)) == [1, 5]


def test_a_caller_who_leaves_takes_the_picture_back() -> None:
    session = GatedColours()

    async def leave(classifier: Classifier, generation: Generation) -> None:
        def ask() -> asyncio.Task[Answer]:
            asked = classifier.classify(picture(RED), model="colours", count=1, deadline=in_seconds(30))
            return asyncio.create_task(asked)

        first = ask()
        await reached(lambda: session.inside)
        second = ask()
        await reached(lambda: waiting_in(generation) == 1)
        first.cancel()
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        session.let_go(1000)
        await reached(lambda: generation.batch_stats().dropped == 1)  # type: ignore[union-attr]

    with classifying(session) as (classifier, _, generation):
        asyncio.run(leave(classifier, generation))
    assert list(map(len, session.answered)) == [1]


def test_callers_who_leave_a_device_that_hangs_give_everything_back_at_once() -> None:
    """Their lanes, their room and their pictures: none of them is computed for nobody, or waits for what hangs."""
    session = GatedColours()

    async def leave(classifier: Classifier, pool: Pool, generation: Generation) -> None:
        calls = [
            asyncio.create_task(classifier.classify(picture(RED), model="colours", count=1, deadline=in_seconds(30)))
            for _ in range(6)
        ]
        await reached(lambda: session.inside and waiting_in(generation) == 2 and pool.stats().waiting == 3)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (pool.stats().leased, pool.stats().waiting, waiting_in(generation)) == (0, 0, 0)

    with classifying(session, max_batch=1) as (classifier, pool, generation):
        asyncio.run(leave(classifier, pool, generation))
    assert list(map(len, session.answered)) == [1]


def test_a_picture_is_taken_back_whose_caller_left_just_before_it_was_handed_in() -> None:
    """It was looked for on the way; but between the last look and the device there is a moment."""
    session, handing_in, go_on = GatedColours(), threading.Event(), threading.Event()

    class Slow(MicroBatcher):
        def submit(
            self, images: NDArray[np.uint8], *, deadline: float = math.inf, also: Sequence[str] = ()
        ) -> Future[Outputs]:
            handing_in.set()
            assert go_on.wait(PATIENCE_S)
            return super().submit(images, deadline=deadline, also=also)

    async def leave(classifier: Classifier) -> None:
        call = asyncio.create_task(classifier.classify(picture(RED), model="colours", count=1, deadline=in_seconds(30)))
        await reached(handing_in.is_set)
        call.cancel()
        await asyncio.sleep(0.01)
        go_on.set()
        await asyncio.gather(call, return_exceptions=True)
        session.let_go(1000)

    with classifying(session, batcher_type=Slow) as (classifier, _, generation):
        go_on.set()
        first = generation.submit(np.ones((1, 16, 16, 3), np.uint8), deadline=math.inf)
        session.wait_until_inside()
        handing_in.clear()
        go_on.clear()
        asyncio.run(leave(classifier))
        assert first.result(PATIENCE_S)
    assert list(map(len, session.answered)) == [1]


def test_a_device_that_hangs_for_one_model_takes_no_lane_from_another() -> None:
    """Callers of the one wait for its room in the pool's line, which is bounded and theirs alone."""
    session = GatedColours()

    async def meet(classifier: Classifier, pool: Pool) -> str:
        stuck: list[asyncio.Task[Answer]] = []
        for count in (3, 9):  # as many as are under way, then as many as may wait
            while len(stuck) < count:
                call = classifier.classify(picture(RED), model="colours", count=1, deadline=in_seconds(30))
                stuck.append(asyncio.create_task(call))
            await reached(lambda count=count: handed_in(pool) == 3 and pool.stats().waiting == count - 3)
        with pytest.raises(TooManyWaiting, match="the device has as many pictures as it takes and 6 requests"):
            classifier.admit("colours")
        answer = await classifier.classify(picture(RED), model="cats", count=1, deadline=in_seconds(PATIENCE_S))
        session.let_go(1000)
        await asyncio.gather(*stuck)
        return answer.model

    with classifying(session, max_batch=1, max_waiting=6) as (classifier, pool, _):
        assert asyncio.run(meet(classifier, pool)) == "cats"
    assert len(session.answered) == 9


def test_a_device_that_does_not_answer_keeps_nobody_beyond_the_deadline() -> None:
    session = GatedColours()

    with classifying(session) as (classifier, _, _), pytest.raises(PoolTimeout, match="before the device had answered"):
        asyncio.run(classifier.classify(picture(RED), model="colours", count=1, deadline=in_seconds(0.2)))


def test_a_version_that_is_retired_answers_what_it_was_handed() -> None:
    """A swap drops no request, though the generation's lease ends with the lane."""
    session = GatedColours()

    async def swap(classifier: Classifier, generation: Generation) -> str:
        call = asyncio.create_task(classifier.classify(picture(RED), model="colours", count=1, deadline=in_seconds(30)))
        await reached(lambda: session.inside)
        generation.retire()
        await reached(lambda: generation.closed)
        session.let_go(1000)
        return (await call).predictions[0].label

    with classifying(session) as (classifier, _, generation):
        assert asyncio.run(swap(classifier, generation)) == "green"


@pytest.mark.anyio
async def test_a_runner_that_dies_makes_the_process_not_alive(models_dir: Path, bundle: Bundle) -> None:
    """Only a restart helps, and whoever restarts looks at /health/live."""
    session = GatedColours(gated=False)
    async with running_app(ServiceSettings(models_dir=models_dir)) as (app, client):
        runtime = app.state.runtime
        batching = Batching("on", 4, runtime.lifecycle.break_down)
        batcher = batching.open(session, ["probabilities"], bundle)  # type: ignore[arg-type]
        runtime.registry.put(Generation("colours", bundle, batcher))
        assert (await client.get("/health/live")).status_code == httpx.codes.OK

        session.died_of = SystemExit("the device fell off the bus")
        answer = await client.post("/predict", files={"file": picture(RED)})
        live, ready = await client.get("/health/live"), await client.get("/health/ready")

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:finial:problem:broken")
    assert (live.status_code, ready.status_code) == (503, 503)
    assert live.json()["status"] == "broken"
    assert "the device fell off the bus" in live.json()["reason"] == ready.json()["reason"]
