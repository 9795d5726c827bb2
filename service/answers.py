"""What a version of a model says about a picture."""

from dataclasses import dataclass

from service.generation import Generation
from service.runner import Outputs
from shared.prediction import Prediction, top_k


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
    """The best `count` labels of what a generation says; more than K is clamped."""
    threshold = generation.bundle.metadata.thresholds.unfamiliar
    return Answer(
        predictions=top_k(outputs.probabilities, generation.labels, count),
        novelty=outputs.novelty,
        unfamiliar=None if outputs.novelty is None or threshold is None else outputs.novelty > threshold,
        model=generation.name,
        version=generation.version,
    )


def computed_of(outputs: Outputs, generation: Generation) -> Computed:
    """The best label, with the tensors."""
    return Computed(answer_of(outputs, generation, 1), outputs, generation.labels)
