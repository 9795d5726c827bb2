"""The one thing read from a picture's EXIF block: which way is up."""

import struct

_ORIENTATION_TAG = 0x0112
_NUMBER_TYPES = {3: "H", 4: "I"}  # SHORT as the specification asks, LONG as some cameras write
_ENTRY_BYTES = 12


def orientation_of(exif: bytes) -> int:
    """EXIF orientation, 1 to 8. A block that is missing, damaged or says anything else counts as upright, 1.

    Args:
        exif: the block, with or without its "Exif" prefix.

    Source: TIFF 6.0, section 2 (image file directory); EXIF 2.32, tag 274.
    """
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        return _orientation_in_first_directory(exif, order)
    except struct.error:  # it ends early; the pixels are none the worse for it
        return 1


def _orientation_in_first_directory(tiff: bytes, order: str) -> int:
    (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, directory)
    for entry in range(directory + 2, directory + 2 + count * _ENTRY_BYTES, _ENTRY_BYTES):
        tag, number_type = struct.unpack_from(f"{order}HH", tiff, entry)
        if tag == _ORIENTATION_TAG and number_type in _NUMBER_TYPES:
            value: int = struct.unpack_from(f"{order}{_NUMBER_TYPES[number_type]}", tiff, entry + 8)[0]
            return value if 1 <= value <= 8 else 1
    return 1
