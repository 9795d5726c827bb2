"""Looks into a GIF before a decoder does: its first frame alone, and how large a canvas it asks for.

Pillow allocates what a frame asks to be disposed of while it opens the file: 43 bytes can ask for gigabytes.
Source: GIF89a specification, sections 18 to 23.
"""

import struct
from dataclasses import dataclass

Box = tuple[int, int, int, int]

_COLOUR_TABLE, _TRANSPARENT = 0x80, 0x01
_MAX_BYTES_BEFORE_FRAME = 4 * 1024**2
_EXTENSION, _IMAGE, _GRAPHIC_CONTROL, _TERMINATOR = 0x21, 0x2C, 0xF9, 0x00


@dataclass(frozen=True)
class GifFile:
    """The first frame of a GIF.

    Attributes:
        data: the file that gives the same first frame.
        size: (width, height) of the canvas in px, which grows if the frame reaches beyond the screen.
        frame: (left, top, right, bottom) of what the frame paints; the rest of the canvas is transparent.
    """

    data: bytes
    size: tuple[int, int]
    frame: Box


def read_gif(data: bytes) -> GifFile:
    """Walk through the blocks up to the first frame.

    Raises:
        ValueError: there is no frame, or the file ends before it.
    """
    try:
        width, height, flags = struct.unpack_from("<HHB", data, 6)
        screen_end = 13 + _colour_table_bytes(flags)
        at, control = _find_frame(data[:_MAX_BYTES_BEFORE_FRAME], screen_end)
        left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, at + 1)
    except (struct.error, IndexError) as error:
        raise ValueError("it ends, or says too much, before its first frame") from error
    right, bottom = left + frame_width, top + frame_height
    return GifFile(
        data=data[:screen_end] + control + data[at:],
        size=(max(width, right), max(height, bottom)),
        frame=(left, top, right, bottom),
    )


def _find_frame(data: bytes, at: int) -> tuple[int, bytes]:
    """Where the first frame starts, and the block that says which colour of it is transparent."""
    control = b""
    while data[at] != _IMAGE:
        if data[at] == _EXTENSION:
            if data[at + 1] == _GRAPHIC_CONTROL and data[at + 2] == 4 and data[at + 3] & _TRANSPARENT:
                control = bytes((_EXTENSION, _GRAPHIC_CONTROL, 4, _TRANSPARENT, 0, 0, data[at + 6], _TERMINATOR))
            at = _end_of_blocks(data, at + 2)
        elif data[at] == _TERMINATOR:
            at += 1  # one too many is common
        else:
            raise ValueError("it holds no frame")
    return at, control


def _end_of_blocks(data: bytes, at: int) -> int:
    while data[at] != _TERMINATOR:
        at += 1 + data[at]
    return at + 1


def _colour_table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & _COLOUR_TABLE else 0
