"""Where the evidence for a label lies in a picture: from the model's maps in one run, else by covering it bit by bit.

Each run waits for a lane of its own, like any request's: however many an explanation takes, it holds one lane at a
time, never for longer than a run, and who waits meanwhile has their turn. Knows no HTTP.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.classifier import Classifier, Computed
from service.explaining import GRID, Box, Method, Patch, box_of, covered, log_odds, mean_colour, patches, scaled
from service.generation import Generation
from service.model_errors import UnknownLabel, VersionSwapped
from service.registry import Registry
from service.stage_times import StageTimes
from shared.decode import DecodeLimits, decode
from shared.evidence import Evidence, heat_of
from shared.preprocess import preprocess


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


@dataclass
class _Job:
    """A picture that one generation is asked about; its pixels (H, W, 3) and box are known once it was decoded."""

    data: bytes
    generation: Generation
    deadline: float
    times: StageTimes
    pixels: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))
    box: Box = field(default_factory=lambda: Box(0, 0, 1, 1))

    def read(self, generation: Generation, limits: DecodeLimits) -> NDArray[np.uint8]:
        """The picture as it is."""
        self.require(generation)
        spec = generation.bundle.metadata.spec
        image = decode(self.data, at_least=spec.decode_at_least, limits=limits)
        self.pixels, self.box = preprocess(image, spec), box_of(image.size, spec)
        return self.pixels

    def require(self, generation: Generation) -> None:
        """All runs of an explanation are compared with each other, so they are those of one version."""
        if generation is not self.generation:
            raise VersionSwapped(generation.name)


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
                return await self._explain(_Job(data, generation, deadline, times or StageTimes()), wanted)
            except VersionSwapped:
                continue

    async def _explain(self, job: _Job, wanted: int | None) -> Explanation:
        evidence = job.generation.evidence
        whole = await self._run(job, evidence)
        probabilities = whole.outputs.probabilities
        label = int(probabilities.argmax()) if wanted is None else wanted
        heat = (
            await self._occlude(job, label, probabilities) if evidence is None else _activation(whole, evidence, label)
        )
        return Explanation(
            label=job.generation.labels[label],
            score=float(probabilities[label]),
            method="occlusion" if evidence is None else "class-activation",
            heat=scaled(heat),
            box=job.box,
            model=job.generation.name,
            version=job.generation.version,
        )

    async def _run(self, job: _Job, evidence: Evidence | None) -> Computed:
        also = evidence.outputs if evidence is not None else ()
        return await self._classifier.compute(
            job.read, model=job.generation.name, deadline=job.deadline, also=also, times=job.times
        )

    async def _occlude(self, job: _Job, label: int, probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
        """By how much the log-odds of a label fall when a place is covered, for each place of the grid."""
        uncovered, colour = log_odds(probabilities, label), mean_colour(job.pixels)
        heat = np.zeros((GRID, GRID))
        for patch in patches(job.generation.bundle.metadata.spec):

            def cover(generation: Generation, _limits: DecodeLimits, patch: Patch = patch) -> NDArray[np.uint8]:
                job.require(generation)
                return covered(job.pixels, patch, colour)

            found = await self._classifier.compute(
                cover, model=job.generation.name, deadline=job.deadline, times=job.times
            )
            heat[patch.row, patch.column] = uncovered - log_odds(found.outputs.probabilities, label)
        return heat


def _activation(whole: Computed, evidence: Evidence, label: int) -> NDArray[np.float32]:
    maps = [whole.outputs.also[name] for name in evidence.outputs]
    return heat_of(maps, evidence.weights[label])


def _index_of(label: str, generation: Generation) -> int:
    try:
        return generation.labels.index(label)
    except ValueError:
        raise UnknownLabel(label, generation.labels) from None
