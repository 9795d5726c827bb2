"""The input tensor of an inference request -> what gives the pixels of each of its pictures.

Nothing is made of a declared shape before it was compared with the bytes that are there.
"""

import binascii
import json
import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.generation import Generation
from service.open_inference.json import NumbersText, StringText
from service.open_inference.numbers import read_uint8
from service.open_inference.schemas import InferInput, Parameters
from service.request_errors import InferenceMalformed
from service.sources import Source, decoded_file
from service.uploads import MAX_PICTURES
from shared.bundle import INPUT_NAME
from shared.decode import DecodeLimits

UINT8, BYTES = "UINT8", "BYTES"
_LENGTH_BYTES = 4
_BASE64 = ("base64", None)
_ESCAPES = {b"\\/": b"/", b"\\u002F": b"/", b"\\u002f": b"/", b"\\u002B": b"+", b"\\u002b": b"+"}
_ESCAPES |= {b"\\u003D": b"=", b"\\u003d": b"="}
"""Some writers of JSON escape what need not be."""


def sources_of(inputs: Sequence[InferInput], binary: memoryview) -> list[Source]:
    """What gives the pixels of each picture, in order.

    Args:
        inputs: as the JSON says.
        binary: what follows the JSON.

    Raises:
        InferenceMalformed: not one input of the model's name, or its data is not what its shape and datatype say.
    """
    tensor = _the_input(inputs)
    if tensor.datatype not in _READERS:
        raise InferenceMalformed(f"its datatype is {tensor.datatype[:40]!r}, expected UINT8 (pixels) or BYTES (files)")
    if not 1 <= tensor.shape[0] <= MAX_PICTURES:
        raise InferenceMalformed(f"its shape is {tensor.shape}; 1 to {MAX_PICTURES} pictures are taken at once")
    return _READERS[tensor.datatype](tensor, _binary_of(tensor, binary))


def refuse_shared_memory(parameters: Parameters | None) -> None:
    """Raise InferenceMalformed for a tensor that is said to lie in memory of the client's machine."""
    if parameters and "shared_memory_region" in parameters:
        raise InferenceMalformed("shared memory is not supported; send the tensor in the body")


def _the_input(inputs: Sequence[InferInput]) -> InferInput:
    if len(inputs) != 1 or inputs[0].name != INPUT_NAME:
        found = ", ".join(repr(each.name[:40]) for each in inputs)
        raise InferenceMalformed(f"its inputs are {found}; expected one, {INPUT_NAME!r}")
    refuse_shared_memory(inputs[0].parameters)
    return inputs[0]


def _binary_of(tensor: InferInput, binary: memoryview) -> memoryview | None:
    size = (tensor.parameters or {}).get("binary_data_size")
    if size is None and len(binary) == 0:
        return None
    if type(size) is not int or size != len(binary):
        raise InferenceMalformed(
            f"its binary_data_size is {str(size)[:40]}, and {len(binary):,} bytes follow the JSON; "
            "Inference-Header-Content-Length says where that ends"
        )
    if tensor.data is not None:
        raise InferenceMalformed("it has both `data` and binary_data_size")
    return binary


# --- pixels ---


def _pixels(tensor: InferInput, binary: memoryview | None) -> list[Source]:
    shape = tensor.shape
    if len(shape) != 4 or min(shape) < 1 or shape[3] != 3:
        raise InferenceMalformed(f"its shape is {shape}, expected [N, H, W, 3] of UINT8")
    read = cache(partial(_read_numbers, tensor)) if binary is None else partial(_read_binary, binary, shape)
    if binary is not None:
        read()  # costs nothing, and says at once what is wrong
    return [partial(_row, read, n) for n in range(shape[0])]


def _row(
    read: Callable[[], NDArray[np.uint8]], n: int, generation: Generation, _limits: DecodeLimits
) -> NDArray[np.uint8]:
    images: NDArray[np.uint8] = read()
    spec = generation.bundle.metadata.spec
    if images.shape[1:3] != (spec.height, spec.width):
        raise InferenceMalformed(
            f"its pictures are {images.shape[1]} x {images.shape[2]} (height x width), model {generation.name!r} takes "
            f"{spec.height} x {spec.width}; or send the files as BYTES, which are resized here"
        )
    found: NDArray[np.uint8] = images[n]
    return found


def _read_binary(binary: memoryview, shape: Sequence[int]) -> NDArray[np.uint8]:
    if math.prod(shape) != len(binary):
        raise InferenceMalformed(f"its shape {list(shape)} means {math.prod(shape):,} bytes, {len(binary):,} are there")
    images: NDArray[np.uint8] = np.frombuffer(binary, np.uint8).reshape(shape)
    return images


def _read_numbers(tensor: InferInput) -> NDArray[np.uint8]:
    if isinstance(tensor.data, NumbersText):
        return read_uint8(tensor.data.text, tensor.shape)
    if not isinstance(tensor.data, list):
        raise InferenceMalformed("it has no `data`, an array of whole numbers from 0 to 255")
    # Short: long ones are text still. What is no number becomes a string, which is refused.
    return read_uint8(json.dumps(tensor.data, default=lambda _: "").encode(), tensor.shape)


# --- picture files ---


def _files(tensor: InferInput, binary: memoryview | None) -> list[Source]:
    if tensor.shape[1:] not in ([], [1]):
        raise InferenceMalformed(f"its shape is {tensor.shape}, expected [N] or [N, 1] of BYTES")
    count = tensor.shape[0]
    if binary is not None:
        return [decoded_file(file) for file in _split(binary, count)]
    return [partial(_decode_base64, text, f"{n} of {count}") for n, text in enumerate(_strings(tensor, count), 1)]


def _split(binary: memoryview, count: int) -> list[memoryview]:
    """Elements that each follow their length, a little-endian uint32 (binary tensor data extension)."""
    files: list[memoryview] = []
    while len(binary) >= _LENGTH_BYTES and len(files) <= count:
        length = int.from_bytes(binary[:_LENGTH_BYTES], "little")
        if length > len(binary) - _LENGTH_BYTES:
            break
        files.append(binary[_LENGTH_BYTES : _LENGTH_BYTES + length])
        binary = binary[_LENGTH_BYTES + length :]
    if len(files) != count or len(binary):
        raise InferenceMalformed(
            f"its binary data are not {count} elements, each after its length (4 bytes, little-endian)"
        )
    return files


def _strings(tensor: InferInput, count: int) -> list[str | StringText]:
    content_type = (tensor.parameters or {}).get("content_type")
    if content_type not in _BASE64:
        raise InferenceMalformed(f"its content_type is {str(content_type)[:40]!r}; picture files in JSON are base64")
    flat = [each for row in _list(tensor.data) for each in (row if isinstance(row, list) else [row])]
    if len(flat) != count or not all(isinstance(each, (str, StringText)) for each in flat):
        raise InferenceMalformed(f"its data are not {count} strings, as its shape {tensor.shape} says")
    return flat


def _list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise InferenceMalformed("it has no `data`, an array of strings: picture files in base64")
    return data


def _decode_base64(
    text: str | StringText, which: str, generation: Generation, limits: DecodeLimits
) -> NDArray[np.uint8]:
    try:
        file = binascii.a2b_base64(_unescaped(text) if isinstance(text, StringText) else text, strict_mode=True)
    except (ValueError, binascii.Error) as error:
        raise InferenceMalformed(
            f"string {which} of its data is no base64 ({error}); BYTES in JSON are picture files in base64: the "
            "standard alphabet, padded, without line breaks"
        ) from error
    return decoded_file(file)(generation, limits)


def _unescaped(string: StringText) -> bytes:
    """A string without the escapes that base64 can need; others stay, and are none of its alphabet."""
    text = bytes(string.text)
    if b"\\" in text:
        for escape, character in _ESCAPES.items():
            text = text.replace(escape, character)
    return text


_READERS: dict[str, Callable[[InferInput, memoryview | None], list[Source]]] = {UINT8: _pixels, BYTES: _files}
