"""Flags of the SGD head: their defaults, what each becomes, and what is refused instead of passed over."""

import re

import pytest
from pydantic import ValidationError

from trainer.early_stopping import EarlyStopping
from trainer.schedules import Constant, ExponentialDecay, LinearScaling, PolynomialDecay, Schedule
from trainer.settings import TrainSettings
from trainer.sgd_options import SgdOptions
from trainer.sgd_settings import OF_SCHEDULE, SgdSettings, format_steps, parse_steps, without_idle


def options(line: str) -> SgdOptions:
    return TrainSettings.from_command_line(
        ["pictures", "--head", "sgd", *line.split()], program="python -m trainer train"
    ).sgd_options


def test_what_is_not_given_is_finials_default() -> None:
    assert options("") == SgdOptions()


@pytest.mark.parametrize(
    ("line", "schedule"),
    [
        ("--learning-rate 0.5", ExponentialDecay(0.5, 2.0, 0.94)),
        ("--decay-rate 0.5 --decay-epochs 3 --no-staircase", ExponentialDecay(0.003, 3.0, 0.5, staircase=False)),
        ("--schedule constant --learning-rate 0.1", Constant(0.1)),
        ("--schedule polynomial", PolynomialDecay(0.003, 200.0, 0.00003, 1.0)),
        ("--schedule polynomial --epochs 50", PolynomialDecay(0.003, 50.0, 0.00003, 1.0)),
        (
            "--schedule polynomial --decay-epochs 9 --end-learning-rate 0 --decay-power 2 --cycle",
            PolynomialDecay(0.003, 9.0, 0.0, 2.0, cycle=True),
        ),
        ("--schedule linear-scaling", LinearScaling(0.012)),
        ("--schedule linear-scaling --scaling-steps 9:0.5,20:0.1", LinearScaling(0.012, ((9.0, 0.5), (20.0, 0.1)))),
    ],
)
def test_flags_make_the_schedule(line: str, schedule: Schedule) -> None:
    assert options(line).schedule == schedule


def test_every_schedule_starts_alike_by_default() -> None:
    """Whoever only changes the schedule changes nothing else: also the rule that is meant for batches of 128."""
    starts = [
        options(f"--schedule {name}").schedule.rate(0.0, batch_size=32)
        for name in ("constant", "exponential", "polynomial", "linear-scaling")
    ]

    assert starts == pytest.approx([0.003] * 4)


def test_flags_make_the_rest() -> None:
    line = "--epochs 7 --batch-size 4 --warmup-epochs 2 --momentum 0.5 --weight-decay 0 --epochs-by validation"

    found = options(f"{line} --no-test-on-train --early-stopping accuracy --patience 3 --min-delta 0.01")

    assert found == SgdOptions(
        epochs=7,
        batch_size=4,
        warmup_epochs=2.0,
        momentum=0.5,
        weight_decay=0.0,
        epochs_by="validation",
        test_on_train=False,
        early_stopping=EarlyStopping("accuracy", patience=3, min_delta=0.01),
    )
    assert options("--early-stopping none").early_stopping is None
    assert options("--min-delta 0.1").early_stopping == EarlyStopping(min_delta=0.1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"epochs": 5}, "--epochs is an option of the SGD head: add --head sgd"),
        ({"epochs": 5, "head": "probe"}, "--epochs is an option of the SGD head"),
        ({"staircase": False}, "--no-staircase is an option of the SGD head"),
        ({"head": "sgd", "decay_power": 2}, "--decay-power is for --schedule polynomial, not exponential"),
        ({"head": "sgd", "decay_epochs": 2, "schedule": "constant"}, "exponential or polynomial, not constant"),
        ({"head": "sgd", "cycle": True}, "--cycle is for --schedule polynomial"),
        ({"head": "sgd", "early_stopping": "none", "patience": 3}, "--patience: --early-stopping none"),
        ({"head": "sgd", "momentum": 1.0}, "less than 1"),
        ({"head": "sgd", "epochs": 0}, "greater than or equal to 1"),
        ({"head": "sgd", "schedule": "linear-scaling", "scaling_steps": "9;1"}, "such as 91:0.1"),
        ({"head": "sgd", "schedule": "linear-scaling", "scaling_steps": "9:-1"}, "at least 0"),
    ],
)
def test_what_would_be_passed_over_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(says)):
        TrainSettings.model_validate({"data": "pictures", **given})


def test_steps_are_written_as_they_are_read() -> None:
    steps = ((91.0, 0.1), (136.0, 0.01))

    assert parse_steps(format_steps(steps)) == steps


def test_every_option_of_a_schedule_is_an_option() -> None:
    assert set(OF_SCHEDULE) <= set(SgdSettings.model_fields)


def test_an_earlier_run_gives_way_to_another_head_or_schedule() -> None:
    """`--from BUNDLE --head probe` is no contradiction: the bundle's epochs go with its head."""
    earlier = {"head": "sgd", "epochs": 9, "schedule": "polynomial", "decay_power": 2.0, "patience": 3, "seed": 1}

    assert without_idle(earlier, earlier) == earlier
    assert without_idle(earlier, earlier | {"head": "probe"}) == {"head": "sgd", "seed": 1}
    assert "decay_power" not in without_idle(earlier, earlier | {"schedule": "constant"})
    assert "patience" not in without_idle(earlier, earlier | {"early_stopping": "none"})
