"""A JSON file with options of ML.NET's ImageClassificationTrainer: their names and defaults, as ML.NET has them.

Names may begin with a small letter, as .NET's serialisers write them. What is an object in C# is one here:
`"LearningRateScheduler": {"Type": "ExponentialLRDecay", "LearningRate": 0.01}`.
"""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

from shared.complaints import expectation
from trainer.errors.training import MlnetOptionsInvalid

Rate = Annotated[float, Field(gt=0, le=1000)]
Count = Annotated[int, Field(ge=1, le=100_000)]


class _Part(BaseModel):
    """What all parts of the file share."""

    model_config = ConfigDict(alias_generator=to_pascal, extra="forbid", frozen=True, allow_inf_nan=False)


class LsrItem(_Part):
    """From which epoch on which factor holds."""

    epoch: Annotated[int, Field(ge=0)]
    scaling_factor: Annotated[float, Field(ge=0)]


class Exponential(_Part):
    """`ExponentialLRDecay`; the last two are counters of ML.NET's own that its serialisation shows."""

    type: Literal["ExponentialLRDecay"] = "ExponentialLRDecay"
    learning_rate: Rate = 0.01
    num_epochs_per_decay: Rate = 2.0
    decay_rate: Annotated[float, Field(gt=0, le=1)] = 0.94
    staircase: bool = True
    global_step: int = 0
    decay_steps: int = 0


class Polynomial(_Part):
    """`PolynomialLRDecay`."""

    type: Literal["PolynomialLRDecay"]
    learning_rate: Rate = 0.01
    num_epochs_per_decay: Rate = 2.0
    end_learning_rate: Annotated[float, Field(ge=0)] = 0.0001
    power: Rate = 1.0
    cycle: bool = False


class Lsr(_Part):
    """`LsrDecay`: the linear-scaling rule, then steps down."""

    type: Literal["LsrDecay"]
    base_learning_rate: Rate = 0.1
    lr_schedule: tuple[LsrItem, ...] = tuple(
        LsrItem.model_validate({"Epoch": epoch, "ScalingFactor": factor})
        for epoch, factor in ((182, 0.0001), (136, 0.01), (91, 0.1), (0, 1.0))
    )


class Stopping(_Part):
    """`EarlyStopping`."""

    min_delta: float = 0.01
    patience: Count = 20
    metric: Literal["Accuracy", "Loss"] = "Accuracy"
    check_increasing: bool | None = None


Scheduler = Annotated[Exponential | Polynomial | Lsr, Field(discriminator="type")]


class MlnetOptions(_Part):
    """`ImageClassificationTrainer.Options`, in its order; `model_fields_set` has those that the file names."""

    feature_column_name: str = "Features"
    label_column_name: str = "Label"
    batch_size: Count = 10
    epoch: Count = 200
    learning_rate: Rate = 0.01
    early_stopping_criteria: Stopping | None = Stopping()
    arch: Literal["ResnetV2101", "InceptionV3", "MobilenetV2", "ResnetV250"] = "ResnetV250"
    score_column_name: str = "Score"
    predicted_label_column_name: str = "PredictedLabel"
    final_model_prefix: str = "custom_retrained_model_based_on_"
    metrics_callback: None = None
    workspace_path: str | None = None
    test_on_train_set: bool = True
    reuse_train_set_bottleneck_cached_values: bool = False
    reuse_validation_set_bottleneck_cached_values: bool = False
    validation_set: str | None = None
    validation_set_fraction: Annotated[float, Field(ge=0, lt=1)] | None = 0.1
    train_set_bottleneck_cached_values_file_name: str = "trainSetBottleneckFile.csv"
    validation_set_bottleneck_cached_values_file_name: str = "validationSetBottleneckFile.csv"
    learning_rate_scheduler: Scheduler | None = Exponential()


def read_mlnet_options(path: Path) -> MlnetOptions:
    """Read the file; what it does not name has ML.NET's default.

    Raises:
        MlnetOptionsInvalid: it cannot be read, is no JSON object, or has a name or a value that ML.NET has not.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise MlnetOptionsInvalid(path, f"cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise MlnetOptionsInvalid(path, f"is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise MlnetOptionsInvalid(path, f"holds {str(content)[:40]}, expected an object with options")
    try:
        return MlnetOptions.model_validate(_as_in_c_sharp(path, content))
    except ValidationError as error:
        raise MlnetOptionsInvalid(path, _sentence(error.errors(include_url=False)[0])) from error


def option_names(part: type[BaseModel] = MlnetOptions) -> tuple[str, ...]:
    """As C# spells them."""
    return tuple(to_pascal(name) for name in part.model_fields)


def _as_in_c_sharp(path: Path, value: Any) -> Any:
    """Every name with a capital letter first."""
    if isinstance(value, list):
        return [_as_in_c_sharp(path, one) for one in value]
    if not isinstance(value, dict):
        return value
    names = [name[:1].upper() + name[1:] for name in value]
    if twice := [name for name in names if names.count(name) > 1]:
        raise MlnetOptionsInvalid(path, f"names {twice[0]} twice")
    return {name: _as_in_c_sharp(path, one) for name, one in zip(names, value.values(), strict=True)}


def _sentence(detail: Any) -> str:
    """What is wrong with the first thing that is; `loc` holds the names on the way, and pydantic's tags of unions."""
    way = [str(part) for part in detail["loc"]]
    name = ".".join(part for part in way if part not in ("ExponentialLRDecay", "PolynomialLRDecay", "LsrDecay"))
    if detail["type"] == "extra_forbidden":
        known = option_names(_part_at(way))
        close = difflib.get_close_matches(way[-1], known, n=1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        return f"ML.NET has no option {name}{meant}; it has {', '.join(known)}"
    return f"{name}: {expectation(detail)}, found {json.dumps(detail['input'], default=str)[:60]}"


def _part_at(way: list[str]) -> type[BaseModel]:
    """The part of the file that holds the last name of the way."""
    parts: dict[str, type[BaseModel]] = {
        "EarlyStoppingCriteria": Stopping,
        "ExponentialLRDecay": Exponential,
        "PolynomialLRDecay": Polynomial,
        "LsrDecay": Lsr,
        "LrSchedule": LsrItem,
    }
    return next((parts[name] for name in reversed(way[:-1]) if name in parts), MlnetOptions)
