"""Where the evidence for a label lies in a picture: from the model's maps in one run, else by covering it bit by bit.

Each run waits for a lane of its own, like any request's: however many an explanation takes, it holds one lane at a
time, never for longer than a run, and who waits meanwhile has their turn. Knows no HTTP.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.answers import Computed
from service.classifier import Classifier
from service.explaining import GRID, Box, Method, Patch, box_of, covered, log_odds, mean_colour, patches, scaled
from service.generation import Generation
from service.model_errors import UnknownLabel, VersionSwapped
from service.registry import Registry
from service.sources import Source
from service.stage_times import StageTimes
from shared.decode import DecodeLimits, decode
from shared.evidence import Evidence, heat_of
from shared.preprocess import PreprocessSpec, preprocess


@dataclass(frozen=True)
class Explanation:
    """What speaks for a label in a picture, and where.

    Attributes:
        label: whose evidence it is.
        score: its probability.
        method: how it was found out.
        heat: shape (h, w), in [-1, 1]: positive speaks for the label, negative against it; all 0 if nothing does.
        box: the part of the upright picture that the heat lies over.
    """

    label: str
    score: float
    method: Method
    heat: NDArray[np.float64]
    box: Box
    model: str
    version: str


@dataclass(frozen=True)
class _Question:
    """A picture that one generation is asked about."""

    data: bytes
    generation: Generation
    deadline: float
    times: StageTimes

    def require(self, generation: Generation) -> None:
        """All runs of an explanation are compared with each other, so they are those of one version."""
        if generation is not self.generation:
            raise VersionSwapped(generation.name)


@dataclass(frozen=True)
class _Seen:
    """A picture as its model sees it.

    Attributes:
        pixels: shape (H, W, 3).
        box: the part of the upright picture that these are.
    """

    pixels: NDArray[np.uint8]
    box: Box

    @cached_property
    def colour(self) -> NDArray[np.uint8]:
        """What patches have, shape (3,). The mean of many pixels takes its time: for a lane's thread."""
        return mean_colour(self.pixels)


class Explainer:
    """Explains pictures for many callers at once.

    Args:
        registry: which generation a model's name means.
        classifier: decodes and runs, within leases.
    """

    def __init__(self, registry: Registry, classifier: Classifier) -> None:
        self._registry, self._classifier = registry, classifier

    async def explain(
        self, data: bytes, *, model: str, label: str | None, deadline: float, times: StageTimes | None = None
    ) -> Explanation:
        """Say where the evidence for a label lies; of the best one, if none is named.

        A model that is swapped meanwhile is asked anew, within the same time.

        Raises:
            UnknownLabel: the model does not know it.
            ServiceError, PictureError: as `Classifier.classify`.
        """
        while True:
            generation = self._registry.require(model)
            wanted = None if label is None else _index_of(label, generation)
            try:
                return await self._explain(_Question(data, generation, deadline, times or StageTimes()), wanted)
            except VersionSwapped:
                continue

    async def _explain(self, question: _Question, wanted: int | None) -> Explanation:
        generation = question.generation
        evidence = generation.evidence
        whole, seen = await self._look(question, evidence)
        probabilities = whole.outputs.probabilities
        label = int(probabilities.argmax()) if wanted is None else wanted
        heat = (
            await self._occlude(question, seen, label, probabilities)
            if evidence is None
            else _activation(whole, evidence, label)
        )
        return Explanation(
            label=generation.labels[label],
            score=float(probabilities[label]),
            method="occlusion" if evidence is None else "class-activation",
            heat=scaled(heat),
            box=seen.box,
            model=generation.name,
            version=generation.version,
        )

    async def _look(self, question: _Question, evidence: Evidence | None) -> tuple[Computed, _Seen]:
        """The run of the picture as it is."""
        seen: list[_Seen] = []

        def read(generation: Generation, limits: DecodeLimits) -> NDArray[np.uint8]:
            question.require(generation)
            seen[:] = [_seen(question.data, generation.bundle.metadata.spec, limits)]
            return seen[0].pixels

        also = evidence.outputs if evidence is not None else ()
        return await self._run(question, read, also), seen[0]

    async def _occlude(
        self, question: _Question, seen: _Seen, label: int, probabilities: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """By how much the log-odds of a label fall when a place is covered, for each place of the grid."""
        uncovered = log_odds(probabilities, label)
        heat = np.zeros((GRID, GRID))
        for patch in patches(question.generation.bundle.metadata.spec):

            def cover(generation: Generation, _limits: DecodeLimits, patch: Patch = patch) -> NDArray[np.uint8]:
                question.require(generation)
                return covered(seen.pixels, patch, seen.colour)

            found = await self._run(question, cover)
            heat[patch.row, patch.column] = uncovered - log_odds(found.outputs.probabilities, label)
        return heat

    async def _run(self, question: _Question, source: Source, also: Sequence[str] = ()) -> Computed:
        name = question.generation.name
        return await self._classifier.compute(
            source, model=name, deadline=question.deadline, also=also, times=question.times
        )


def _seen(data: bytes, spec: PreprocessSpec, limits: DecodeLimits) -> _Seen:
    image = decode(data, at_least=spec.decode_at_least, limits=limits)
    return _Seen(preprocess(image, spec), box_of(image.size, spec))


def _activation(whole: Computed, evidence: Evidence, label: int) -> NDArray[np.float32]:
    maps = [whole.outputs.also[name] for name in evidence.outputs]
    return heat_of(maps, evidence.weights[label])


def _index_of(label: str, generation: Generation) -> int:
    try:
        return generation.labels.index(label)
    except ValueError:
        raise UnknownLabel(label, generation.labels) from None
