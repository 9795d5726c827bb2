"""Looks into a TIFF before a decoder does: whether its directory is all there.

Pillow skips tags that are cut off and only warns, but the tags say what the pixels mean.
Source: TIFF 6.0, section 2; BigTIFF design.
"""

import struct

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_BIG_TIFF = 43


def refuse_cut_directory(data: bytes) -> None:
    """Pass a TIFF whose first directory, and the values it points to, lie within the file.

    Raises:
        ValueError: they do not.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", data, 2)[0] == _BIG_TIFF
    offset_type, count_type, inline_bytes = ("Q", "Q", 8) if big else ("I", "H", 4)
    entry = struct.Struct(f"{order}HH{offset_type}{offset_type}")
    try:
        (directory,) = struct.unpack_from(f"{order}{offset_type}", data, 8 if big else 4)
        (count,) = struct.unpack_from(f"{order}{count_type}", data, directory)
        first = directory + struct.calcsize(count_type)
        for at in range(first, first + count * entry.size, entry.size):
            _, value_type, value_count, offset = entry.unpack_from(data, at)
            value_bytes = value_count * _TYPE_BYTES.get(value_type, 0)
            if value_bytes > inline_bytes and offset + value_bytes > len(data):
                raise ValueError("its directory points beyond its end")
    except (struct.error, OverflowError) as error:
        raise ValueError("it ends in the middle of its directory") from error
