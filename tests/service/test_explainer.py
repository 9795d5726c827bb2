"""Where the evidence lies is found out within the rules that all requests keep: lanes, turns, deadlines, swaps."""

import asyncio
import io
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service import explainer, explaining
from service.classifier import Classifier
from service.explainer import Explainer
from service.explaining import GRID
from service.model_errors import UnknownLabel
from service.pool import Pool
from service.pool_errors import PoolTimeout
from service.registry import Registry
from shared.bundle import PROBABILITIES
from shared.decode import DecodeLimits
from tests.service.fakes import FakeClock, FakeSession, fake_generation
from tests.service.pictures import RED, picture

Result = TypeVar("Result")

RUNS = GRID * GRID + 1


class BrightnessSession(FakeSession):
    """Sure of red as far as the left upper pixels are bright; tells who asks how many runs there were."""

    def __init__(self, on_run: Callable[[int], object] = lambda _: None) -> None:
        super().__init__()
        self._on_run = on_run

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        super().run(images, [PROBABILITIES])
        self._on_run(len(self.shapes))
        share = 0.1 + 0.8 * float(images[:, :4, :4].mean()) / 255
        return [np.array([[share, 1 - share, 0]], np.float32) for _ in outputs]


def corner() -> bytes:
    """A dark picture with a bright left upper corner, 16 x 16 px as the model takes it."""
    image = Image.new("RGB", (16, 16), (10, 10, 10))
    image.paste((250, 250, 250), (0, 0, 4, 4))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class Served:
    """One model, one lane, and a clock that is turned by hand."""

    def __init__(self, session: FakeSession, executor: ThreadPoolExecutor) -> None:
        self.clock, self.registry, self.session = FakeClock(), Registry(), session
        self.registry.put(fake_generation(session=session))
        self.pool = Pool(lanes=1, max_waiting=8, clock=self.clock)
        self.classifier = Classifier(registry=self.registry, pool=self.pool, executor=executor, limits=DecodeLimits())
        self.explainer = Explainer(self.registry, self.classifier)

    async def explain(self, data: bytes, label: str | None = None, *, seconds: float = 100.0) -> Any:
        deadline = self.clock() + seconds
        return await self.explainer.explain(data, model="colours", label=label, deadline=deadline)


def play(session: FakeSession, scene: Callable[[Served], Coroutine[Any, Any, Result]]) -> Result:
    with ThreadPoolExecutor(1) as executor:
        return asyncio.run(scene(Served(session, executor)))


def test_what_makes_the_score_fall_when_it_is_covered_is_hot() -> None:
    session = BrightnessSession()

    found = play(session, lambda served: served.explain(corner(), "red"))

    assert found.method == "occlusion"
    assert found.heat.shape == (GRID, GRID)
    assert found.heat[0, 0] == 1.0 == found.heat.max()
    assert (found.heat[3:] == 0).all()
    assert (found.heat[:, 3:] == 0).all()


def test_evidence_for_one_of_two_labels_is_evidence_against_the_other() -> None:
    async def scene(served: Served) -> Any:
        return [await served.explain(corner(), label) for label in ("red", "green")]

    red, green = play(BrightnessSession(), scene)

    assert green.heat == pytest.approx(-red.heat)
    assert red.score + green.score == pytest.approx(1)


def test_the_best_label_is_explained_if_none_is_named() -> None:
    found = play(FakeSession(), lambda served: served.explain(picture()))

    assert (found.label, found.score) == ("green", pytest.approx(0.7))
    assert not found.heat.any()  # whatever is covered, this model says the same


def test_the_same_picture_is_explained_in_the_same_way() -> None:
    async def scene(served: Served) -> Any:
        return [await served.explain(corner()) for _ in range(2)]

    first, second = play(BrightnessSession(), scene)

    assert np.array_equal(first.heat, second.heat)


def test_the_number_of_runs_is_bounded_and_each_is_of_one_picture() -> None:
    session = BrightnessSession()

    play(session, lambda served: served.explain(corner()))

    assert session.shapes == [(1, 16, 16, 3)] * RUNS


def test_pixels_are_looked_at_on_a_lanes_thread_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a picture of 4096 px their mean takes a quarter of a second, which others would wait for on the event loop."""
    threads: list[int] = []

    def mean_colour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        threads.append(threading.get_ident())
        return explaining.mean_colour(pixels)

    monkeypatch.setattr(explainer, "mean_colour", mean_colour)
    play(BrightnessSession(), lambda served: served.explain(corner()))

    assert len(threads) == 1
    assert threads != [threading.get_ident()]  # of the event loop


def test_a_label_that_the_model_does_not_know_costs_no_run() -> None:
    session = FakeSession()

    with pytest.raises(UnknownLabel, match="'gren'; it knows 'green', 'red', 'blue'"):
        play(session, lambda served: served.explain(picture(), "gren"))

    assert session.shapes == []


def test_who_comes_while_a_picture_is_explained_waits_for_one_run_only() -> None:
    """Fifty runs in one lease would keep everybody else out for as long."""
    seen: list[int] = []

    async def scene(served: Served) -> Any:
        explaining = asyncio.create_task(served.explain(corner()))
        while len(served.session.shapes) < 3:
            await asyncio.sleep(0)
        begun = len(served.session.shapes)
        await served.classifier.classify(picture(RED), model="colours", count=1, deadline=served.clock() + 100)
        seen.append(len(served.session.shapes) - begun)
        return await explaining

    found = play(BrightnessSession(), scene)

    assert found.heat[0, 0] == 1.0
    assert seen[0] <= 4


def test_an_explanation_ends_at_its_deadline_however_many_runs_are_left() -> None:
    async def scene(served: Served) -> Any:
        served.session._on_run = lambda _: served.clock.advance(1)  # type: ignore[attr-defined]
        return await served.explain(corner(), seconds=9.5)

    session = BrightnessSession()
    with pytest.raises(PoolTimeout):
        play(session, scene)

    assert len(session.shapes) == 10


def test_a_caller_who_leaves_is_worked_for_no_longer_and_gives_the_lane_back() -> None:
    async def scene(served: Served) -> Any:
        explaining = asyncio.create_task(served.explain(corner()))
        while len(served.session.shapes) < 3:
            await asyncio.sleep(0)
        explaining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await explaining
        return served.pool.stats()

    session = BrightnessSession()
    stats = play(session, scene)

    assert len(session.shapes) < 8
    assert (stats.leased, stats.waiting) == (0, 0)


def test_a_swap_begins_the_explanation_anew_so_that_only_one_version_speaks() -> None:
    newer = BrightnessSession()

    async def scene(served: Served) -> Any:
        def swap(count: int) -> None:
            if count == 10:
                served.registry.put(fake_generation(version="v2", session=newer))

        served.session._on_run = swap  # type: ignore[attr-defined]
        return await served.explain(corner())

    older = BrightnessSession()
    found = play(older, scene)

    assert found.version == "v2"
    assert (len(older.shapes), len(newer.shapes)) == (10, RUNS)
