"""What /explain says over the wire."""

from dataclasses import asdict
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from service.explainer import Explanation
from service.explaining import Method


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class BoxAnswer(_Answer):
    """A part of the upright picture, in fractions of its width and height."""

    left: float
    top: float
    right: float
    bottom: float


class ExplainAnswer(_Answer):
    """Where in a picture the evidence for a label lies."""

    label: str = Field(description="Whose evidence it is.")
    score: float = Field(description="The label's probability, 0 to 1.")
    method: Method = Field(description="How it was found out: from the model's own maps, or by covering places.")
    heat: list[list[float]] = Field(
        description="Rows of values in [-1, 1], of which the largest magnitude is 1: positive speaks for the label, "
        "negative against it; all 0 if nothing does."
    )
    box: BoxAnswer = Field(description="What the heat lies over; beyond 0 to 1 where the picture was padded.")
    model: str
    version: str = Field(description="The version that answered.")
    request_id: str

    @classmethod
    def of(cls, found: Explanation, *, request_id: str) -> Self:
        """Put an explanation into words."""
        return cls(
            label=found.label,
            score=found.score,
            method=found.method,
            heat=[[round(value, 4) for value in row] for row in found.heat.tolist()],
            box=BoxAnswer(**asdict(found.box)),
            model=found.model,
            version=found.version,
            request_id=request_id,
        )
