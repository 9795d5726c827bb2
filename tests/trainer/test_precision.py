"""int8 is taken when it was asked for, or when it is measured faster and hardly worse; and it says why."""

from dataclasses import replace

import pytest

from shared.cpu_features import Cpu
from tests.trainer.conv_graph import CONV_SPEC
from trainer.int8_comparison import Int8Comparison
from trainer.precision import PrecisionChoice, Recorded, choose_precision
from trainer.recipe import FeatureChoice

VNNI = Cpu("x86_64", frozenset({"avx2", "avx_vnni"}))
EQUAL = Int8Comparison(0.9, 0.9, 0.0, (-0.012, 0.014), 0.3, 0.3, 0.08, n=200, groups=100)
HALF_A_POINT_LESS = replace(EQUAL, difference=-0.005)
MORE_THAN_THAT = replace(EQUAL, difference=-0.0051)
FEW = replace(EQUAL, groups=99)


@pytest.mark.parametrize(
    ("comparison", "speedup", "taken", "because"),
    [
        (EQUAL, 1.2, "int8", "at least 1.2 x as fast"),
        (HALF_A_POINT_LESS, 1.2, "int8", "loses at most half a point"),
        (MORE_THAN_THAT, 2.0, "float32", "loses more than 0.5 points"),
        (EQUAL, 1.19, "float32", "less than 1.2 x as fast"),
        (FEW, 2.0, "float32", "fewer than 100 pictures that are no copies or series of each other cannot tell"),
        (None, 2.0, "float32", "too few pictures"),
    ],
)
def test_auto_weighs_speed_against_accuracy(
    comparison: Int8Comparison | None, speedup: float, taken: str, because: str
) -> None:
    choice = choose_precision("auto", comparison=comparison, speedup=speedup, cpu=VNNI)

    assert choice.taken == taken
    assert because in choice.reason


def test_the_reason_holds_what_was_measured() -> None:
    choice = choose_precision("auto", comparison=HALF_A_POINT_LESS, speedup=1.62, cpu=VNNI)

    assert "1.62 x the pictures a second" in choice.reason
    assert "-0.5 points of cross-validated accuracy (95 % interval -1.2 to +1.4, 200 pictures)" in choice.reason
    assert "x86_64 avx_vnni avx2" in choice.reason


def test_what_was_asked_for_is_taken_whatever_it_loses_and_the_loss_is_told() -> None:
    choice = choose_precision("int8", comparison=MORE_THAN_THAT, speedup=None, cpu=VNNI)

    assert choice.taken == "int8"
    assert "-0.5 points" in choice.reason


def test_only_an_int8_model_requires_something_of_the_cpu() -> None:
    taken, left = (choose_precision("auto", comparison=EQUAL, speedup=speed, cpu=VNNI) for speed in (2.0, 1.0))
    plain = choose_precision("int8", comparison=EQUAL, speedup=None, cpu=Cpu("x86_64", frozenset({"avx2"})))

    assert (taken.requirements, left.requirements, plain.requirements) == (("vnni",), (), ())


SHA256, FEATURES = "ab" * 32, FeatureChoice(CONV_SPEC)
RECORDED = Recorded(PrecisionChoice("auto", "int8", "faster"), SHA256, replace(FEATURES, precision="int8"))


def test_the_decision_of_an_earlier_run_holds_for_the_same_weights_and_features() -> None:
    """The recipe is chosen in float32, and the bundle keeps what was taken."""
    assert RECORDED.holds_for(SHA256, FEATURES)


@pytest.mark.parametrize(
    ("sha256", "features"),
    [
        ("cd" * 32, FEATURES),
        (SHA256, replace(FEATURES, taps=("features.3",))),
        (SHA256, replace(FEATURES, mirror=True)),
        (SHA256, replace(FEATURES, spec=CONV_SPEC.model_copy(update={"fit": "pad"}))),
    ],
)
def test_with_other_weights_or_features_it_is_decided_anew(sha256: str, features: FeatureChoice) -> None:
    assert not RECORDED.holds_for(sha256, features)
