"""What goes over the wire under /v2, as the Open Inference Protocol writes it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

Parameters = Mapping[str, Any]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


class InferInput(_Wire):
    """A tensor of the request."""

    name: StrictStr = Field(description="`images`, the only input.")
    datatype: StrictStr = Field(description="UINT8 (pixels as the model takes them) or BYTES (picture files).")
    shape: list[StrictInt] = Field(
        min_length=1, max_length=8, description="[N, H, W, 3] of pixels, [N] or [N, 1] of files."
    )
    parameters: Parameters | None = Field(
        default=None, description="`binary_data_size`: so many bytes after the JSON are the data."
    )
    data: Any = Field(
        default=None, description="Numbers 0 to 255, flat or nested; or picture files as strings in base64."
    )


class InferRequestedOutput(_Wire):
    """An output that the client wants."""

    name: StrictStr
    parameters: Parameters | None = Field(
        default=None, description="`binary_data`: after the JSON; `classification`: the k best as score:index:label."
    )


class InferRequest(_Wire):
    """The JSON of an inference request."""

    id: StrictStr | None = Field(default=None, max_length=1024, description="Comes back with the answer.")
    inputs: list[InferInput] = Field(min_length=1, max_length=16)
    outputs: list[InferRequestedOutput] | None = Field(
        default=None, max_length=64, description="By default all that the model has."
    )
    parameters: Parameters | None = Field(
        default=None,
        description="`binary_data_output`: all outputs after the JSON; `timeout`: how long the client waits, in "
        "microseconds. What is not known is passed over.",
    )


class InferOutput(_Wire):
    """A tensor of the answer."""

    name: str
    datatype: str
    shape: list[int]
    parameters: Parameters | None = None
    data: list[Any] | None = Field(default=None, description="Flat, row by row; not there where it is binary.")


class InferAnswer(_Wire):
    """The JSON of an inference answer."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[InferOutput]


class TensorMetadata(_Wire):
    """A tensor that a model takes or gives; -1 is a side that may be any."""

    name: str
    datatype: str
    shape: list[int]
    parameters: Parameters | None = None


class ModelMetadata(_Wire):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(_Wire):
    """Who answers, and which extensions of the protocol it knows."""

    name: str
    version: str
    extensions: list[str]


class LiveAnswer(_Wire):
    """Whether the process answers."""

    live: bool
    error: str | None = None


class ReadyAnswer(_Wire):
    """Whether the service should get traffic."""

    ready: bool
    error: str | None = None


class ModelReadyAnswer(_Wire):
    """That a model is served."""

    name: str
    ready: bool = True


class RepositoryRequest(_Wire):
    """Which models the index is to list."""

    ready: bool = Field(default=False, strict=True)


class RepositoryEntry(_Wire):
    """A model that is known."""

    name: str
    version: str
    state: str = Field(description="READY or UNAVAILABLE.")
    reason: str = ""


class InferenceError(_Wire):
    """An error as the Open Inference Protocol writes it."""

    error: str
