"""Loaded by schemathesis: where the description says "a file", send pictures among other things."""

import io
import itertools

import schemathesis
from hypothesis import strategies as st
from PIL import Image

COLOURS = [(220, 20, 20), (20, 220, 20), (20, 20, 220), (128, 128, 128)]
SIZES = [(1, 1), (16, 16), (90, 20), (300, 200)]


def pictures() -> list[bytes]:
    """One of each colour, size and kind that the service takes."""
    found = []
    for colour, size, kind in itertools.product(COLOURS, SIZES, ("PNG", "JPEG", "WEBP", "BMP", "GIF")):
        buffer = io.BytesIO()
        Image.new("RGB", size, colour).save(buffer, kind)
        found.append(buffer.getvalue())
    return found


schemathesis.openapi.format(
    "binary", st.one_of(st.sampled_from(pictures()), st.sampled_from(pictures()), st.binary(min_size=1))
)
