"""From bytes to predictions, within a lease."""

import asyncio
import math
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from service.classifier import Classifier
from service.generation import Generation
from service.loading import open_generation
from service.model_errors import ModelFailed, UnknownModel
from service.pool import Pool, in_seconds
from service.pool_errors import PoolTimeout, TooManyWaiting
from service.registry import Registry
from service.sources import decoded_file
from service.stage_times import StageTimes
from shared.bundle import NOVELTY, PROBABILITIES, Bundle
from shared.decode import DecodeLimits
from shared.errors import PictureCorrupt, TooManyPixels, UnknownFormat
from tests.service.alone import classify_alone
from tests.service.fakes import FakeClock, FakeSession, fake_generation
from tests.service.pictures import BLUE, GREEN, RED, picture

LIMITS = DecodeLimits()


@pytest.mark.parametrize(("colour", "label"), [(RED, "red"), (GREEN, "green"), (BLUE, "blue")])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_a_picture_gets_the_label_of_its_colour(
    colour: tuple[int, int, int], label: str, kind: str, bundle: Bundle
) -> None:
    answer = classify_alone(picture(colour, kind=kind), open_generation("colours", bundle.path), count=2)

    assert answer.predictions[0].label == label
    assert len(answer.predictions) == 2
    assert (answer.model, answer.version) == ("colours", bundle.version)


def test_every_label_is_given_when_more_are_asked_for() -> None:
    answer = classify_alone(picture(), fake_generation(), count=10**9)

    assert [prediction.label for prediction in answer.predictions] == ["green", "red", "blue"]


@pytest.mark.parametrize("novelty", [0.25, 0.995])
def test_a_picture_is_unfamiliar_above_the_models_threshold(novelty: float) -> None:
    generation = fake_generation(
        session=FakeSession(novelty=novelty), outputs=(PROBABILITIES, NOVELTY), thresholds={"unfamiliar": 0.99}
    )

    answer = classify_alone(picture(), generation, count=1)

    assert (answer.novelty, answer.unfamiliar) == (pytest.approx(novelty), novelty > 0.99)


def test_what_a_model_does_not_know_is_null() -> None:
    answer = classify_alone(picture(), fake_generation(), count=1)

    assert (answer.novelty, answer.unfamiliar) == (None, None)


@pytest.mark.parametrize("novelty", [math.nan, math.inf])
def test_a_novelty_that_is_no_number_is_none(novelty: float) -> None:
    """Else the picture would be called familiar, of which nothing is known."""
    generation = fake_generation(
        session=FakeSession(novelty=novelty), outputs=(PROBABILITIES, NOVELTY), thresholds={"unfamiliar": 0.99}
    )

    answer = classify_alone(picture(), generation, count=1)

    assert (answer.novelty, answer.unfamiliar) == (None, None)


class Speechless(FakeSession):
    """Its graph comes to no number."""

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        return [np.full_like(found, np.nan) for found in super().run(images, outputs)]


def test_probabilities_that_are_no_numbers_are_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ModelFailed):
        classify_alone(picture(), fake_generation(session=Speechless()), count=1)
    assert "no numbers" in caplog.text


def test_a_picture_that_cannot_be_used_says_why() -> None:
    generation = fake_generation()

    with pytest.raises(UnknownFormat):
        classify_alone(b"<svg/>", generation, count=1)
    with pytest.raises(PictureCorrupt):
        classify_alone(picture(kind="JPEG", size=(200, 200))[:300], generation, count=1)
    with pytest.raises(TooManyPixels):
        classify_alone(picture(size=(20, 20)), generation, limits=DecodeLimits(max_pixels=399), count=1)


@pytest.mark.anyio
async def test_work_is_dropped_between_decoding_and_its_run_too() -> None:
    """Decoding may take longer than there was time; the run would take as long again, for nobody."""
    session, registry, clock = FakeSession(), Registry(), FakeClock()
    registry.put(fake_generation(session=session))
    pool = Pool(lanes=1, max_waiting=0, clock=clock)

    def decode(_generation: Generation, _limits: DecodeLimits) -> NDArray[np.uint8]:
        clock.advance(2)
        return np.zeros((16, 16, 3), np.uint8)

    with ThreadPoolExecutor(1) as executor, pytest.raises(PoolTimeout, match="before it was run"):
        classifier = Classifier(registry=registry, pool=pool, executor=executor, limits=LIMITS)
        await classifier.compute(decode, model="colours", deadline=clock() + 1)

    assert session.shapes == []


class SlowSession(FakeSession):
    """Runs until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.started, self.go_on = threading.Event(), threading.Event()

    def run(self, images: np.ndarray, outputs: object) -> list[np.ndarray]:  # type: ignore[type-arg,override]
        self.started.set()
        assert self.go_on.wait(30)
        return super().run(images, outputs)  # type: ignore[arg-type]


@pytest.fixture
def session() -> SlowSession:
    return SlowSession()


@pytest.fixture
def generation(session: SlowSession) -> Generation:
    return fake_generation(session=session)


@pytest.fixture
def registry(generation: Generation) -> Registry:
    registry = Registry()
    registry.put(generation)
    return registry


@pytest.fixture
def pool() -> Pool:
    return Pool(lanes=1, max_waiting=1)


@pytest.fixture
def classifier(registry: Registry, pool: Pool) -> Iterator[Classifier]:
    with ThreadPoolExecutor(1) as executor:
        yield Classifier(registry=registry, pool=pool, executor=executor, limits=LIMITS)


@pytest.mark.anyio
async def test_a_swap_waits_for_nobody_and_takes_nothing_away(
    classifier: Classifier, registry: Registry, session: SlowSession, generation: Generation
) -> None:
    running = asyncio.create_task(classify(classifier))
    await asyncio.to_thread(session.started.wait, 30)
    waiting = asyncio.create_task(classify(classifier))
    await asyncio.sleep(0)

    registry.put(fake_generation(version="v2"))
    session.go_on.set()

    assert (await running).version == "v1"
    assert (await waiting).version == "v2", "one who waits is served by the version that is current at its turn"
    assert generation.closed


@pytest.mark.anyio
async def test_a_cancelled_caller_keeps_its_lane_until_its_thread_has_ended(
    classifier: Classifier, pool: Pool, session: SlowSession
) -> None:
    """A lane is a core. Given away early, two requests would compute on it at once."""
    task = asyncio.create_task(classify(classifier))
    await asyncio.to_thread(session.started.wait, 30)

    task.cancel()
    await asyncio.sleep(0.01)
    assert pool.stats().leased == 1

    session.go_on.set()
    await asyncio.gather(task, return_exceptions=True)
    assert (task.cancelled(), pool.stats().leased) == (True, 0)


@pytest.mark.anyio
async def test_who_is_not_in_time_is_refused_and_never_runs(classifier: Classifier, session: SlowSession) -> None:
    running = asyncio.create_task(classify(classifier))
    await asyncio.to_thread(session.started.wait, 30)

    with pytest.raises(PoolTimeout):
        await classify(classifier, timeout_s=0.01)

    session.go_on.set()
    await running
    assert len(session.shapes) == 1


@pytest.mark.anyio
async def test_admission_refuses_before_the_upload_what_would_be_refused_after_it(
    classifier: Classifier, pool: Pool
) -> None:
    assert classifier.admit(None) == classifier.admit("colours") == "colours"
    with pytest.raises(UnknownModel):
        classifier.admit("cats")

    with pool.lease(in_seconds(9)):
        pool.enter("colours", in_seconds(9), lambda: None)
        with pytest.raises(TooManyWaiting):
            classifier.admit("colours")


@pytest.mark.anyio
async def test_who_is_refused_at_once_has_not_waited(classifier: Classifier, pool: Pool) -> None:
    """Counted with nothing, they would make the waits of all others look short, the more the more are refused."""
    waiting, asked = StageTimes(), {"model": "colours", "count": 3, "deadline": in_seconds(30)}
    with pool.lease(in_seconds(9)):
        late = asyncio.create_task(
            classifier.classify(picture(), model="colours", count=3, deadline=in_seconds(0.01), times=waiting)
        )
        await asyncio.sleep(0)
        for_task, for_turn = StageTimes(), StageTimes()
        with pytest.raises(TooManyWaiting):
            await classifier.classify(picture(), **asked, times=for_task)  # type: ignore[arg-type]
        with pytest.raises(TooManyWaiting):
            classifier.begin(picture(), **asked, times=for_turn, told=lambda: None)  # type: ignore[arg-type]
        for_turn.end()
        with pytest.raises(PoolTimeout):
            await late
    assert (for_task.seconds(), for_turn.seconds(), list(waiting.seconds())) == ({}, {}, ["queue"])


async def classify(classifier: Classifier, *, timeout_s: float = 30.0) -> object:
    return await classifier.classify(picture(), model="colours", count=3, deadline=in_seconds(timeout_s))


def test_who_wants_tensors_has_the_labels_not_put_in_order() -> None:
    """A run of an explanation would sort a thousand labels, of which nobody looks at more than the first."""
    pool, registry = Pool(lanes=1, max_waiting=1), Registry()
    registry.put(fake_generation())
    with ThreadPoolExecutor(1) as executor:
        classifier = Classifier(registry=registry, pool=pool, executor=executor, limits=LIMITS)
        found = asyncio.run(classifier.compute(decoded_file(picture()), model="colours", deadline=in_seconds(30)))

    assert [each.label for each in found.answer.predictions] == ["green"]
    assert len(found.outputs.probabilities) == len(found.labels) == 3
