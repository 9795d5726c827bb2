"""The body of an inference request -> what is to be computed, and how it is to be told.

Source: the Open Inference Protocol v2 and Triton's extensions binary_tensor_data and classification, which its clients
use without asking.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from service.open_inference.json import read_document
from service.open_inference.schemas import InferRequest, InferRequestedOutput, Parameters
from service.open_inference.tensors import refuse_shared_memory, sources_of
from service.request_errors import InferenceMalformed
from service.sources import Source, decoded_file
from shared.complaints import expectation

Document = TypeVar("Document", bound=BaseModel)

LABEL = "label"
"""An output that the graph does not have: the best label of each picture."""

_LONGEST_US = 10**15  # clients write "for ever" as the largest number that they know

CLASSIFIABLE = ("probabilities", "logits")


@dataclass(frozen=True)
class WantedOutput:
    """How one output is to be told.

    Attributes:
        binary: after the JSON instead of in it.
        class_count: tell the best so many as score:index:label; 0 for the tensor itself.
    """

    name: str
    binary: bool = False
    class_count: int = 0


@dataclass(frozen=True)
class Inference:
    """What a client asks for.

    Attributes:
        id: the client's own name for it, which goes back.
        pictures: what gives the pixels of each.
        outputs: those that are wanted, in order; None for all.
        binary: how those are told that the client does not name.
        patience_s: how long it will wait.
    """

    id: str | None
    pictures: list[Source]
    outputs: tuple[WantedOutput, ...] | None
    binary: bool = False
    patience_s: float = math.inf

    def outputs_of(self, known: Sequence[str]) -> tuple[WantedOutput, ...]:
        """The outputs that are wanted of a model that has these.

        Raises:
            InferenceMalformed: it has no such output.
        """
        if self.outputs is None:
            return tuple(WantedOutput(name, self.binary) for name in known)
        if unknown := [each.name for each in self.outputs if each.name not in known]:
            raise InferenceMalformed(f"there is no output {unknown[0][:40]!r}; the model has {', '.join(known)}")
        return self.outputs


def read_inference(body: bytes, header_length: str | None) -> Inference:
    """Take a body apart.

    Args:
        body: JSON, then the binary tensors.
        header_length: the header Inference-Header-Content-Length: bytes of the JSON; "0" for a body that is one
            picture file and nothing else; None for one that is JSON and nothing else.

    Raises:
        InferenceMalformed: it cannot be used.
    """
    length = _length_of(header_length, len(body))
    if length == 0 and header_length is not None:
        return Inference(None, [decoded_file(body)], None)
    request = read_as(InferRequest, body[:length])
    parameters = request.parameters or {}
    binary = _flag(parameters, "binary_data_output", default=False)
    return Inference(
        id=request.id,
        pictures=sources_of(request.inputs, memoryview(body)[length:]),
        outputs=_wanted(request.outputs, binary=binary),
        binary=binary,
        patience_s=_patience_of(parameters),
    )


def _length_of(header: str | None, body_bytes: int) -> int:
    if header is None:
        return body_bytes
    if not (header.isascii() and header.isdigit() and len(header) < 20 and int(header) <= body_bytes):
        raise InferenceMalformed(
            f"Inference-Header-Content-Length is {header[:40]!r}, and the body has {body_bytes:,} bytes; "
            "it says how many of them are JSON"
        )
    return int(header)


def read_as(kind: type[Document], text: bytes) -> Document:
    """What a body in JSON says, whatever it is announced as: clients of the protocol do not always say.

    Raises:
        InferenceMalformed: it does not say such a thing.
    """
    document = read_document(text)
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"])
        raise InferenceMalformed(f"{where}: {expectation(first)}") from error


def _wanted(outputs: Sequence[InferRequestedOutput] | None, *, binary: bool) -> tuple[WantedOutput, ...] | None:
    if not outputs:
        return None
    names = [each.name for each in outputs]
    if len(set(names)) < len(names):
        raise InferenceMalformed("an output is named twice")
    return tuple(_wanted_output(each.name, each.parameters or {}, binary=binary) for each in outputs)


def _wanted_output(name: str, parameters: Parameters, *, binary: bool) -> WantedOutput:
    refuse_shared_memory(parameters)
    count = parameters.get("classification", 0)
    if type(count) is not int or not 0 <= count <= 10**6:
        raise InferenceMalformed(f"classification of {name[:40]!r} is {str(count)[:40]}, expected how many labels")
    if count and name not in CLASSIFIABLE:
        raise InferenceMalformed(f"{name[:40]!r} cannot be told as labels; {' and '.join(CLASSIFIABLE)} can")
    return WantedOutput(name, _flag(parameters, "binary_data", default=binary), count)


def _patience_of(parameters: Parameters) -> float:
    timeout_us = parameters.get("timeout", 0)
    if type(timeout_us) is not int or timeout_us < 0:
        raise InferenceMalformed(f"timeout is {str(timeout_us)[:40]!r}, expected a whole number of microseconds")
    return min(timeout_us, _LONGEST_US) / 1e6 if timeout_us else math.inf


def _flag(parameters: Parameters, name: str, *, default: bool) -> bool:
    found = parameters.get(name, default)
    if not isinstance(found, bool):
        raise InferenceMalformed(f"{name} is {str(found)[:40]!r}, expected true or false")
    return found
