"""The options of every verb, each declared once: flag, FINIAL_* variable and TOML key at the same time."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import CliPositionalArg, NoDecode

from shared.cores import usable_cores
from shared.session import Provider
from shared.settings import FinialSettings
from trainer.feature_settings import FeatureSettings
from trainer.features_in import check_where_features_lie
from trainer.locations import Location, stem
from trainer.named_test_settings import NamedTestSettings
from trainer.ray_settings import RAY_OPTIONS, EngineName, RayOptions, RaySettings
from trainer.setting_types import (
    Age,
    Count,
    EntryName,
    Folds,
    Fraction,
    GroupBy,
    Milliseconds,
    Minutes,
    ModelName,
    PicturesPerClass,
    Seed,
    Share,
    Threads,
    seconds_of,
)
from trainer.sgd_settings import SgdSettings

HeadChoice = Literal["auto", "probe", "prototype", "blend", "mlp", "sgd"]

DATA_HELP = (
    "Labelled pictures: a folder, a TSV/CSV table, a .zip or .tar(.gz) of either, or an s3:// or https:// address."
)
LABELS_HELP = "Where labels come from: auto, folder, top-folder, prefix, prefix-words, or a TSV/CSV file."
GROUP_BY_HELP = "Keep pictures together: a regular expression on their names, or column:NAME of the table."


class TrainerSettings(FinialSettings):
    """What every verb that computes shares."""

    help_groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "Data": ("labels", "test", "test_labels", "group_by", "only", "limit", "max_bad", "rehash"),
        "Backbone": ("backbone", "backbones", "max_latency", "weights", "weights_url", "nano", "engine", "provider"),
        "Features": ("image_size", "fit", "taps", "mirror", "views", "precision", "precisions", "max_cost"),
        "Split and head": ("split", "folds", "seed", "head", "search", "max_search", "balance", "final_fit", "from_"),
        "Only with --head sgd": tuple(name for name in SgdSettings.model_fields if name != "config"),
        "Result": (
            "name",
            "models_dir",
            "out",
            "min_accuracy",
            "not_worse",
            "unfamiliar",
            "pictures",
            "keep_versions",
            "json_",
        ),
        "Machine": ("threads", "cache_dir", "features_in", "feature_memory", "config"),
        "Only with --engine ray": RAY_OPTIONS,
    }

    threads: Threads = Field(0, description="CPU threads; 0 = the cores this process may use.")
    json_: bool = Field(False, alias="json", description="Print one JSON object on stdout instead of text.")
    cache_dir: Path = Field(Path("cache"), description="Features, exported graphs and digests are kept here.")

    @property
    def thread_count(self) -> int:
        """Threads to use: as asked, or the usable cores."""
        return self.threads or usable_cores()


class BackboneChoice(FinialSettings):
    """Which frozen network, and where its weights come from."""

    backbone: str | None = Field(
        None, description="A name of `backbones list`, may download its weights; train: auto compares those here."
    )
    weights: Path | None = Field(None, description="A local weights file (.pth or .safetensors); never downloads.")
    weights_url: str | None = Field(None, description="Mirror to download published weights from, inside a firewall.")
    nano: bool = Field(True, description="--no-nano never falls back to the embedded backbone.")


class TrainSettings(TrainerSettings, BackboneChoice, NamedTestSettings, FeatureSettings, SgdSettings, RaySettings):
    """Train on a folder (or table) of labelled pictures and publish a bundle."""

    max_latency: Milliseconds | None = Field(
        None, description="With --backbone auto: the longest that a single request may take, e.g. 20ms."
    )
    data: CliPositionalArg[Location] = Field(description=DATA_HELP)
    name: ModelName | None = Field(None, description="Model name; default: the data folder's name as a slug.")
    models_dir: Path = Field(Path("models"), description="Where bundles are published.")
    labels: str = Field("auto", description=LABELS_HELP)
    split: Annotated[tuple[Share, Share, Share], NoDecode] = Field(
        (0.7, 0.15, 0.15), description="Shares of train,validation,test; 1,0,0 trains on all, cross-validated only."
    )
    group_by: GroupBy | None = Field(None, description=GROUP_BY_HELP)
    folds: Folds = Field(0, description="Also report a nested K-fold cross-validation; 0 = none.")
    seed: Seed = Field(0, description="Of split and folds.")
    head: HeadChoice = Field(
        "auto",
        description="Kind of head; auto = a probe; or, if better, a prototype (few pictures), a blend (search).",
    )
    search: bool = Field(
        False, description="Choose image size, fit, taps, views and head by cross-validation; what was tried is told."
    )
    max_search: Minutes = Field(
        10.0,
        description="Minutes of a core, counted, not clocked, for fits that only compare recipes; large sets are "
        "compared on a part of their pictures, which is told. 0 = no bound.",
    )
    balance: bool = Field(False, description="Let every label weigh alike in the fit, however many pictures it has.")
    engine: EngineName = Field("onnxruntime", description="What computes features; ray: workers of a Ray cluster.")
    provider: Provider = Field("auto", description="Where ONNX Runtime computes: auto, cpu, cuda.")
    final_fit: Literal["all", "train"] = Field(
        "all", description="Fit the published head on every split (numbers stay the held-out ones), or on train only."
    )
    max_bad: Fraction = Field(0.1, description="Share of unreadable or missing pictures that is tolerated.")
    min_accuracy: Fraction | None = Field(
        None, description="Gate: lower bound of the accuracy's interval that must be reached."
    )
    not_worse: bool = Field(
        False, description="Gate: not worse than the current version, on pictures that both held out (McNemar test)."
    )
    unfamiliar: Fraction = Field(0.99, description="Novelty above which a picture is called unfamiliar.")
    pictures: bool = Field(
        True, description="--no-pictures keeps pictures out of bundle and report; the report still names files."
    )
    rehash: bool = Field(False, description="Read every file again instead of trusting size and time.")
    from_: Path | None = Field(
        None, alias="from", description="Repeat the run of this bundle: its settings, and then what differs."
    )
    keep_versions: Count = Field(10, description="Older versions are removed.")

    @field_validator("split", mode="before")
    @classmethod
    def _three_numbers(cls, value: Any) -> Any:
        if isinstance(value, str):
            parts = value.split(",")
            if len(parts) != 3:
                raise ValueError("expected three numbers such as 0.7,0.15,0.15")
            return tuple(part.strip() for part in parts)
        return value

    @model_validator(mode="after")
    def _shares_are_whole(self) -> "TrainSettings":
        if abs(sum(self.split) - 1) > 1e-6 or self.split[0] == 0:
            raise ValueError(f"--split: shares {self.split} must add up to 1, with something to train on")
        if self.folds == 1:
            raise ValueError("--folds: 1 fold leaves nothing to train on; use 0 for none or at least 2")
        return self

    @model_validator(mode="after")
    def _goes_together(self) -> "TrainSettings":
        if self.from_ is None:  # what an earlier run sets is not known yet; `Earlier.settings` checks the whole
            self.check_together()
        return self

    def check_together(self) -> None:
        """Refuse options that do not go together, or would be passed over.

        Raises:
            ValueError: it names the options by their flags.
        """
        self.check_sgd(self.head)
        self.check_shares(self.split, asked="split" in self.model_fields_set)
        self.check_cost(search=self.search)
        check_where_features_lie(self)
        self.check_ray(self.engine, provider=self.provider, precision=self.precision)
        if self.engine == "torch" and self.precision != "float32":
            raise ValueError(f"--precision {self.precision}: --engine torch has no int8, only onnxruntime has")
        if self.provider == "cuda" and self.precision != "float32":
            raise ValueError(f"--precision {self.precision}: int8 computes on CPUs; leave out --provider cuda")
        if self.max_latency is not None and self.backbone != "auto":
            raise ValueError("--max-latency: it picks a backbone; add --backbone auto")

    @model_validator(mode="after")
    def _has_a_name(self) -> "TrainSettings":
        if not self.model_name:
            raise ValueError(
                f"--name: {stem(self.data)!r}, DATA's name, cannot be written with the letters of a model name "
                "(a to z, 0 to 9, '.', '_', '-'); choose one, such as --name pets"
            )
        return self

    @property
    def ray_options(self) -> RayOptions:
        """Which cluster `--engine ray` uses."""
        return self.options_of_ray(threads=self.thread_count)

    @property
    def model_name(self) -> str:
        """`--name`, or the data's name as a legal model name."""
        return self.name or _slug(self.data)


class AuditSettings(TrainerSettings, BackboneChoice, NamedTestSettings):
    """Look through labelled pictures for what would spoil a training, without training."""

    data: CliPositionalArg[Location] = Field(description=DATA_HELP)
    labels: str = Field("auto", description=LABELS_HELP)
    max_bad: Fraction = Field(0.1, description="Share of unreadable or missing pictures that is tolerated.")
    group_by: GroupBy | None = Field(None, description=GROUP_BY_HELP)
    seed: Seed = Field(0, description="Of the folds that labels are judged by.")
    provider: Provider = Field("auto", description="Where ONNX Runtime computes: auto, cpu, cuda.")
    rehash: bool = Field(False, description="Read every file again instead of trusting size and time.")


class EvaluateSettings(TrainerSettings):
    """Measure a published bundle on labelled pictures."""

    bundle: CliPositionalArg[Path] = Field(description="models/NAME (its current version) or models/NAME/VERSION.")
    data: CliPositionalArg[Location] = Field(description=DATA_HELP)
    labels: str = Field("auto", description=LABELS_HELP)
    group_by: GroupBy | None = Field(None, description=GROUP_BY_HELP)
    only: Literal["train", "validation", "test", "all"] = Field(
        "all", description="Only pictures of this split of the bundle's own training."
    )
    max_bad: Fraction = Field(0.1, description="Share of unreadable or missing pictures that is tolerated.")
    provider: Provider = Field("auto", description="Where ONNX Runtime computes: auto, cpu, cuda.")


class PredictSettings(TrainerSettings):
    """Predict the labels of pictures, a few or whole folders."""

    bundle: CliPositionalArg[Path] = Field(description="models/NAME (its current version) or models/NAME/VERSION.")
    json_: bool = Field(False, alias="json", description="Print one JSON object a picture, each on a line of its own.")
    paths: CliPositionalArg[list[Location]] = Field(
        description="Pictures, folders or archives of pictures, here or at an s3:// or https:// address."
    )
    only: Literal["train", "validation", "test", "all"] = Field(
        "all", description="Only pictures of this split of the bundle's own training."
    )
    limit: Count | None = Field(None, description="Stop after this many pictures.")
    out: Path | None = Field(None, description="Write every prediction to this .csv or .parquet file; resumable.")
    provider: Provider = Field("auto", description="Where ONNX Runtime computes: auto, cpu, cuda.")

    @field_validator("out")
    @classmethod
    def _known_table(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix not in (".csv", ".parquet"):
            raise ValueError("expected a name that ends in .csv or .parquet")
        return value


class SampleSettings(FinialSettings):
    """Write procedural pictures of cracked and uncracked concrete for a first run."""

    folder: CliPositionalArg[Path] = Field(description="Where to write cracked/ and uncracked/.")
    per_class: PicturesPerClass = Field(150, description="Pictures per class.")
    seed: Seed = Field(0, description="The same seed gives the same pictures.")


class BackbonesSettings(TrainerSettings, BackboneChoice):
    """List the backbones, fetch weights ahead of time, or check real weights on labelled pictures."""

    action: CliPositionalArg[Literal["list", "fetch", "verify"]] = Field(description="list, fetch or verify.")
    arguments: CliPositionalArg[list[str]] = Field([], description="fetch: NAME. verify: NAME DATA.")
    labels: str = Field("auto", description="verify: where the ImageNet labels come from.")


class CacheSettings(FinialSettings):
    """See what is kept, check that it is whole, or remove what is damaged, old, or named."""

    action: CliPositionalArg[Literal["list", "verify", "prune"]] = Field(description="list, verify or prune.")
    cache_dir: Path = Field(Path("cache"), description="The cache.")
    older_than: Age | None = Field(None, description="prune: also what no run has used for so long: 30d, 12h.")
    fingerprint: EntryName | None = Field(None, description="prune: only the entry whose name begins so.")
    dry_run: bool = Field(False, description="prune: only say what would be removed.")
    json_: bool = Field(False, alias="json", description="Print one JSON object on stdout instead of text.")

    @property
    def older_than_s(self) -> float | None:
        """`--older-than` in seconds."""
        return None if self.older_than is None else seconds_of(self.older_than)


class RollbackSettings(FinialSettings):
    """Serve an earlier version again: repoint `current` after verifying it."""

    name: CliPositionalArg[ModelName] = Field(description="Model name.")
    version: CliPositionalArg[str | None] = Field(None, description="The version; default: the one before.")
    models_dir: Path = Field(Path("models"), description="Where bundles are published.")


def _slug(data: str) -> str:
    """The name of the data in letters of a model name; empty if some would be lost, or two data sets become one."""
    folded = unicodedata.normalize("NFKD", stem(data).casefold())
    plain = "".join(letter for letter in folded if not unicodedata.combining(letter))  # u for a u with dots
    if any(letter.isalnum() and not letter.isascii() for letter in plain):
        return ""
    return re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")[:63]
