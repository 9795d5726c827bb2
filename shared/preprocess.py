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
    box = _centre_box(image, spec) if spec.fit == "crop" else None
    return np.array(image.resize((spec.width, spec.height), resample, box=box))  # a copy, because theirs is read-only


def _centre_box(image: Image.Image, spec: PreprocessSpec) -> Box:
    """The part of the source, in source px, that shorter-side resize and centre crop leave of it.

    Sizes and offsets are whole numbers at the same places as in torchvision's Resize and CenterCrop, which most
    weights were trained with.
    """
    shorter = min(image.size)
    resized = [int(spec.resize * side / shorter) for side in image.size]
    left, top = round((resized[0] - spec.width) / 2), round((resized[1] - spec.height) / 2)
    across, down = image.width / resized[0], image.height / resized[1]
    right, bottom = (left + spec.width) * across, (top + spec.height) * down
    return (left * across, top * down, min(right, image.width), min(bottom, image.height))


def _pad(image: Image.Image, spec: PreprocessSpec, resample: Image.Resampling) -> NDArray[np.uint8]:
    """Fit the whole picture inside, centred on the mean colour, which normalisation turns into zeros."""
    scale = min(spec.width / image.width, spec.height / image.height)
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    colour = tuple(round(255 * mean) for mean in spec.mean)
    canvas = Image.new("RGB", (spec.width, spec.height), colour)
    canvas.paste(image.resize((width, height), resample), ((spec.width - width) // 2, (spec.height - height) // 2))
    return np.array(canvas)
