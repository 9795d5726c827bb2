"""Options of ML.NET's trainer from a file: names and defaults are ML.NET's, and what becomes of each is told."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from trainer.early_stopping import EarlyStopping
from trainer.errors import UsageError
from trainer.errors.training import MlnetOptionsInvalid
from trainer.mlnet_file import Exponential, Lsr, LsrItem, Polynomial, Stopping, option_names, read_mlnet_options
from trainer.mlnet_options import take_over, with_mlnet_options
from trainer.progress import Quiet
from trainer.schedules import Constant, ExponentialDecay, LinearScaling, PolynomialDecay, Schedule
from trainer.settings import TrainSettings
from trainer.sgd_options import SgdOptions

PAGE = Path(__file__).parents[2] / "docs" / "coming-from-mlnet.md"


def taken_over(folder: Path, options: Any, **given: Any) -> TrainSettings:
    file = folder / "options.json"
    file.write_text(options if isinstance(options, str) else json.dumps(options))
    return with_mlnet_options(TrainSettings(data="pictures", mlnet_options=file, **given), Quiet())


def test_an_empty_file_means_ml_nets_defaults(tmp_path: Path) -> None:
    """Of ImageClassificationTrainer.Options and of the constructors of its parts."""
    settings = taken_over(tmp_path, {})

    assert settings.head == "sgd"
    assert settings.sgd_options == SgdOptions(
        epochs=200,
        batch_size=10,
        schedule=ExponentialDecay(0.01, decay_epochs=2.0, decay_rate=0.94, staircase=True),
        warmup_epochs=0.0,
        momentum=0.0,
        weight_decay=0.0,
        early_stopping=EarlyStopping("accuracy", patience=20, min_delta=0.01),
        epochs_by="validation",
        test_on_train=True,
    )
    assert settings.split == pytest.approx((0.85 * 0.9, 0.85 * 0.1, 0.15))
    assert settings.backbone is None, "a default that nobody named must not download a ResNet"


SCHEDULERS: list[tuple[dict[str, Any] | None, Schedule]] = [
    (None, Constant(0.5)),
    ({"Type": "ExponentialLRDecay"}, ExponentialDecay(0.01, 2.0, 0.94)),
    (
        {
            "Type": "ExponentialLRDecay",
            "LearningRate": 0.2,
            "NumEpochsPerDecay": 3,
            "DecayRate": 0.5,
            "Staircase": False,
        },
        ExponentialDecay(0.2, 3.0, 0.5, staircase=False),
    ),
    ({"Type": "PolynomialLRDecay"}, PolynomialDecay(0.01, 2.0, 0.0001, 1.0)),
    (
        {"Type": "PolynomialLRDecay", "LearningRate": 0.3, "EndLearningRate": 0.1, "Power": 2, "Cycle": True},
        PolynomialDecay(0.3, 2.0, 0.1, 2.0, cycle=True),
    ),
    ({"Type": "LsrDecay"}, LinearScaling(0.1, ((182.0, 0.0001), (136.0, 0.01), (91.0, 0.1), (0.0, 1.0)))),
    (
        {"Type": "LsrDecay", "BaseLearningRate": 0.4, "LrSchedule": [{"Epoch": 9, "ScalingFactor": 0.5}]},
        LinearScaling(0.4, ((9.0, 0.5),)),
    ),
]


@pytest.mark.parametrize(("scheduler", "schedule"), SCHEDULERS)
def test_every_scheduler_is_taken_over(tmp_path: Path, scheduler: dict[str, Any] | None, schedule: Schedule) -> None:
    """`LearningRate` itself counts only without a scheduler, as in ML.NET."""
    settings = taken_over(tmp_path, {"LearningRate": 0.5, "LearningRateScheduler": scheduler})

    assert settings.sgd_options.schedule == schedule


@pytest.mark.parametrize(
    ("criteria", "rule"),
    [
        (None, None),
        ({"Metric": "Loss", "MinDelta": -0.001, "Patience": 3}, EarlyStopping("loss", patience=3, min_delta=0.001)),
        ({"CheckIncreasing": False}, EarlyStopping("accuracy", patience=20, min_delta=0.01)),
    ],
)
def test_early_stopping_is_taken_over(
    tmp_path: Path, criteria: dict[str, Any] | None, rule: EarlyStopping | None
) -> None:
    """A negative MinDelta is its amount and CheckIncreasing follows from the metric: ML.NET's constructor does both."""
    assert taken_over(tmp_path, {"EarlyStoppingCriteria": criteria}).sgd_options.early_stopping == rule


def test_names_may_begin_with_a_small_letter(tmp_path: Path) -> None:
    """As System.Text.Json writes them with its web defaults."""
    content = {"epoch": 7, "batchSize": 3, "testOnTrainSet": False, "earlyStoppingCriteria": {"patience": 4}}

    options = taken_over(tmp_path, content).sgd_options

    assert (options.epochs, options.batch_size, options.test_on_train) == (7, 3, False)
    assert options.early_stopping is not None and options.early_stopping.patience == 4


@pytest.mark.parametrize(
    ("arch", "backbone"),
    [
        ("MobilenetV2", "mobilenet_v2"),
        ("ResnetV250", "resnet50"),
        ("ResnetV2101", "resnet101"),
        ("InceptionV3", "inception_v3"),
    ],
)
def test_an_architecture_that_is_named_is_the_backbone(tmp_path: Path, arch: str, backbone: str) -> None:
    assert taken_over(tmp_path, {"Arch": arch}).backbone == backbone


def test_what_is_given_goes_before_the_file(tmp_path: Path) -> None:
    """Also a schedule: what the file says about another one is then passed over instead of refused."""
    settings = taken_over(
        tmp_path,
        {"Epoch": 50, "LearningRateScheduler": {"Type": "ExponentialLRDecay", "DecayRate": 0.5}},
        epochs=7,
        schedule="constant",
        early_stopping="none",
        split=(0.6, 0.2, 0.2),
    )

    assert settings.sgd_options.epochs == 7
    assert settings.sgd_options.schedule == Constant(0.01)
    assert settings.sgd_options.early_stopping is None
    assert settings.split == (0.6, 0.2, 0.2)


def test_a_flag_that_does_not_fit_the_files_schedule_is_refused(tmp_path: Path) -> None:
    """Rather than passed over: the file says exponential."""
    with pytest.raises(UsageError, match="--decay-power is for --schedule polynomial"):
        taken_over(tmp_path, {}, decay_power=2.0)


def test_a_validation_fraction_is_taken_from_what_is_not_tested_on(tmp_path: Path) -> None:
    settings = taken_over(tmp_path, {"ValidationSetFraction": 0.25}, split=(0.8, 0.0, 0.2))

    assert settings.split == (0.8, 0.0, 0.2), "given"
    assert taken_over(tmp_path, {"ValidationSetFraction": 0.25}).split == pytest.approx((0.6375, 0.2125, 0.15))
    assert taken_over(tmp_path, {"ValidationSetFraction": None}).epochs_by == "folds"
    assert taken_over(tmp_path, {"ValidationSet": "some view", "ValidationSetFraction": 0.5}).split[1] == 0.15


def test_what_became_of_every_option_is_told(tmp_path: Path) -> None:
    file, progress = tmp_path / "options.json", Quiet()
    file.write_text('{"Epoch": 3, "WorkspacePath": "/tmp"}')

    with_mlnet_options(TrainSettings(data="pictures", mlnet_options=file), progress)

    lines = {line.split()[0]: line for line in progress.said[1:]}
    assert set(lines) >= set(option_names())
    assert progress.said[0].startswith("2 of ML.NET's options are named")
    assert re.search(r"Epoch\s+file\s+taken over\s+--epochs 3", lines["Epoch"])
    assert re.search(r"WorkspacePath\s+file\s+no counterpart\s+--cache-dir", lines["WorkspacePath"])
    assert re.search(r"BatchSize\s+default\s+taken over\s+--batch-size 10", lines["BatchSize"])


@pytest.mark.parametrize(("scheduler", "schedule"), SCHEDULERS[1:])
def test_the_flags_that_are_told_do_the_same(tmp_path: Path, scheduler: dict[str, Any], schedule: Schedule) -> None:
    """Whoever types what the table says has the schedule of the file."""
    file = tmp_path / "options.json"
    file.write_text(json.dumps({"LearningRateScheduler": scheduler}))

    told = next(
        one.words for one in take_over(read_mlnet_options(file), test_share=0.15) if one.name == "LearningRateScheduler"
    )

    arguments = ["pictures", "--head", "sgd", *told.split()]
    typed = TrainSettings.from_command_line(arguments, program="python -m trainer train")
    assert typed.sgd_options.schedule == schedule


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"Epochs": 3}', "no option Epochs (did you mean Epoch?)"),
        ('{"EarlyStoppingCriteria": {"Patence": 1}}', "did you mean Patience?"),
        ('{"LearningRateScheduler": {"Type": "LsrDecay", "Rate": 1}}', "no option LearningRateScheduler.Rate"),
        ('{"LearningRateScheduler": {"Type": "Cosine"}}', "ExponentialLRDecay"),
        ('{"LearningRateScheduler": {}}', "LearningRateScheduler"),
        ('{"Arch": "Resnet"}', "MobilenetV2"),
        ('{"BatchSize": 0}', "BatchSize: expected at least 1, found 0"),
        ('{"ValidationSetFraction": 1.0}', "less than 1"),
        ('{"epoch": 1, "Epoch": 2}', "names Epoch twice"),
        ("[1]", "expected an object"),
        ("{,}", "is not JSON"),
    ],
)
def test_unknown_names_and_bad_values_are_named(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(MlnetOptionsInvalid) as caught:
        taken_over(tmp_path, content)

    assert says in str(caught.value) and "options.json" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MlnetOptionsInvalid, match=r"gone\.json.*cannot be read"):
        with_mlnet_options(TrainSettings(data="pictures", mlnet_options=tmp_path / "gone.json"), Quiet())


def test_the_file_is_about_the_sgd_head_alone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not probe"):
        taken_over(tmp_path, {}, head="probe")


def test_without_a_file_nothing_changes() -> None:
    settings = TrainSettings(data="pictures")

    assert with_mlnet_options(settings, Quiet()) is settings


def test_every_option_has_a_row_on_the_page() -> None:
    """Also those of schedulers and early stopping."""
    cells = re.findall(r"^\| (.*?) \|", PAGE.read_text(), re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    parts = (Exponential, Polynomial, Lsr, LsrItem, Stopping)
    wanted = {*option_names(), *(name for part in parts for name in option_names(part))} - {"Type"}

    assert wanted - named == set()
