"""What a version of a model says about a picture."""

import logging
import math
from dataclasses import dataclass

import numpy as np

from service.generation import Generation
from service.model_errors import ModelFailed
from service.runner import Outputs
from shared.prediction import Prediction, top_k

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What one version of one model says about a picture.

    Attributes:
        predictions: the best labels, best first.
        novelty: how unlike the training pictures, 0 to 1; None when the model does not know.
        unfamiliar: whether novelty is above the model's threshold; None as above.
    """

    predictions: list[Prediction]
    novelty: float | None
    unfamiliar: bool | None
    model: str
    version: str


@dataclass(frozen=True)
class Computed:
    """The same with the tensors that it was made of.

    Attributes:
        answer: with the best label.
        outputs: what the graph says.
        labels: K names in the order of the probabilities.
    """

    answer: Answer
    outputs: Outputs
    labels: tuple[str, ...]


def answer_of(outputs: Outputs, generation: Generation, count: int) -> Answer:
    """The best `count` labels of what a generation says; more than K is clamped. A novelty that is no number is none.

    Raises:
        ModelFailed: its probabilities are no numbers.
    """
    if not np.isfinite(outputs.probabilities).all():
        told = {"model": generation.name, "version": generation.version}
        logger.error("probabilities are no numbers", extra=told)
        raise ModelFailed(generation.name, generation.version)
    threshold = generation.bundle.metadata.thresholds.unfamiliar
    novelty = outputs.novelty if outputs.novelty is not None and math.isfinite(outputs.novelty) else None
    return Answer(
        predictions=top_k(outputs.probabilities, generation.labels, count),
        novelty=novelty,
        unfamiliar=None if novelty is None or threshold is None else novelty > threshold,
        model=generation.name,
        version=generation.version,
    )


def computed_of(outputs: Outputs, generation: Generation) -> Computed:
    """The best label, with the tensors."""
    return Computed(answer_of(outputs, generation, 1), outputs, generation.labels)
