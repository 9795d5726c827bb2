"""All pictures of one inference are answered by one version."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from numpy.typing import NDArray

from service.generation import Generation
from service.loading import open_generation
from service.model_errors import ModelFailed
from service.open_inference.request import Inference
from service.open_inference.run import InferenceRun
from service.pool import in_seconds
from service.settings import ServiceSettings
from service.stage_times import StageTimes
from shared.decode import DecodeLimits
from shared.errors import FinialError, UnknownFormat
from tests.service.bundles import publish_bundle
from tests.service.running import running_app

pytestmark = pytest.mark.anyio


class SwapsOnce:
    """A picture during whose preparation another version is published, the first time."""

    def __init__(self, app: FastAPI, following: Generation) -> None:
        self._registry, self._following = app.state.runtime.registry, following
        self.asked_by: list[str] = []

    def __call__(self, generation: Generation, _limits: DecodeLimits) -> NDArray[np.uint8]:
        self.asked_by.append(generation.version)
        if len(self.asked_by) == 1:
            self._registry.put(self._following)
        return np.zeros((16, 16, 3), np.uint8)


@contextmanager
def two_versions(models_dir: Path) -> Iterator[tuple[str, Generation]]:
    """The version that is served, and one that is not yet."""
    first = publish_bundle(models_dir)
    second = publish_bundle(models_dir.parent / "elsewhere", labels=("red", "green"))
    yield first.version, open_generation("colours", second.path)


async def test_a_swap_between_two_pictures_begins_the_request_anew(models_dir: Path) -> None:
    with two_versions(models_dir) as (first, following):
        async with running_app(ServiceSettings(models_dir=models_dir, poll_interval_s=3600)) as (app, _):
            picture = SwapsOnce(app, following)
            answers, _ = await run_of([picture, picture], app, version=None).answer()

    assert picture.asked_by == [first, following.version, following.version]
    assert [each.version for each in answers] == [following.version] * 2


async def test_who_named_the_version_is_told_that_it_went(models_dir: Path) -> None:
    with two_versions(models_dir) as (first, following):
        async with running_app(ServiceSettings(models_dir=models_dir, poll_interval_s=3600)) as (app, _):
            picture = SwapsOnce(app, following)
            with pytest.raises(Exception, match=f"not in '{first}'"):
                await run_of([picture, picture], app, version=first).answer()


async def test_a_request_holds_one_lane_at_a_time_and_queues_for_each_picture(models_dir: Path) -> None:
    publish_bundle(models_dir)
    async with running_app(ServiceSettings(models_dir=models_dir, lanes=4)) as (app, _):
        leased: list[int] = []

        def watching(_generation: Generation, _limits: DecodeLimits) -> NDArray[np.uint8]:
            leased.append(app.state.runtime.pool.stats().leased)
            return np.zeros((16, 16, 3), np.uint8)

        async with asyncio.timeout(30):
            await run_of([watching] * 5, app, version=None).answer()

    assert leased == [1] * 5


@pytest.mark.parametrize(
    "error", [ModelFailed("colours", "v1"), UnknownFormat(found="text", accepted=["PNG"])], ids=repr
)
async def test_which_picture_it_was_is_told_by_an_error_of_the_same_kind(models_dir: Path, error: FinialError) -> None:
    publish_bundle(models_dir)
    said = str(error)

    def failing(_generation: Generation, _limits: DecodeLimits) -> NDArray[np.uint8]:
        raise error

    def whole(_generation: Generation, _limits: DecodeLimits) -> NDArray[np.uint8]:
        return np.zeros((16, 16, 3), np.uint8)

    async with running_app(ServiceSettings(models_dir=models_dir)) as (app, _):
        with pytest.raises(type(error)) as of_two:
            await run_of([whole, failing], app, version=None).answer()
        with pytest.raises(type(error)) as of_one:
            await run_of([failing], app, version=None).answer()

    assert str(of_two.value) == f"picture 2 of 2: {said}"
    assert (of_one.value, str(error)) == (error, said)  # whose error it is finds it as it was


def run_of(pictures: list[Any], app: FastAPI, *, version: str | None) -> InferenceRun:
    return InferenceRun(
        Inference(None, pictures, None),
        app.state.runtime,
        name="colours",
        version=version,
        deadline=in_seconds(30),
        times=StageTimes(),
    )
