"""Looks into a JPEG before a decoder does: what of it is needed for its pixels, and whether they are all there.

libjpeg paints what a file lacks in grey and only warns, and Pillow drops the warning; so the framing is checked here.
Source: ITU-T T.81, annex B.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

MAX_SCANS = 100
"""A progressive JPEG has about 10. Each scan costs a pass over all pixels, so a small file with many takes hours."""

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_START_OF_SCAN, _RESTART_INTERVAL, _EXIF = 0xDA, 0xDD, 0xE1
_NEEDLESS = frozenset({*range(0xE1, 0xEE), *range(0xEF, 0xFF)})  # but the JFIF and Adobe segments tell the colours
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE_FRAMES = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_MAX_SEGMENTS = 10_000
_MARKER = re.compile(b"\xff[^\xff]")  # any number of 0xFF may fill the space before it
# Inside a scan, 0xFF is followed by 0 or belongs to a marker, so these bytes are what they seem.
_SCAN_STARTS, _RESTARTS = re.compile(b"\xff\xda"), re.compile(b"\xff[\xd0-\xd7]")
# Bits that no decoder takes for a marker, and for no run of grey.
_PADDING = b"\x00" + b"\x6b\x2d" * 32


@dataclass(frozen=True)
class _Frame:
    """What the frame header says; `sampling` is (horizontal, vertical) of each component."""

    width: int
    height: int
    progressive: bool
    sampling: tuple[tuple[int, int], ...]

    @property
    def unit_count(self) -> int:
        """Coded units (MCUs) of a scan that holds every component."""
        across, down = (
            (8, 8) if len(self.sampling) == 1 else (8 * max(side) for side in zip(*self.sampling, strict=True))
        )
        return -(-self.width // across) * -(-self.height // down)


@dataclass(frozen=True)
class JpegFile:
    """A JPEG without previews, profiles and comments.

    Attributes:
        data: the file that gives the same pixels.
        exif: its EXIF block, empty if there is none.
        doubtful: a cut would not show as grey in the last pixels: components lie in scans of their own, or a
            progressive file does not bring every bit of every coefficient, which is legal.
    """

    data: bytes
    exif: bytes
    doubtful: bool
    _last_scan: int

    def padded(self) -> bytes:
        """The same file with some bytes after its last scan: they change the pixels only if the scan is cut short."""
        end = self.data.index(_EOI, self._last_scan)
        return self.data[:end] + _PADDING + self.data[end:]


def read_jpeg(data: bytes) -> JpegFile:
    """Walk through the segments up to the pixels.

    Raises:
        ValueError: it cannot be walked, or something is missing.
    """
    kept, exif, frame, interval, scan = [_SOI], b"", None, 0, 0
    for marker, start, end in _segments(data):
        if marker == _START_OF_SCAN:
            scan = start
            break
        if marker == _EXIF and not exif and data.startswith(b"Exif\0", start + 4):
            exif = data[start + 4 : end]
        elif marker in _FRAMES:
            frame = _read_frame(marker, data[start + 4 : end])
        elif marker == _RESTART_INTERVAL:
            (interval,) = struct.unpack_from(">H", data, start + 4)
        if marker not in _NEEDLESS:
            kept.append(data[start:end])
    if frame is None:
        raise ValueError("it has no frame header before its pixels")
    last_scan, doubtful = _check_scans(data, scan, frame, interval)
    header = b"".join(kept)
    return JpegFile(
        data=b"".join((header, memoryview(data)[scan:])),
        exif=exif,
        doubtful=doubtful,
        _last_scan=last_scan - scan + len(header),
    )


def jpeg_size_and_exif(data: bytes) -> tuple[tuple[int, int], bytes]:
    """(width, height) in px before turning, and the EXIF block, empty if there is none; the pixels are not looked at.

    Raises:
        ValueError: it ends before it says them.
    """
    size, exif = None, b""
    for marker, start, end in _segments(data):
        if marker == _START_OF_SCAN:
            break
        if marker == _EXIF and not exif and data.startswith(b"Exif\0", start + 4):
            exif = data[start + 4 : end]
        elif marker in _FRAMES:
            frame = _read_frame(marker, data[start + 4 : end])
            size = frame.width, frame.height
    if size is None:
        raise ValueError("it has no frame header before its pixels")
    return size, exif


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment; what lies between two of them is skipped, as libjpeg does."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None or found.end() + 2 > len(data) or found.group().endswith(_EOI):
            raise ValueError("it ends before its pixels")
        at, marker = found.end() - 2, data[found.end() - 1]
        if marker in _WITHOUT_LENGTH:
            at += 2
            continue
        end = max(at + 4, at + 2 + struct.unpack_from(">H", data, at + 2)[0])
        if end > len(data):
            raise ValueError("it ends in the middle of a segment")
        yield marker, at, end
        at = end
    raise ValueError(f"it has more than {_MAX_SEGMENTS:,} segments before its pixels")


def _read_frame(marker: int, header: bytes) -> _Frame:
    if len(header) < 6 or len(header) < 6 + 3 * header[5]:
        raise ValueError("its frame header is too short")
    height, width = struct.unpack_from(">HH", header, 1)
    sampling = tuple((header[at] >> 4, header[at] & 15) for at in range(7, 6 + 3 * header[5], 3))
    if not sampling or min(min(pair) for pair in sampling) == 0:
        raise ValueError("its frame header holds no usable components")
    return _Frame(width=width, height=height, progressive=marker in _PROGRESSIVE_FRAMES, sampling=sampling)


def _check_scans(data: bytes, first: int, frame: _Frame, interval: int) -> tuple[int, bool]:
    """Where the last scan starts, and `doubtful`; ValueError if the file stops before its pixels do."""
    if not frame.progressive and data[first + 4] == len(frame.sampling):
        if data.rfind(_EOI, first) < 0:
            raise ValueError("it ends in the middle of its pixels")
        restarts = (frame.unit_count - 1) // interval if interval else 0
        if sum(1 for _ in islice(_RESTARTS.finditer(data, first), restarts)) < restarts:
            raise ValueError("a part is missing in the middle of its pixels")
        return first, False
    end = data.find(_EOI, first)
    if end < 0:
        raise ValueError("it ends in the middle of its pixels")
    starts = [match.start() for match in islice(_SCAN_STARTS.finditer(data, first, end), MAX_SCANS + 1)]
    if len(starts) > MAX_SCANS:
        raise ValueError(f"it has more than {MAX_SCANS} scans")
    missing_bits = _missing_bits(data, starts)
    with_brightness = [bits for bits in missing_bits if bits[0] is not None]
    if len(with_brightness) < len(frame.sampling):
        raise ValueError(f"it ends after {len(with_brightness)} of {len(frame.sampling)} colour components")
    return starts[-1], not frame.progressive or any(bit != 0 for bits in missing_bits for bit in bits)


def _missing_bits(data: bytes, scans: list[int]) -> list[list[int | None]]:
    """For each component, and each of its 64 coefficients: how many low bits no scan brings; None if none brings any.

    The first coefficient is the average brightness of a block.
    """
    components: dict[int, list[int | None]] = {}
    for scan in scans:
        end = scan + 5 + 2 * data[scan + 4]
        first, last, approximation = data[end : end + 3]
        for component in data[scan + 5 : end : 2]:
            bits = components.setdefault(component, [None] * 64)
            bits[first : last + 1] = [approximation & 15] * len(bits[first : last + 1])
    return list(components.values())
