"""What admin verbs are told, and what they answer."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.model_status import PinnedBy
from shared.bundle import VERSION_PATTERN


class PinOrder(BaseModel):
    """Which version is to be served."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The pattern stands in the description alone: whoever errs is told which versions there are, not a pattern.
    version: Annotated[str, StringConstraints(max_length=200)] = Field(
        description="A version of the model, as its folder is called.",
        examples=["20260102T030405678Z-0a1b2c3d"],
        json_schema_extra={"pattern": VERSION_PATTERN},
    )


class AdminAnswer(BaseModel):
    """What came of a verb, and what is served now."""

    model_config = ConfigDict(frozen=True)

    result: Literal["loaded", "unchanged", "failed"] = Field(
        description="A version was loaded; all is as it was; or something is wrong, and `reason` says what."
    )
    reason: str | None = Field(default=None, description="What is wrong; what was served before is served on.")
    model: str
    version: str | None = Field(description="What is served now; null for nothing.")
    pinned: str | None = Field(description="The version that it is pinned to.")
    pinned_by: PinnedBy | None = Field(description="`setting`: --pin or --also; `admin`: a verb like this.")
    worker: int | None = Field(description="The only worker that this happened in, where --workers started several.")
    note: str | None = Field(description="How long an admin's pin lasts; null where there is none.")
    request_id: str
