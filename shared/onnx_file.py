"""Looks into an ONNX file without the onnx package, which the service does not carry.

Reads only the protobuf fields that decide whether a model may be opened: operator domains and external data.
Field numbers: onnx.proto3 of the ONNX specification.
"""

from collections.abc import Iterator

from shared.errors import ModelRefused

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
_MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 20, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE_INITIALIZER = 1, 5, 15
_NODE_ATTRIBUTE, _NODE_DOMAIN = 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_ATTRIBUTE_SPARSE_TENSOR, _ATTRIBUTE_SPARSE_TENSORS = 22, 23
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14
_MAX_DEPTH = 16
_MAX_TAG = 0xFFFF_FFFF
_SPARSE = "the model holds sparse tensors, expected dense ones only"


def refuse_unsafe_model(model: bytes) -> None:
    """Pass a model that stands on its own and uses standard operators; refuse any other.

    Raises:
        ModelRefused: not an ONNX file, foreign operators, local functions, or tensors kept outside the file.
    """
    graphs = 0
    try:
        for field, value in _fields(memoryview(model)):
            if field in (_MODEL_TRAINING, _MODEL_FUNCTIONS):
                raise ModelRefused(
                    "the model brings functions or training of its own, expected standard operators only"
                )
            if field == _MODEL_GRAPH and isinstance(value, memoryview):
                _check_graph(value, depth=0)
                graphs += 1
    except (IndexError, ValueError) as error:
        raise ModelRefused(f"not a readable ONNX file ({error}); export it again") from error
    if graphs != 1:
        raise ModelRefused(f"not an ONNX model: the file holds {graphs} graphs, expected 1")


def _check_graph(graph: memoryview, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ModelRefused(f"the model nests graphs deeper than {_MAX_DEPTH}")
    for field, value in _fields(graph):
        if field == _GRAPH_SPARSE_INITIALIZER:
            raise ModelRefused(_SPARSE)
        if not isinstance(value, memoryview):
            continue
        if field == _GRAPH_NODE:
            _check_node(value, depth)
        elif field == _GRAPH_INITIALIZER:
            _check_tensor(value)


def _check_node(node: memoryview, depth: int) -> None:
    for field, value in _fields(node):
        if not isinstance(value, memoryview):
            continue
        if field == _NODE_DOMAIN and (domain := bytes(value).decode(errors="replace")) not in STANDARD_DOMAINS:
            found = repr(domain[:80])
            raise ModelRefused(f"the model uses operators of domain {found}, expected standard ONNX operators only")
        if field == _NODE_ATTRIBUTE:
            _check_attribute(value, depth)


def _check_attribute(attribute: memoryview, depth: int) -> None:
    for field, value in _fields(attribute):
        if field in (_ATTRIBUTE_SPARSE_TENSOR, _ATTRIBUTE_SPARSE_TENSORS):
            raise ModelRefused(_SPARSE)
        if not isinstance(value, memoryview):
            continue
        if field in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
            _check_tensor(value)
        elif field in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
            _check_graph(value, depth + 1)


def _check_tensor(tensor: memoryview) -> None:
    for field, value in _fields(tensor):
        if field == _TENSOR_EXTERNAL_DATA or (field == _TENSOR_DATA_LOCATION and value != 0):
            raise ModelRefused("the model keeps tensors in another file, expected everything in model.onnx")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """(field number, value) of a protobuf message; fixed-width numbers are skipped, as none is asked for.

    ValueError or IndexError for whatever another reader might understand differently, so that nothing slips past.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        field, wire_type = tag >> 3, tag & 7
        if field == 0 or tag > _MAX_TAG:  # other readers drop the high bits
            raise ValueError(f"field {field} at byte {at}")
        if wire_type == _VARINT:
            value, at = _varint(message, at)
            yield field, value
        elif wire_type == _BYTES:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("it ends in the middle of a field")
            yield field, message[at : at + length]
            at += length
        elif wire_type in _FIXED_BYTES:
            at += _FIXED_BYTES[wire_type]
            if at > len(message):
                raise ValueError("it ends in the middle of a number")
        else:
            raise ValueError(f"wire type {wire_type} at byte {at}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
