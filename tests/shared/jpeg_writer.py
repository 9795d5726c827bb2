"""Writes JPEGs of flat 8 x 8 blocks with any chroma sampling and colour model: what no encoder at hand offers.

Baseline, Huffman coded, one table each: 12 codes of 4 bits for the sizes of DC differences, one bit for "no AC".
Source: ITU-T T.81, annexes B and F.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_DC_SIZES = bytes(range(12))
_END_OF_BLOCK_BIT = "0"


@dataclass(frozen=True)
class Component:
    """One plane: blocks per unit across and down, and the value of the block at (row, column) of its own grid."""

    across: int
    down: int
    value_at: Callable[[int, int], int]


def flat(value: int) -> Callable[[int, int], int]:
    """The same value in every block."""
    return lambda _row, _column: value


def write_jpeg(
    width: int, height: int, components: Sequence[Component], *, adobe_transform: int | None = None
) -> bytes:
    """A JPEG whose components are interleaved; `adobe_transform` 2 says YCCK, 0 CMYK or RGB, 1 YCbCr."""
    frame = struct.pack(">BHHB", 8, height, width, len(components))
    scan = bytes([len(components)])
    for number, component in enumerate(components, 1):
        frame += bytes([number, component.across << 4 | component.down, 0])
        scan += bytes([number, 0])
    segments = [
        (0xDB, b"\0" + bytes([8] * 64)),  # a DC coefficient counts 8 times, so it is 8 x (value - 128) / 8
        (0xC0, frame),
        (0xC4, b"\x00" + bytes([0, 0, 0, 12, *[0] * 12]) + _DC_SIZES),
        (0xC4, b"\x10" + bytes([1, *[0] * 15]) + b"\0"),
        (0xDA, scan + b"\x00\x3f\x00"),
    ]
    if adobe_transform is not None:
        segments.insert(0, (0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, adobe_transform)))
    header = b"".join(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content for marker, content in segments)
    bits = "".join(_bits(width, height, components))
    bits += "1" * (-len(bits) % 8)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    return b"\xff\xd8" + header + coded + b"\xff\xd9"


def _bits(width: int, height: int, components: Sequence[Component]) -> Iterator[str]:
    unit_width = 8 * max(component.across for component in components)
    unit_height = 8 * max(component.down for component in components)
    before = [0] * len(components)
    for unit_row in range(-(-height // unit_height)):
        for unit_column in range(-(-width // unit_width)):
            for number, component in enumerate(components):
                for block in range(component.across * component.down):
                    row, column = divmod(block, component.across)
                    place = unit_row * component.down + row, unit_column * component.across + column
                    coefficient = component.value_at(*place) - 128
                    yield _difference(coefficient - before[number]) + _END_OF_BLOCK_BIT
                    before[number] = coefficient


def _difference(value: int) -> str:
    size = abs(value).bit_length()
    if size == 0:
        return "0000"
    return f"{size:04b}" + f"{value if value > 0 else value + (1 << size) - 1:0{size}b}"
