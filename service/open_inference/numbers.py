"""JSON arrays of whole numbers, as text -> uint8: nothing is made of a number but the byte that it stands for.

A JSON parser makes a list of each pixel, and holds up every other thread while it does. Here the text is looked at as a
whole, piece by piece, which needs little memory beyond its own and lets others work meanwhile.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from service.request_errors import InferenceMalformed

PIECE_BYTES = 1 << 20
_BLANKS, _DIGITS = b" \t\r\n", b"0123456789"

_DIGIT, _COMMA, _OPEN, _CLOSE = 1, 2, 4, 8


def _table(values: dict[bytes, int]) -> bytes:
    table = bytearray(256)
    for characters, value in values.items():
        for character in characters:
            table[character] = value
    return bytes(table)


_KIND = _table({_DIGITS: _DIGIT, b",": _COMMA, b"[": _OPEN, b"]": _CLOSE})
_MAY_FOLLOW = _table(
    {
        _DIGITS: _DIGIT | _COMMA | _CLOSE,
        b",": _DIGIT | _OPEN,
        b"[": _DIGIT | _OPEN,
        b"]": _COMMA | _CLOSE,
    }
)
_VALUE = _table({bytes([digit]): digit - ord("0") for digit in _DIGITS})


def read_uint8(text: bytes, shape: Sequence[int]) -> NDArray[np.uint8]:
    """The tensor that an array in JSON stands for, flat or nested as its shape says.

    Args:
        text: from its first bracket to its last.
        shape: what it is to be; compared with the numbers that are there before anything is made of that size.

    Raises:
        InferenceMalformed: other numbers, other characters, or not as many and nested as the shape says.
    """
    dense = text.translate(None, _BLANKS)
    if not (dense.startswith(b"[") and dense.endswith(b"]")):
        raise InferenceMalformed("the data is no array of whole numbers from 0 to 255, from bracket to bracket")
    values = np.concatenate([_values_of(piece) for piece in _pieces(dense)])
    count = math.prod(shape)
    if len(values) != count:
        raise InferenceMalformed(f"the data has {len(values):,} numbers, the shape {list(shape)} means {count:,}")
    if len(dense) != len(text) and sum(map(_numbers_in, _pieces(text))) != count:
        raise InferenceMalformed("a blank stands between two digits of the data")
    if dense.translate(None, _DIGITS) not in (_frame_of([count]), _frame_of(shape)):
        raise InferenceMalformed(f"the data is neither flat nor nested as its shape {list(shape)} says")
    return values.reshape(shape)


def _pieces(text: bytes) -> Iterator[bytes]:
    """The text in pieces, cut at commas, each of which stands in both: no number is cut, no pair of neighbours lost."""
    start, cut = 0, text.find(b",", PIECE_BYTES)
    while cut >= 0:
        yield text[start : cut + 1]
        start, cut = cut, text.find(b",", cut + PIECE_BYTES)
    yield text[start:]


def _values_of(piece: bytes) -> NDArray[np.uint8]:
    kinds = np.frombuffer(piece.translate(_KIND), np.uint8)
    follow = np.frombuffer(piece.translate(_MAY_FOLLOW), np.uint8)
    if not (follow[:-1] & kinds[1:]).all():
        raise InferenceMalformed(f"the data is no array of whole numbers from 0 to 255{_stranger_in(piece)}")
    is_digit = kinds == _DIGIT
    before = [np.concatenate([np.zeros(n, np.bool_), is_digit[:-n]]) for n in (1, 2, 3)]
    digits = np.frombuffer(piece.translate(_VALUE), np.uint8).astype(np.uint16)
    values = digits.copy()
    values[1:] += np.uint16(10) * digits[:-1]
    values[2:] += np.uint16(100) * digits[:-2] * before[0][2:]
    found: NDArray[np.uint16] = values[is_digit & ~_next_of(is_digit)]
    if (found > 255).any() or (is_digit & before[0] & before[1] & before[2]).any():
        raise InferenceMalformed("the data has numbers above 255; expected whole numbers from 0 to 255, as UINT8 is")
    return found.astype(np.uint8)


def _next_of(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.concatenate([flags[1:], np.zeros(1, np.bool_)])


def _numbers_in(piece: bytes) -> int:
    is_digit = np.frombuffer(piece.translate(_KIND), np.uint8) == _DIGIT
    return int(np.count_nonzero(is_digit & ~_next_of(is_digit)))


def _stranger_in(piece: bytes) -> str:
    at = np.flatnonzero(np.frombuffer(piece.translate(_KIND), np.uint8) == 0)
    return f" (found {piece[max(0, at[0] - 8) : at[0] + 8].decode('latin-1')!r})" if at.size else ""


def _frame_of(shape: Sequence[int]) -> bytes:
    """What is left of an array of this shape without its digits; asked for only where there are so many numbers."""
    text = b""
    for side in reversed(shape):
        text = b"[" + ((text + b",") * side)[:-1] + b"]"
    return text
