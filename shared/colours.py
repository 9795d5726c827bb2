"""Pixels of whatever kind -> RGB, 8 bits: deep grey is scaled, transparency becomes white."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_GREY_16_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")


def to_rgb(image: Image.Image, *, grey_white: int = 65535, white_is_zero: bool = False) -> Image.Image:
    """The same picture in mode RGB.

    Args:
        image: loaded, of any mode; `info["transparency"]` may name the transparent colour.
        grey_white: the value that is white in grey of 16 bits.
        white_is_zero: deep grey runs from white to black.

    Raises:
        ValueError: there is no agreed way to see these values: 32-bit integers, floats outside 0 to 1, CIELAB.
    """
    if image.mode in _GREY_16_BIT_MODES or image.mode == "F":
        values = np.asarray(image)
        grey = _grey_of_floats(values) if image.mode == "F" else _grey_of_16_bits(values, grey_white)
        if (transparent := image.info.get("transparency")) is not None:
            grey[values == transparent] = 255
        return Image.fromarray(255 - grey if white_is_zero else grey, mode="L").convert("RGB")
    if image.mode == "I":
        raise ValueError("32-bit or signed grey, expected 8 or 16 bits without sign")
    if image.mode == "LAB":
        raise ValueError("CIELAB colours, expected RGB, CMYK or grey")
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(rgba: Image.Image) -> Image.Image:
    if rgba.getchannel("A").getextrema() == (255, 255):
        return rgba.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _grey_of_16_bits(values: NDArray[np.uint16], white: int) -> NDArray[np.uint8]:
    table: NDArray[np.uint8] = np.rint(np.minimum(np.arange(65536) * (255 / white), 255)).astype(np.uint8)
    return table[values]


def _grey_of_floats(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    if not (values.min() >= 0 and values.max() <= 1):  # also true for what is not a number
        raise ValueError(f"grey floats from {values.min():g} to {values.max():g}, expected 0 to 1")
    grey: NDArray[np.uint8] = np.rint(values * 255).astype(np.uint8)
    return grey
