"""RGB image -> uint8 pixels of the size a backbone wants. Subtracting means and dividing is the graph's work."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

Fit = Literal["crop", "pad", "stretch"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Side = Annotated[int, Field(ge=1, le=4096)]
Share = Annotated[float, Field(ge=0, le=1)]
Box = tuple[float, float, float, float]

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


class PreprocessSpec(BaseModel):
    """The numbers that preprocessing and the graph's normalisation need; travels inside the bundle.

    `resize` is the shorter side in px before the centre crop (fit "crop" only). `mean` and `std` are for pixels
    scaled to [0, 1], one per RGB channel, and are applied inside the graph.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    height: Side = 224
    width: Side = 224
    resize: Side = 256
    fit: Fit = "crop"
    interpolation: Interpolation = "bilinear"
    mean: tuple[Share, Share, Share] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    @model_validator(mode="after")
    def _crop_fits(self) -> "PreprocessSpec":
        if self.fit == "crop" and self.resize < max(self.height, self.width):
            raise ValueError(
                f"resize {self.resize} is below the crop of {self.height} x {self.width}; make it at least as large"
            )
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std} must be above 0 in every channel")
        return self

    @property
    def decode_at_least(self) -> tuple[int, int]:
        """(width, height) in px that a picture must keep while decoding so that nothing here is scaled up."""
        return (self.resize, self.resize) if self.fit == "crop" else (self.width, self.height)


def preprocess(image: Image.Image, spec: PreprocessSpec) -> NDArray[np.uint8]:
    """Resize, antialiased, and crop in one step.

    Args:
        image: mode RGB, upright, as `decode` gives it.
        spec: sizes, fit and interpolation.

    Returns:
        Shape (H, W, 3), uint8, C-contiguous and writable.
    """
    resample = _FILTERS[spec.interpolation]
    if spec.fit == "pad":
        return _pad(image, spec, resample)
    box = _centre_box(image.size, spec) if spec.fit == "crop" else None
    return np.array(image.resize((spec.width, spec.height), resample, box=box))  # a copy, because theirs is read-only


def seen_box(size_px: tuple[int, int], spec: PreprocessSpec) -> Box:
    """The part of an upright picture of (width, height) that `preprocess` leaves of it.

    Returns:
        left, top, right, bottom in px of the picture; beyond its edges where it is padded.
    """
    if spec.fit == "crop":
        return _centre_box(size_px, spec)
    if spec.fit == "stretch":
        return (0.0, 0.0, float(size_px[0]), float(size_px[1]))
    (width, height), (left, top) = _placed(size_px, spec)
    across, down = size_px[0] / width, size_px[1] / height
    return (-left * across, -top * down, (spec.width - left) * across, (spec.height - top) * down)


def _centre_box(size_px: tuple[int, int], spec: PreprocessSpec) -> Box:
    """The part of the source, in source px, that shorter-side resize and centre crop leave of it.

    Sizes and offsets are whole numbers at the same places as in torchvision's Resize and CenterCrop, which most
    weights were trained with.
    """
    shorter = min(size_px)
    resized = [int(spec.resize * side / shorter) for side in size_px]
    left, top = round((resized[0] - spec.width) / 2), round((resized[1] - spec.height) / 2)
    across, down = size_px[0] / resized[0], size_px[1] / resized[1]
    right, bottom = (left + spec.width) * across, (top + spec.height) * down
    return (left * across, top * down, min(right, size_px[0]), min(bottom, size_px[1]))


def _pad(image: Image.Image, spec: PreprocessSpec, resample: Image.Resampling) -> NDArray[np.uint8]:
    """Fit the whole picture inside, centred on the mean colour, which normalisation turns into zeros."""
    size, place = _placed(image.size, spec)
    colour = tuple(round(255 * mean) for mean in spec.mean)
    canvas = Image.new("RGB", (spec.width, spec.height), colour)
    canvas.paste(image.resize(size, resample), place)
    return np.array(canvas)


def _placed(size_px: tuple[int, int], spec: PreprocessSpec) -> tuple[tuple[int, int], tuple[int, int]]:
    """How large a padded picture becomes, width and height, and where its left upper corner lies, in px."""
    scale = min(spec.width / size_px[0], spec.height / size_px[1])
    width, height = max(1, round(size_px[0] * scale)), max(1, round(size_px[1] * scale))
    return (width, height), ((spec.width - width) // 2, (spec.height - height) // 2)
