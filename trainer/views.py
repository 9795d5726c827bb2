"""Views: a picture drawn again a little differently, mirrored, cropped, turned and coloured, always in the same way."""

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from shared.preprocess import PreprocessSpec, preprocess

VIEWS_REVISION = 2
"""Raised whenever the same picture may give other views; part of their fingerprint."""

MOST_TURNED_DEG = 5.0
LEAST_AREA = 0.8
MOST_STRETCHED = 1.1
MOST_COLOURED = 0.15

_MARGIN = 1.5
"""Pictures are first made small, yet this much larger than is wanted, for the crop and the turn to have details."""


@dataclass(frozen=True)
class Drawing:
    """How a view differs from its picture.

    Attributes:
        mirrored: left and right are exchanged.
        box: left, top, right and bottom of what is kept, as shares of the width and the height.
        turned_deg: counter-clockwise; what comes in from outside is the picture mirrored at its edges.
        brightness, contrast, saturation: factors.
    """

    mirrored: bool
    box: tuple[float, float, float, float]
    turned_deg: float
    brightness: float
    contrast: float
    saturation: float


MIRROR_IMAGE = Drawing(mirrored=True, box=(0, 0, 1, 1), turned_deg=0, brightness=1, contrast=1, saturation=1)


def view_definition() -> str:
    """What views are, for fingerprints."""
    return f"augmented, revision {VIEWS_REVISION}"


def view_numbers(count: int, *, mirrored: bool) -> range:
    """Which views the first `count` of a picture are.

    Where the graph averages a picture's features with those of its mirror image (`mirrored`), the view that is the
    mirror image has the features of the picture itself: it is passed over, for rows twice teach nothing.
    """
    return range(1, count + 1) if mirrored else range(count)


def draw(digest: str, index: int) -> Drawing:
    """The view of this number of the picture with this digest: the same ever after, another for any other picture.

    The first view is the mirror image and nothing else, which is what helped most; see the decision 0018. Of the others
    every second is mirrored, and each kind of change has even odds between its bounds: the share of the area that is
    kept lies in [0.8, 1].
    """
    if index == 0:
        return MIRROR_IMAGE
    odds = _odds(digest, index)
    turned = MOST_TURNED_DEG * (2 * odds[0] - 1)
    area = LEAST_AREA + (1 - LEAST_AREA) * odds[1]
    stretched = MOST_STRETCHED ** (2 * odds[2] - 1)
    width, height = min(1.0, math.sqrt(area * stretched)), min(1.0, math.sqrt(area / stretched))
    left, top = odds[3] * (1 - width), odds[4] * (1 - height)
    factors = (1 + MOST_COLOURED * (2 * odd - 1) for odd in odds[5:])
    return Drawing(index % 2 == 0, (left, top, left + width, top + height), turned, *factors)


def render_views(
    image: Image.Image, spec: PreprocessSpec, digest: str, indices: tuple[int, ...]
) -> list[NDArray[np.uint8]]:
    """Views of a picture, each prepared as the picture itself is: uint8 (H, W, 3).

    Args:
        image: mode RGB, upright, as `decode` gives it.
        spec: sizes, fit and interpolation.
        digest: of the picture.
        indices: which views.
    """
    small = _made_small(image, spec) if indices else image
    return [preprocess(apply(draw(digest, index), small), spec) for index in indices]


def _odds(digest: str, index: int) -> list[float]:
    """Eight even odds in [0, 1): four bytes of a SHA-256 each, so that they hang on no package's generator."""
    drawn = hashlib.sha256(f"{VIEWS_REVISION}:{digest}:{index}".encode()).digest()
    return [int.from_bytes(drawn[at : at + 4], "big") / 2**32 for at in range(0, len(drawn), 4)]


def apply(drawing: Drawing, image: Image.Image) -> Image.Image:
    """The picture as it was drawn."""
    left, top, right, bottom = drawing.box
    width, height = image.size
    box = (math.floor(left * width), math.floor(top * height), math.ceil(right * width), math.ceil(bottom * height))
    view = image.crop(box)
    if drawing.mirrored:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if drawing.turned_deg:
        view = _turned(view, drawing.turned_deg)
    view = ImageEnhance.Brightness(view).enhance(drawing.brightness)
    view = ImageEnhance.Contrast(view).enhance(drawing.contrast)
    return ImageEnhance.Color(view).enhance(drawing.saturation)


def _turned(image: Image.Image, angle_deg: float) -> Image.Image:
    """Turned within its frame, mirrored at the edges: corners of one colour would be the strongest edges of all."""
    width, height = image.size
    margin = min(math.ceil(max(width, height) * math.sin(math.radians(abs(angle_deg))) / 2) + 2, width, height)
    padded = np.pad(np.asarray(image), ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    turned = Image.fromarray(padded).rotate(angle_deg, Image.Resampling.BICUBIC)
    return turned.crop((margin, margin, margin + width, margin + height))


def _made_small(image: Image.Image, spec: PreprocessSpec) -> Image.Image:
    """No larger than its views need: they are then made in a few ms, however large the picture is."""
    wanted = max(spec.decode_at_least) * _MARGIN
    scale = wanted / min(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)
