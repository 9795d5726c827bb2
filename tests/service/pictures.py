"""Pictures made on the spot."""

import io
from typing import Any

from PIL import Image

RED, GREEN, BLUE = (220, 20, 20), (20, 220, 20), (20, 20, 220)


def picture(
    colour: tuple[int, int, int] = RED, *, size: tuple[int, int] = (32, 24), kind: str = "PNG", **how: Any
) -> bytes:
    """The file content of a picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind, **how)
    return buffer.getvalue()
