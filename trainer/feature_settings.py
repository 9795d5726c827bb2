"""The options that say which features a picture has, and how many augmented views of it are learned from."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from shared.preprocess import Fit
from trainer.memory_settings import MemorySettings

AUTO = "auto"
NO_TAPS, MIDDLE_TAP = "none", "middle"

ImageSize = Annotated[int, Field(ge=32, le=1024)]
MaxCost = Annotated[float, Field(ge=1, le=100)]
ViewCount = Annotated[int, Field(ge=0, le=64)]

_TAP = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*(:average|:peaks|:quarters)?"


def _require_stages(value: str) -> str:
    if not re.fullmatch(rf"{_TAP}(,{_TAP})*", value):
        raise ValueError(
            "expected none, middle, auto, or names of modules with commas between, such as features.13, each with "
            ":peaks or :quarters after it where it is not averaged"
        )
    if value not in (AUTO, NO_TAPS) and {tap.partition(":")[0] for tap in value.split(",")} & {AUTO, NO_TAPS}:
        raise ValueError("auto and none stand alone: expected no other name and no :peaks or :quarters with them")
    return value


Taps = Annotated[
    str,
    BeforeValidator(lambda value: ",".join(value) if isinstance(value, (list, tuple)) else value),
    AfterValidator(_require_stages),
]


class FeatureSettings(MemorySettings):
    """Size, fit, taps, mirror, views and precision, and where features lie.

    None is the preset of the weights; with `--search` it is "auto".
    """

    image_size: Literal["auto"] | ImageSize | None = Field(
        None, description="Side in px that pictures are brought to, or auto; default: that of the weights."
    )
    fit: Fit | Literal["auto"] | None = Field(
        None, description="crop (edges are lost), pad, stretch, or auto; default: that of the weights."
    )
    taps: Taps | None = Field(
        None,
        description="Stages read beside the last one: none, middle, auto, or modules by name, with commas between; "
        "averaged, or with :peaks or :quarters after the name.",
    )
    mirror: bool = Field(
        False, description="Average the features of each picture and its mirror image, also in serving: twice the work."
    )
    views: Literal["auto"] | ViewCount = Field(
        "auto",
        description="Augmented views to learn from; auto = 1, for a small set or by --search, if it helps.",
    )
    max_cost: MaxCost = Field(
        4.0, description="How many times the preset's work for each picture a recipe found by auto may take."
    )
    precision: Literal["float32", "int8", "auto"] = Field(
        "float32", description="What the backbone computes in; auto = int8 if measured faster here and as accurate."
    )

    def check_cost(self, *, search: bool) -> None:
        """Refuse a limit of cost where nothing is chosen that it could limit.

        Raises:
            ValueError: neither a search nor the size chooses among recipes of different cost.
        """
        default = FeatureSettings.model_fields["max_cost"].default
        if self.max_cost != default and not chooses_cost(self.image_size, search=search):
            raise ValueError(
                f"--max-cost {self.max_cost:g}: it limits what is chosen, and nothing is; add --search or "
                "--image-size auto, or leave it out"
            )


def chooses_cost(image_size: object, *, search: object) -> bool:
    """Whether recipes of different cost are compared with these values of the two options."""
    return bool(search) or image_size == AUTO
