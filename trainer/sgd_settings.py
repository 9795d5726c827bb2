"""The options of the SGD head, as flags. None is "not given": then Finial's default holds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from shared.settings import FinialSettings
from trainer.early_stopping import EarlyStopping, Metric
from trainer.schedules import (
    REFERENCE_BATCH,
    Constant,
    ExponentialDecay,
    LinearScaling,
    PolynomialDecay,
    Schedule,
    ScheduleName,
)
from trainer.sgd_options import LEARNING_RATE, SgdOptions

Epochs = Annotated[int, Field(ge=1, le=100_000)]
BatchSize = Annotated[int, Field(ge=1, le=1_000_000)]
Rate = Annotated[float, Field(gt=0, le=1000)]
DecayRate = Annotated[float, Field(gt=0, le=1)]
EpochLength = Annotated[float, Field(gt=0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0, le=1e6)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
T = TypeVar("T")
Steps = tuple[tuple[float, float], ...]

OF_SCHEDULE: Mapping[str, tuple[ScheduleName, ...]] = {
    "decay_rate": ("exponential",),
    "staircase": ("exponential",),
    "decay_epochs": ("exponential", "polynomial"),
    "end_learning_rate": ("polynomial",),
    "decay_power": ("polynomial",),
    "cycle": ("polynomial",),
    "scaling_steps": ("linear-scaling",),
}
"""Which schedules an option belongs to; the others belong to all."""


def parse_steps(text: str) -> Steps:
    """Epochs and factors of "91:0.1,136:0.01".

    Raises:
        ValueError: it is something else, or an epoch or a factor is negative.
    """
    try:
        steps = tuple((float(epoch), float(factor)) for epoch, factor in (one.split(":") for one in text.split(",")))
    except ValueError:
        raise ValueError("expected epochs and factors such as 91:0.1,136:0.01,182:0.0001") from None
    if not all(0 <= number < float("inf") for step in steps for number in step):
        raise ValueError("epochs and factors are at least 0")
    return steps


def format_steps(steps: Steps) -> str:
    """What `parse_steps` reads."""
    return ",".join(f"{epoch:g}:{factor:g}" for epoch, factor in steps)


StepsText = Annotated[
    str,
    BeforeValidator(lambda value: format_steps(value) if isinstance(value, list | tuple) else value),
    AfterValidator(lambda text: format_steps(parse_steps(text))),
]


class SgdSettings(FinialSettings):
    """Every option of ML.NET's trainer that is about fitting, and those that it lacks."""

    epochs: Epochs | None = Field(None, description="At most so many passes; default 200.")
    batch_size: BatchSize | None = Field(None, description="Pictures of a step; default 32.")
    learning_rate: Rate | None = Field(
        None, description="Where the schedule starts; default 0.003; with linear-scaling for batches of 128: 0.012."
    )
    schedule: ScheduleName | None = Field(
        None, description="Of the learning rate: exponential (default), constant, polynomial, linear-scaling."
    )
    decay_rate: DecayRate | None = Field(None, description="exponential: factor of each decay; default 0.94.")
    decay_epochs: EpochLength | None = Field(
        None, description="exponential: epochs to a decay, default 2; polynomial: of the whole, default --epochs."
    )
    staircase: bool = Field(True, description="--no-staircase decays smoothly instead of in steps; exponential only.")
    end_learning_rate: NotNegative | None = Field(
        None, description="polynomial: where it ends; default a hundredth of --learning-rate."
    )
    decay_power: Rate | None = Field(None, description="polynomial: the power; default 1, a straight line.")
    cycle: bool = Field(False, description="polynomial: begin anew after --decay-epochs, slower each time.")
    scaling_steps: StepsText | None = Field(
        None, description="linear-scaling: factors from epochs on; default 91:0.1,136:0.01,182:0.0001."
    )
    warmup_epochs: NotNegative | None = Field(None, description="Epochs in which the rate grows; default 0.")
    momentum: Momentum | None = Field(None, description="Default 0.9.")
    weight_decay: NotNegative | None = Field(None, description="L2 penalty of the weights; default 0.05.")
    early_stopping: Literal["accuracy", "loss", "none"] | None = Field(
        None, description="What is watched, and whose best epoch is kept; none runs all epochs; default loss."
    )
    patience: Epochs | None = Field(None, description="Epochs without a gain before it stops; default 20.")
    min_delta: NotNegative | None = Field(None, description="A smaller gain is none; default 0.")
    epochs_by: Literal["folds", "validation"] | None = Field(
        None, description="What decides on the epochs: each fold in turn (default), or the validation split alone."
    )
    test_on_train: bool = Field(True, description="--no-test-on-train measures after each epoch only what is held out.")
    mlnet_options: Path | None = Field(
        None, description="JSON file with options of ML.NET's ImageClassificationTrainer to take over."
    )

    @property
    def sgd_given(self) -> tuple[str, ...]:
        """Names of those options of the SGD head that are not as they would be if nothing was said."""
        fields = SgdSettings.model_fields.items()
        others = {*FinialSettings.model_fields, "mlnet_options"}
        return tuple(name for name, field in fields if name not in others and getattr(self, name) != field.default)

    @property
    def sgd_options(self) -> SgdOptions:
        """What was given, with Finial's defaults for the rest."""
        plain = SgdOptions()
        own = ("epochs", "batch_size", "warmup_epochs", "momentum", "weight_decay", "epochs_by", "test_on_train")
        return SgdOptions(
            **{name: _or(getattr(self, name), getattr(plain, name)) for name in own},
            schedule=self._schedule(),
            early_stopping=self._early_stopping(),
        )

    def check_sgd(self, head: str) -> None:
        """Refuse options that would be passed over.

        Raises:
            ValueError: an option of the SGD head without that head, of another schedule, or of a rule that is off.
        """
        given = self.sgd_given
        if given and head != "sgd" and self.mlnet_options is None:
            raise ValueError(f"{_flag(given[0])} is an option of the SGD head: add --head sgd, or leave it out")
        if self.mlnet_options is not None:
            return
        schedule = self.schedule or "exponential"
        for name in given:
            if schedule not in (wanted := OF_SCHEDULE.get(name, (schedule,))):
                raise ValueError(f"{_flag(name)} is for --schedule {' or '.join(wanted)}, not {schedule}")
        for name in ("patience", "min_delta"):
            if name in given and self.early_stopping == "none":
                raise ValueError(f"{_flag(name)}: --early-stopping none never stops early")

    def _schedule(self) -> Schedule:
        rate = _or(self.learning_rate, LEARNING_RATE)
        if self.schedule == "constant":
            return Constant(rate)
        if self.schedule == "linear-scaling":
            base = _or(self.learning_rate, LEARNING_RATE * REFERENCE_BATCH / SgdOptions().batch_size)
            return LinearScaling(base, parse_steps(self.scaling_steps)) if self.scaling_steps else LinearScaling(base)
        if self.schedule == "polynomial":
            return PolynomialDecay(
                rate,
                decay_epochs=_or(self.decay_epochs, float(self.epochs or SgdOptions().epochs)),
                end_learning_rate=_or(self.end_learning_rate, rate / 100),
                power=_or(self.decay_power, 1.0),
                cycle=self.cycle,
            )
        default = ExponentialDecay()
        return ExponentialDecay(
            rate,
            decay_epochs=_or(self.decay_epochs, default.decay_epochs),
            decay_rate=_or(self.decay_rate, default.decay_rate),
            staircase=self.staircase,
        )

    def _early_stopping(self) -> EarlyStopping | None:
        if self.early_stopping == "none":
            return None
        default = EarlyStopping()
        metric: Metric = self.early_stopping or default.metric
        return EarlyStopping(metric, _or(self.patience, default.patience), _or(self.min_delta, default.min_delta))


def without_idle(earlier: Mapping[str, Any], merged: Mapping[str, Any]) -> dict[str, Any]:
    """What a file or an earlier run says, less what would be refused beside the flags that replaced the rest of it.

    Args:
        earlier: values by option.
        merged: the same with what was given; its head, schedule and rule are those that will hold.
    """
    schedule, rule = merged.get("schedule") or "exponential", merged.get("early_stopping")
    idle = {name for name, schedules in OF_SCHEDULE.items() if schedule not in schedules}
    idle |= {"patience", "min_delta"} if rule == "none" else set()
    if merged.get("head") != "sgd":
        idle |= SgdSettings.model_fields.keys() - FinialSettings.model_fields.keys()
    return {name: value for name, value in earlier.items() if name not in idle}


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


def _flag(name: str) -> str:
    off = SgdSettings.model_fields[name].default is True
    return f"--{'no-' if off else ''}{name.replace('_', '-')}"
