"""What a WebP says of itself: width and height, read before its decoder sees the file, because that one allocates at
once, and its EXIF block.

Source: RFC 9649, sections 2.5 to 2.7; RFC 6386, section 9.1.
"""

import struct

_HAS_EXIF = 0x08


def webp_size(data: bytes) -> tuple[int, int]:
    """(width, height) in px that the first chunk announces.

    Raises:
        ValueError: the first chunk is of no known kind, or cut.
    """
    kind, header = data[12:16], data[20:30]
    if kind == b"VP8X" and len(header) == 10:
        return int.from_bytes(header[4:7], "little") + 1, int.from_bytes(header[7:10], "little") + 1
    if kind == b"VP8L" and header[:1] == b"\x2f" and len(header) >= 5:
        bits = int.from_bytes(header[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and header[3:6] == b"\x9d\x01\x2a" and len(header) == 10:
        width, height = struct.unpack_from("<HH", header, 6)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("its first chunk is not that of a picture")


def webp_exif(data: bytes) -> bytes:
    """The EXIF block, empty if there is none, or if the header does not announce it."""
    if data[12:16] != b"VP8X" or not data[20:21] or not data[20] & _HAS_EXIF:
        return b""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"EXIF":
            return data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2  # a chunk of odd length is padded
    return b""
