"""The options of the `compare` verb."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import CliPositionalArg, NoDecode

from shared.preprocess import Fit
from shared.session import Provider
from trainer.locations import Location
from trainer.recipe import Precision
from trainer.setting_types import Fraction, GroupBy, Seed
from trainer.settings import DATA_HELP, GROUP_BY_HELP, LABELS_HELP, TrainerSettings, TrainSettings


class CompareSettings(TrainerSettings):
    """Compare backbones, fits and precisions on labelled pictures: accuracy, speed, latency, size."""

    data: CliPositionalArg[Location] = Field(description=DATA_HELP)
    backbones: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names, with commas between; may download weights. Default: nano and all whose weights are here.",
    )
    weights: Annotated[tuple[Path, ...], NoDecode] = Field(
        (),
        description="Local weights files, with commas between: each for the backbone it fits, which is not downloaded.",
    )
    weights_url: str | None = Field(None, description="Mirror to download published weights from, inside a firewall.")
    precisions: Annotated[tuple[Precision, ...], NoDecode] = Field(
        ("float32", "int8"), min_length=1, description="What is compared of these, with a comma between."
    )
    fit: Fit | Literal["auto"] = Field("auto", description="crop, pad, stretch, or auto for all of them.")
    mirror: bool = Field(
        True,
        description="--no-mirror leaves out what the mirror image gains and costs: a third of the work.",
    )
    labels: str = Field("auto", description=LABELS_HELP)
    group_by: GroupBy | None = Field(None, description=GROUP_BY_HELP)
    max_bad: Fraction = Field(0.1, description="Share of unreadable or missing pictures that is tolerated.")
    seed: Seed = Field(0, description="Of the folds.")
    provider: Provider = Field("auto", description="Where ONNX Runtime computes: auto, cpu, cuda.")
    rehash: bool = Field(False, description="Read every file again instead of trusting size and time.")
    out: Path | None = Field(None, description="Draw accuracy against latency into this .svg or .png file.")

    @field_validator("backbones", "weights", "precisions", mode="before")
    @classmethod
    def _with_commas(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("out")
    @classmethod
    def _known_picture(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix not in (".svg", ".png"):
            raise ValueError("expected a name that ends in .svg or .png")
        return value

    def for_one(self, *, backbone: str | None = None, weights: Path | None = None) -> TrainSettings:
        """How `train` would be told to take one of the backbones.

        What `compare` has no option for is as `train` has it by default, whatever FINIAL_* variables say: they are
        those of `train`, and would change in silence what is compared.
        """
        fields = TrainSettings.model_fields.items()
        defaults = {field.alias or name: field.default for name, field in fields if not field.is_required()}
        shared = {
            name: getattr(self, name)
            for name in ("weights_url", "fit", "labels", "group_by", "max_bad", "seed", "provider", "rehash")
        }
        own = {"data": self.data, "name": "compare", "threads": self.threads, "cache_dir": self.cache_dir}
        return TrainSettings.model_validate(defaults | shared | own | {"backbone": backbone, "weights": weights})
