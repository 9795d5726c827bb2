"""Looks into a PNG before a decoder does: what of it is needed for its pixels, and whether they are all there.

Pillow passes over the checksums of pixel data and paints missing rows black.
Source: PNG specification, third edition, sections 5, 7, 11.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_GREY, _RGB = 0, 2
_ANCILLARY_BIT = 0x20
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE_BYTES = 1 << 20
_MAX_CHUNKS = 100_000


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    depth: int
    colour_type: int
    interlaced: bool


@dataclass(frozen=True)
class PngFile:
    """A PNG without text, profiles and animation.

    Attributes:
        data: the file that gives the same pixels (of an animation, those of the still picture).
        exif: its EXIF block, empty if there is none.
    """

    data: bytes
    exif: bytes
    _header: _Header

    @property
    def interlaced(self) -> bool:
        """Whether rows come in seven passes instead of from top to bottom."""
        return self._header.interlaced

    def holds_every_row(self) -> bool:
        """Whether the compressed data holds as many bytes as the header promises; unpacks it to see."""
        expected, found, inflater = _row_bytes(self._header), 0, zlib.decompressobj()
        for name, start, end in _chunks(self.data):
            pending = self.data[start + 8 : end - 4] if name == b"IDAT" else b""
            while pending and found < expected:
                found += len(inflater.decompress(pending, _PIECE_BYTES))
                pending = inflater.unconsumed_tail
        return found >= expected


def read_png(data: bytes) -> PngFile:
    """Walk through the chunks.

    Raises:
        ValueError: it ends early, or the checksum of a chunk that pixels depend on is wrong.
    """
    kept, exif, header = [_SIGNATURE], b"", None
    for name, start, end in _chunks(data):
        if name == b"eXIf":
            exif = data[start + 8 : end - 4]
        if name not in _KEPT:
            if name[0] & _ANCILLARY_BIT == 0:
                raise ValueError(f"it needs the unknown chunk {name!r}")
            continue
        if zlib.crc32(memoryview(data)[start + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise ValueError(f"the checksum of its {name.decode()} chunk is wrong")
        if name == b"IHDR":
            header = _read_header(data[start + 8 : end - 4])
        kept.append(_scaled_transparency(data[start + 8 : end - 4], header) if name == b"tRNS" else data[start:end])
    if header is None:
        raise ValueError("it has no header")
    return PngFile(data=b"".join(kept), exif=exif, _header=header)


def png_exif(data: bytes) -> bytes:
    """The EXIF block, empty if there is none; no checksum is asked.

    Raises:
        ValueError: it cannot be walked.
    """
    blocks = [data[start + 8 : end - 4] for name, start, end in _chunks(data) if name == b"eXIf"]
    return blocks[-1] if blocks else b""


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of each chunk up to IEND, its length and checksum included."""
    at = len(_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            raise ValueError("it ends before its end chunk")
        length, name = struct.unpack_from(">I4s", data, at)
        end: int = at + 12 + length
        if end > len(data):
            raise ValueError("it ends in the middle of a chunk")
        yield name, at, end
        if name == b"IEND":
            return
        at = end
    raise ValueError(f"it has more than {_MAX_CHUNKS:,} chunks")


def _read_header(content: bytes) -> _Header:
    if len(content) != 13:
        raise ValueError("its header has the wrong length")
    width, height, depth, colour_type, _, _, interlace = struct.unpack(">IIBBBBB", content)
    if colour_type not in _CHANNELS:
        raise ValueError(f"its colour type is {colour_type}")
    return _Header(width, height, depth, colour_type, interlaced=interlace != 0)


def _scaled_transparency(content: bytes, header: _Header | None) -> bytes:
    """The transparent colour in the scale of the pixels that Pillow gives; it compares without scaling."""
    if header is not None and header.colour_type == _GREY and header.depth in (2, 4):
        highest = (1 << header.depth) - 1
        content = struct.pack(">H", (int.from_bytes(content[:2], "big") & highest) * 255 // highest)
    elif header is not None and header.colour_type == _RGB and header.depth == 16:
        content = b"".join(b"\0" + content[at : at + 1] for at in (0, 2, 4))
    chunk = b"tRNS" + content
    return struct.pack(">I", len(content)) + chunk + struct.pack(">I", zlib.crc32(chunk))


def _row_bytes(header: _Header) -> int:
    """Bytes of all rows, each with its filter byte."""
    bits_per_px = header.depth * _CHANNELS[header.colour_type]
    total = 0
    for left, top, step_x, step_y in _PASSES if header.interlaced else ((0, 0, 1, 1),):
        width, height = -(-(header.width - left) // step_x), -(-(header.height - top) // step_y)
        if width > 0 and height > 0:
            total += height * (1 + -(-width * bits_per_px // 8))
    return total
