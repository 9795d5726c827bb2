"""JSON that may hold tensors: the long arrays of numbers and the long strings of `data` stay text, and are left to who
needs them, on a thread of their own. Only the rest is given to Python's parser, and that may not be much.
"""

import json
from dataclasses import dataclass
from typing import Any

from service.request_errors import InferenceMalformed

MAX_BONES_BYTES = 64 * 1024
"""What a document may have besides what is left as text. Each quotation mark counts for QUOTE_BYTES of it."""

QUOTE_BYTES = 16
"""A string that has next to no bytes costs about as much time and memory as a short array."""

LONG_ARRAY_BYTES, LONG_STRING_BYTES = 256, 1024
_STAND_IN = b"Infinity"  # a word that Python's parser asks about, and JSON does not know
_DATA_KEY, _BACKSLASH = b'"data"', ord("\\")


@dataclass(frozen=True)
class NumbersText:
    """An array of numbers as it was written, from its first bracket to its last."""

    text: bytes


@dataclass(frozen=True)
class StringText:
    """A string as it was written, without its quotation marks and with its escapes."""

    text: memoryview


def read_document(text: bytes) -> dict[str, Any]:
    """What a JSON object says; of `data`, long arrays of numbers are `NumbersText` and long strings `StringText`.

    Raises:
        InferenceMalformed: no JSON, no object, or more in it than a request has.
    """
    taking = _Taking(text)
    taking.take_apart()
    left = iter(taking.taken)

    def given_back(word: str) -> NumbersText | StringText:
        found = next(left, None) if word == _STAND_IN.decode() else None
        if found is None:
            raise ValueError(f"{word} is no number of JSON")
        return found

    try:
        document = json.loads(b"".join(taking.pieces), parse_constant=given_back)
    except (ValueError, RecursionError) as error:
        told = _told(error, is_whole=not taking.taken)
        raise InferenceMalformed(f"the JSON is not well-formed ({told})") from error
    if not isinstance(document, dict):
        raise InferenceMalformed(f"the JSON is a {type(document).__name__}, expected an object")
    return document


class _Taking:
    """Puts stand-ins into a document, string by string: one step for each quotation mark, none for other bytes.

    Attributes:
        pieces: the document with its stand-ins.
        taken: what these stand for, in order.
    """

    def __init__(self, text: bytes) -> None:
        self.pieces: list[bytes] = []
        self.taken: list[NumbersText | StringText] = []
        self._text, self._bones_bytes = text, 0
        self._in_data, self._depth = False, 0
        self._last = b""  # the string before, if it is kept

    def take_apart(self) -> None:
        at = 0
        while (quote := self._text.find(b'"', at)) >= 0:
            self._charge(QUOTE_BYTES)
            self._between(self._text[at:quote])
            at = self._end_of_string(quote)
            self._string(quote, at)
        self._between(self._text[at:])

    def _between(self, between: bytes) -> None:
        """What stands between two strings: keep it, but for an array of numbers, and see whether `data` goes on."""
        if self._last == _DATA_KEY and (array := _array_in(between)) is not None:
            self.taken.append(NumbersText(between[array]))
            between = between[: array.start] + _STAND_IN + between[array.stop :]
        self._keep(between)
        signs = b"".join(between.split())
        if signs.startswith(b":"):
            self._in_data = self._last == _DATA_KEY and not signs[1:].strip(b"[")
            self._depth = signs.count(b"[")
        else:
            self._depth += signs.count(b"[") - signs.count(b"]")
            self._in_data &= self._depth > 0 and not signs.strip(b"[],")

    def _string(self, start: int, end: int) -> None:
        if self._in_data and end - start >= LONG_STRING_BYTES:
            self.taken.append(StringText(memoryview(self._text)[start + 1 : end - 1]))
            self._last = b""
            self._keep(_STAND_IN)
        else:
            self._keep_string(start, end)

    def _keep_string(self, start: int, end: int) -> None:
        self._charge(end - start)
        self._last = self._text[start:end]
        self.pieces.append(self._last)

    def _keep(self, piece: bytes) -> None:
        self._charge(len(piece))
        self.pieces.append(piece)

    def _charge(self, bones_bytes: int) -> None:
        self._bones_bytes += bones_bytes
        if self._bones_bytes > MAX_BONES_BYTES:
            raise InferenceMalformed(
                f"the JSON has more than {MAX_BONES_BYTES:,} bytes besides the arrays of numbers and the long strings "
                f"of `data`; each quotation mark counts for {QUOTE_BYTES}"
            )

    def _end_of_string(self, start: int) -> int:
        at = start + 1
        while (quote := self._text.find(b'"', at)) >= 0:
            self._charge(QUOTE_BYTES)
            if not _is_escaped(self._text, at, quote):
                return quote + 1
            at = quote + 1
        raise InferenceMalformed("the JSON is not well-formed (a string without its end)")


def _is_escaped(text: bytes, start: int, at: int) -> bool:
    """Whether an odd number of backslashes stands before a place, from start on."""
    if at == start or text[at - 1] != _BACKSLASH:
        return False
    before = text[start:at]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1


def _array_in(between: bytes) -> slice | None:
    """Where a long array stands that is the value of a key, in what stands between two strings."""
    start = between.find(b"[")
    if len(between) < LONG_ARRAY_BYTES or start < 0 or between[:start].strip() != b":":
        return None
    brace = between.find(b"}", start)
    end = between.rfind(b"]", start, brace if brace >= 0 else len(between)) + 1
    # Else a string or an object stands among the numbers.
    is_whole = between.count(b"[", start, end) == between.count(b"]", start, end)
    return slice(start, end) if end - start >= LONG_ARRAY_BYTES and is_whole else None


def _told(error: Exception, *, is_whole: bool) -> str:
    """What the parser says, and where; not where, if it did not see the document whole."""
    if isinstance(error, RecursionError):
        return "nested too deep"
    return error.msg if isinstance(error, json.JSONDecodeError) and not is_whole else str(error)[:120]
