"""`--backbone auto` takes the fastest that is as good as the best, within what a request may take."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from trainer.backbone_choice import pick
from trainer.compared import Compared
from trainer.errors import NothingFastEnough
from trainer.settings import TrainSettings

RANDOM = np.random.default_rng(0)
LOSSES = RANDOM.gamma(1, 0.3, 200)


def one(name: str, latency_ms: float, losses: NDArray[np.float64], *, backbones: int = 1) -> Compared:
    names = tuple(f"{name}{number}" for number in range(backbones))
    return Compared(
        name, names, "crop", "float32", 8, 0.9, (0.8, 0.95), float(losses.mean()), 50.0, latency_ms, 9, losses
    )


BEST = one("best", 30.0, LOSSES)
EQUAL = one("equal", 20.0, LOSSES + RANDOM.normal(0, 0.1, 200))
FASTEST = one("fastest", 5.0, LOSSES + 0.5)
PAIR = one("pair", 4.0, LOSSES - 0.2, backbones=2)


def test_the_fastest_within_one_standard_error_of_the_best_is_taken() -> None:
    chosen, reason = pick([BEST, EQUAL, FASTEST], None)

    assert chosen is EQUAL
    assert reason.startswith("equal, the fastest of 3 whose log loss is within one standard error of the best one's")


def test_what_takes_too_long_is_not_even_compared_with() -> None:
    chosen, reason = pick([BEST, EQUAL, FASTEST], 10.0)

    assert chosen is FASTEST
    assert "the fastest of 1 within 10 ms" in reason


def test_two_backbones_side_by_side_are_not_picked() -> None:
    assert pick([PAIR, BEST], None)[0] is BEST


def test_nothing_fast_enough_is_an_error_that_names_the_fastest() -> None:
    with pytest.raises(NothingFastEnough, match=r"--max-latency 1ms: the fastest here is fastest with 5\.0 ms"):
        pick([BEST, FASTEST], 1.0)


@pytest.mark.parametrize(("given", "milliseconds"), [("20ms", 20.0), ("0.02s", 20.0), ("20", 20.0), (20, 20.0)])
def test_a_latency_is_given_with_its_unit_or_in_milliseconds(
    tmp_path: Path, given: str | float, milliseconds: float
) -> None:
    settings = TrainSettings.model_validate({"data": tmp_path, "name": "a", "backbone": "auto", "max_latency": given})

    assert settings.max_latency == pytest.approx(milliseconds)


@pytest.mark.parametrize("given", ["soon", "xs", "0ms", "-3s"])
def test_a_latency_that_is_none_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(ValidationError, match="max_latency"):
        TrainSettings.model_validate({"data": tmp_path, "name": "a", "backbone": "auto", "max_latency": given})


def test_a_longest_latency_without_a_backbone_to_pick_is_refused(tmp_path: Path) -> None:
    """It would else be passed over in silence."""
    with pytest.raises(ValidationError, match="add --backbone auto"):
        TrainSettings.model_validate({"data": tmp_path, "name": "a", "backbone": "nano", "max_latency": "20ms"})
