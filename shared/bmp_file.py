"""Looks into a BMP before a decoder does: whether Pillow's slow decoder would get it."""

import struct

RUN_LENGTH_MAX_PIXELS, RUN_LENGTH_MAX_BYTES = 4_000_000, 8 * 1024**2
"""Pillow unpacks run-length encoded BMP in Python, 8 million px/s and alone in the process, so less is accepted."""

_RUN_LENGTH_COMPRESSIONS = (1, 2)


def is_run_length_encoded(data: bytes) -> bool:
    """Whether the header announces RLE8 or RLE4."""
    if len(data) < 34:
        return False
    (header_size,) = struct.unpack_from("<I", data, 14)
    return header_size >= 40 and struct.unpack_from("<I", data, 30)[0] in _RUN_LENGTH_COMPRESSIONS
