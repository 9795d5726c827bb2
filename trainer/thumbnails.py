"""Small copies of pictures for the report: without metadata, and no more than a page can carry."""

import io

from PIL import Image

from shared.decode import TRAINER_LIMITS, decode
from shared.errors import PictureError
from trainer.samples import Sample

THUMBNAIL_PX = 160
SMALL_PX = 96
MOST_BYTES = 1_000_000
"""Of all thumbnails of a report; as text on the page they take a third more."""


class Thumbnails:
    """Deals out thumbnails, what is asked for first comes first, until they are as many bytes as a page can carry.

    Args:
        allowed: False gives none at all (`--no-pictures`).
        most_bytes: of all of them together.
    """

    def __init__(self, *, allowed: bool = True, most_bytes: int = MOST_BYTES) -> None:
        self.allowed = allowed
        self._left_bytes = most_bytes if allowed else 0

    def of(self, sample: Sample, side_px: int = THUMBNAIL_PX) -> bytes | None:
        """A thumbnail; None where pictures are kept out, this one can no longer be read, or there is no room left."""
        if self._left_bytes <= 0:
            return None
        jpeg = make_thumbnail(sample, side_px)
        if jpeg is None or len(jpeg) > self._left_bytes:
            return None
        self._left_bytes -= len(jpeg)
        return jpeg


def make_thumbnail(sample: Sample, side_px: int = THUMBNAIL_PX) -> bytes | None:
    """The picture as a small JPEG without any metadata of the original; None if it can no longer be read."""
    try:
        image = decode(sample.path.read_bytes(), at_least=(side_px, side_px), limits=TRAINER_LIMITS)
    except (OSError, PictureError):
        return None
    image.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    small, written = Image.new("RGB", image.size), io.BytesIO()
    small.paste(image)  # a new image carries no EXIF, colour profile or comment along
    small.save(written, "JPEG", quality=80, optimize=True)
    return written.getvalue()
