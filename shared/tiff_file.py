"""Looks into a TIFF before a decoder does: whether its directory is all there, and which way is up.

Pillow skips tags that are cut off and only warns, but the tags say what the pixels mean.
Source: TIFF 6.0, section 2; BigTIFF design.
"""

import struct
from collections.abc import Iterator
from typing import Literal

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_BIG_TIFF = 43
_COMPRESSION_TAG, _ORIENTATION_TAG = 0x0103, 0x0112
_NUMBER_BYTES = {3: 2, 4: 4}  # SHORT, LONG
_FAX = (2, 3, 4, 32771)  # CCITT: modified Huffman, T.4, T.6, and modified Huffman on word borders


def refuse_cut_directory(data: bytes) -> None:
    """Pass a TIFF whose first directory, and the values it points to, lie within the file.

    Raises:
        ValueError: they do not.
    """
    order = _order(data)
    for _, value_type, value_count, field in _entries(data):
        value_bytes = value_count * _TYPE_BYTES.get(value_type, 0)
        if value_bytes > len(field) and int.from_bytes(field, order) + value_bytes > len(data):
            raise ValueError("its directory points beyond its end")


def refuse_fax(data: bytes) -> None:
    """Pass a TIFF that is no fax: fax codes have no checksum, and the decoder paints on over damage.

    Raises:
        ValueError: it is one, or the directory is cut.
    """
    if _number(data, _COMPRESSION_TAG) in _FAX:
        raise ValueError("it is compressed as a fax (CCITT), in which damage does not show; save it as PNG")


def tiff_orientation(data: bytes) -> int:
    """Orientation of the first picture, 1 to 8; if it is missing or says anything else, it counts as upright, 1.

    Raises:
        ValueError: the directory is cut.
    """
    found = _number(data, _ORIENTATION_TAG)
    return found if found is not None and 1 <= found <= 8 else 1


def _number(data: bytes, wanted: int) -> int | None:
    for tag, value_type, _, field in _entries(data):
        if tag == wanted and value_type in _NUMBER_BYTES:
            return int.from_bytes(field[: _NUMBER_BYTES[value_type]], _order(data))
    return None


def _entries(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """(tag, type, count, field) of each entry of the first directory; the field holds the value, or where it is."""
    order = "<" if _order(data) == "little" else ">"
    big = struct.unpack_from(f"{order}H", data, 2)[0] == _BIG_TIFF
    offset_type, count_type, inline_bytes = ("Q", "Q", 8) if big else ("I", "H", 4)
    entry = struct.Struct(f"{order}HH{offset_type}{inline_bytes}s")
    try:
        (directory,) = struct.unpack_from(f"{order}{offset_type}", data, 8 if big else 4)
        (count,) = struct.unpack_from(f"{order}{count_type}", data, directory)
        first = directory + struct.calcsize(count_type)
        for at in range(first, first + count * entry.size, entry.size):
            yield entry.unpack_from(data, at)
    except (struct.error, OverflowError) as error:
        raise ValueError("it ends in the middle of its directory") from error


def _order(data: bytes) -> Literal["little", "big"]:
    return "little" if data[:2] == b"II" else "big"
