"""An inference from its request to its answer: picture after picture, all by the same version."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.answers import Answer, Computed
from service.generation import Generation
from service.model_errors import ModelFailed, UnknownVersion, VersionSwapped
from service.open_inference.answer import OWN, Written, write_answer
from service.open_inference.metadata import outputs_of
from service.open_inference.request import Inference
from service.registry import Registry
from service.runtime import Runtime
from service.sources import Source
from service.stage_times import StageTimes
from shared.decode import DecodeLimits
from shared.errors import FinialError, PictureError


def served(registry: Registry, name: str, version: str | None) -> Generation:
    """What is served of a model.

    Raises:
        UnknownModel, ModelNotLoaded: nothing is.
        UnknownVersion: another version than the one that is asked for.
    """
    generation = registry.require(name)
    if version is not None and version != generation.version:
        raise UnknownVersion(name, version, served=generation.version)
    return generation


class InferenceRun:
    """One inference.

    Args:
        inference: what is asked.
        runtime: who answers.
        name: the model's.
        version: the one that is wanted; None for whichever is served.
        deadline: as the pool's.
        times: told of each stage.
    """

    def __init__(
        self,
        inference: Inference,
        runtime: Runtime,
        *,
        name: str,
        version: str | None,
        deadline: float,
        times: StageTimes,
    ) -> None:
        self._inference, self._runtime, self._times = inference, runtime, times
        self._name, self._version, self._deadline = name, version, deadline

    async def answer(self) -> tuple[list[Answer], Written]:
        """What is said of each picture, and the answer's body. Begun anew if the model is swapped meanwhile.

        Raises:
            ServiceError, PictureError: of the first picture that cannot be answered; then none is.
        """
        while True:
            generation = served(self._runtime.registry, self._name, self._version)
            wanted = self._inference.outputs_of(outputs_of(generation))
            also = [each.name for each in wanted if each.name not in OWN]
            try:
                computed = await self._compute_by(generation.version, also)
            except VersionSwapped:
                continue
            return [each.answer for each in computed], write_answer(self._inference, wanted, computed)

    async def _compute_by(self, version: str, also: Sequence[str]) -> list[Computed]:
        """One after the other: a request holds one lane at most, and queues anew for each picture."""
        sources = self._inference.pictures
        return [await self._compute(n, partial(_by, version, source), also) for n, source in enumerate(sources)]

    async def _compute(self, n: int, source: Source, also: Sequence[str]) -> Computed:
        try:
            return await self._runtime.classifier.compute(
                source, model=self._name, deadline=self._deadline, also=also, times=self._times
            )
        except (PictureError, ModelFailed) as error:
            if (count := len(self._inference.pictures)) == 1:
                raise
            raise _numbered(error, n + 1, count) from error


def _numbered(error: FinialError, n: int, count: int) -> FinialError:
    """An error of the same kind that says which picture it was."""
    kind = type(error)
    told = kind.__new__(kind, f"picture {n} of {count}: {error}")
    vars(told).update(vars(error))
    return told


def _by(version: str, source: Source, generation: Generation, limits: DecodeLimits) -> NDArray[np.uint8]:
    if generation.version != version:
        raise VersionSwapped(generation.name)
    return source(generation, limits)
