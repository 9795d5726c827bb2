"""ML.NET's options taken over into settings, each with a sentence on what became of it: `--mlnet-options FILE`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError
from pydantic.alias_generators import to_pascal

from shared.complaints import expectation
from trainer.errors import UsageError
from trainer.mlnet_file import Exponential, Lsr, MlnetOptions, Stopping, read_mlnet_options
from trainer.progress import Progress
from trainer.settings import TrainSettings
from trainer.sgd_settings import format_steps, without_idle

Verdict = Literal["taken over", "differs", "no counterpart"]

ARCHITECTURES = {
    "ResnetV2101": "resnet101",
    "InceptionV3": "inception_v3",
    "MobilenetV2": "mobilenet_v2",
    "ResnetV250": "resnet50",
}

NOT_NEEDED = {
    "FeatureColumnName": "pictures are files or rows of a table, DATA names them",
    "LabelColumnName": "labels come from folders, file names or a table: --labels",
    "ScoreColumnName": "answers hold label and score",
    "PredictedLabelColumnName": "answers hold label and score",
    "FinalModelPrefix": "--name and --models-dir; every run publishes a version",
    "MetricsCallback": "in Python: train(..., on_metrics=...)",
    "WorkspacePath": "--cache-dir, for good",
    "ReuseTrainSetBottleneckCachedValues": "what is valid in the cache is reused, what is not never is",
    "ReuseValidationSetBottleneckCachedValues": "what is valid in the cache is reused, what is not never is",
    "TrainSetBottleneckCachedValuesFileName": "features are found in --cache-dir by the pictures' content",
    "ValidationSetBottleneckCachedValuesFileName": "features are found in --cache-dir by the pictures' content",
}
"""Options without a counterpart, each with what stands in its place."""


@dataclass(frozen=True)
class Taken:
    """What became of one option.

    Attributes:
        name: ML.NET's.
        verdict: whether it means the same here, something else, or nothing.
        words: what it is here and, if it differs, why.
        settings: by our names.
    """

    name: str
    verdict: Verdict
    words: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def with_mlnet_options(settings: TrainSettings, progress: Progress) -> TrainSettings:
    """The settings with what the file of `--mlnet-options` says, if there is one; what was given goes before it.

    Raises:
        MlnetOptionsInvalid: the file cannot be read, or has a name or value that ML.NET has not.
        UsageError: another head than that of SGD was asked for, or a flag that does not go with the file.
    """
    if settings.mlnet_options is None:
        return settings
    if settings.head not in ("auto", "sgd"):
        raise UsageError(f"--mlnet-options is about --head sgd, not {settings.head}; leave out one of the two.")
    options = read_mlnet_options(settings.mlnet_options)
    table = list(take_over(options, test_share=0.0 if settings.test else settings.split[2]))
    _tell(table, options, progress)
    fields = TrainSettings.model_fields
    given = {fields[name].alias or name: getattr(settings, name) for name in settings.model_fields_set}
    found = {name: value for one in table for name, value in one.settings.items()}
    fixed = {"head": "sgd", "mlnet_options": None}
    kept = without_idle(found, found | given | fixed)
    try:
        return TrainSettings.model_validate(kept | given | fixed)
    except ValidationError as error:
        reason = expectation(error.errors(include_url=False)[0])
        raise UsageError(f"beside what --mlnet-options sets: {reason}.") from error


def take_over(options: MlnetOptions, *, test_share: float) -> Iterator[Taken]:
    """What becomes of each option; `test_share` of the pictures is kept apart, which ML.NET leaves to its user."""
    yield _architecture(options)
    yield Taken("Epoch", "taken over", f"--epochs {options.epoch}", {"epochs": options.epoch})
    yield Taken("BatchSize", "taken over", f"--batch-size {options.batch_size}", {"batch_size": options.batch_size})
    yield _learning_rate(options)
    yield _scheduler(options)
    yield Taken(
        "(plain SGD)",
        "taken over",
        "--momentum 0 --weight-decay 0: ML.NET has neither. Try --momentum 0.9 with a tenth of the learning rate",
        {"momentum": 0.0, "weight_decay": 0.0},
    )
    yield _early_stopping(options.early_stopping_criteria)
    yield _validation_set(options)
    yield _validation_fraction(options, test_share)
    yield _test_on_train(on=options.test_on_train_set)
    for name, instead in NOT_NEEDED.items():
        yield Taken(name, "no counterpart", instead)


def _architecture(options: MlnetOptions) -> Taken:
    """Only one that the file names: a default must not download anything."""
    name = ARCHITECTURES[options.arch]
    if "arch" not in options.model_fields_set:
        return Taken("Arch", "differs", f"not named in the file, so as without it; ML.NET's is --backbone {name}")
    words = f"--backbone {name}, with torchvision's weights; the head reads its features, not ImageNet's 1,001 classes"
    return Taken("Arch", "differs", words, {"backbone": name})


def _learning_rate(options: MlnetOptions) -> Taken:
    if options.learning_rate_scheduler is not None:
        return Taken("LearningRate", "differs", "passed over, as in ML.NET: the scheduler has a rate of its own")
    settings = {"schedule": "constant", "learning_rate": options.learning_rate}
    return Taken("LearningRate", "taken over", f"--learning-rate {options.learning_rate:g}", settings)


def _scheduler(options: MlnetOptions) -> Taken:
    scheduler = options.learning_rate_scheduler
    if scheduler is None:
        return Taken("LearningRateScheduler", "taken over", "--schedule constant")
    settings: dict[str, Any]
    if isinstance(scheduler, Lsr):
        steps = tuple((float(item.epoch), item.scaling_factor) for item in scheduler.lr_schedule)
        settings = {"schedule": "linear-scaling", "learning_rate": scheduler.base_learning_rate}
        settings |= {"scaling_steps": format_steps(steps)} if steps else {"scaling_steps": "0:1"}
    elif isinstance(scheduler, Exponential):
        settings = {"schedule": "exponential", "learning_rate": scheduler.learning_rate}
        settings |= {"decay_epochs": scheduler.num_epochs_per_decay, "decay_rate": scheduler.decay_rate}
        settings |= {"staircase": scheduler.staircase}
    else:
        settings = {"schedule": "polynomial", "learning_rate": scheduler.learning_rate}
        settings |= {"decay_epochs": scheduler.num_epochs_per_decay, "end_learning_rate": scheduler.end_learning_rate}
        settings |= {"decay_power": scheduler.power, "cycle": scheduler.cycle}
    return Taken("LearningRateScheduler", "taken over", _as_flags(settings), settings)


def _early_stopping(rule: Stopping | None) -> Taken:
    if rule is None:
        words = "--early-stopping none: all epochs are run and the last is kept"
        return Taken("EarlyStoppingCriteria", "taken over", words, {"early_stopping": "none"})
    settings = {"early_stopping": rule.metric.lower(), "patience": rule.patience, "min_delta": abs(rule.min_delta)}
    why = "the best epoch is kept, not the last"
    if rule.metric == "Loss":
        why += "; ML.NET's rule sees no loss improve, as its best value begins at 0, and always stops"
    if rule.check_increasing not in (None, rule.metric == "Accuracy"):
        why += "; CheckIncreasing follows from the metric"
    return Taken("EarlyStoppingCriteria", "differs", f"{_as_flags(settings)}; {why}", settings)


def _validation_set(options: MlnetOptions) -> Taken:
    if options.validation_set is None:
        return Taken("ValidationSet", "taken over", "none is named")
    words = (
        "--epochs-by validation; put the pictures into folders train and validation of DATA, or name the split in "
        "a column of its table"
    )
    return Taken("ValidationSet", "differs", words, {"epochs_by": "validation"})


def _validation_fraction(options: MlnetOptions, test_share: float) -> Taken:
    fraction = options.validation_set_fraction
    if options.validation_set is not None:
        return Taken("ValidationSetFraction", "taken over", "passed over, as in ML.NET: a validation set is named")
    if not fraction:
        words = "--epochs-by folds: without a validation set each fold decides in turn"
        return Taken("ValidationSetFraction", "differs", words, {"epochs_by": "folds"})
    rest = 1 - test_share
    settings = {"epochs_by": "validation", "split": (rest * (1 - fraction), rest * fraction, test_share)}
    words = (
        f"--epochs-by validation, a share of {rest * fraction:.3g} by groups, so that no copy is on both sides; "
        "the head to publish learns from them too. --epochs-by folds is steadier"
    )
    return Taken("ValidationSetFraction", "differs", words, settings)


def _test_on_train(*, on: bool) -> Taken:
    words = "measured after each epoch, over all pictures" if on else "--no-test-on-train"
    return Taken("TestOnTrainSet", "taken over", words, {"test_on_train": on})


def _as_flags(settings: Mapping[str, Any]) -> str:
    """As they would be typed."""
    words = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        words.append(f"--{'' if value else 'no-'}{flag}" if isinstance(value, bool) else f"--{flag} {_plain(value)}")
    return " ".join(words)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _tell(table: list[Taken], options: MlnetOptions, progress: Progress) -> None:
    """The table, line by line, so that a log has each option by itself."""
    named = {to_pascal(name) for name in options.model_fields_set}
    progress.say(f"{len(named)} of ML.NET's options are named in the file, the others have ML.NET's defaults:")
    width = max(len(one.name) for one in table)
    for one in table:
        origin = "file" if one.name in named else "default"
        line = f"  {one.name:<{width}}  {origin:<7}  {one.verdict:<14}  {one.words}"
        progress.say(line, option=one.name, origin=origin, verdict=one.verdict)
