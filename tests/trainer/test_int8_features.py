"""int8 features are those of a kind of CPU; whether a model has them is decided once, and then taken over."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from shared.cpu_features import Cpu
from tests.integration.pictures_on_disk import write_folder
from tests.trainer.conv_graph import CONV_SPEC, conv_graph
from tests.trainer.given_graph import given_backbone
from tests.trainer.tiny_graph import tiny_graph
from trainer.compare_settings import CompareSettings
from trainer.errors.features import QuantisationFailed
from trainer.feature_library import FeatureLibrary
from trainer.intake import read_audited
from trainer.precision import PrecisionChoice, Recorded, settle_precision
from trainer.progress import Quiet
from trainer.recipe import Precision
from trainer.recipe_plan import make_plan
from trainer.recipe_search import Plan
from trainer.run_backbone import RunBackbone
from trainer.training import Measured, Training, arrange, measure

CONVOLUTIONS = given_backbone("convolutions", conv_graph(), 8)
COLOURS = given_backbone("colours", tiny_graph(CONV_SPEC), 3)
LARGER = given_backbone(
    "convolutions", conv_graph(), 8, spec=CONV_SPEC.model_copy(update={"height": 48, "width": 48, "resize": 48})
)
VNNI, OTHER_VNNI = Cpu("x86_64", frozenset({"avx_vnni"})), Cpu("x86_64", frozenset({"avx512_vnni"}))

Trial = tuple[Training, Plan, Measured, FeatureLibrary, Callable[[Plan], Measured]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "data", per_class=8, size=24)


def trial(data: Path, backbone: RunBackbone, *, cpu: Cpu = VNNI) -> Trial:
    """What `learn` has when the precision is to be settled."""
    options = {"data": data, "cache_dir": data.parent / "cache", "threads": 1, "provider": "cpu", "fit": "crop"}
    settings = CompareSettings.model_validate(options).for_one(backbone="nano").model_copy(update={"views": 0})
    manifest = read_audited(settings, Quiet()).manifest
    features = backbone.featurize(manifest.samples, settings, Quiet())
    training = arrange(manifest, features.values, shares=settings.split, seed=0)
    calibration = [training.samples[row] for row in training.rows("train").tolist()]
    library = FeatureLibrary(backbone, training.samples, settings, Quiet(), calibration=calibration, cpu=cpu)
    plan = make_plan(library, training, settings)
    measure_plan = partial(measure, training, seed=0, threads=1)
    return training, plan, measure_plan(plan=plan), library, lambda other: measure_plan(plan=other)


def test_features_of_one_kind_of_cpu_do_not_pass_for_those_of_another(data: Path) -> None:
    """Their kernels round sums elsewhere, and the head would have learned from others."""
    computed = []
    for cpu in (VNNI, OTHER_VNNI, VNNI):
        *_, library, _ = trial(data, CONVOLUTIONS, cpu=cpu)
        library.rows(replace(library.base, precision="int8"))
        computed.append(library.computed)

    assert computed == [16, 16, 0]


def recorded_for(backbone: RunBackbone, taken: Precision) -> Recorded:
    """What an earlier run with this backbone decided."""
    features = replace(backbone.choice, precision=taken)
    return Recorded(PrecisionChoice("auto", taken, "as it was", speedup=1.5), backbone.weights.sha256, features)


@pytest.mark.parametrize("taken", ["int8", "float32"])
def test_a_recorded_decision_is_taken_over_whatever_is_measured_now(data: Path, taken: str) -> None:
    recorded = recorded_for(CONVOLUTIONS, "int8" if taken == "int8" else "float32")

    measured, choice = settle_precision("auto", *trial(data, CONVOLUTIONS), recorded=recorded)

    assert (choice.taken, choice.reason, choice.speedup) == (taken, "as it was", 1.5)
    assert measured.searched.recipe.features.precision == taken
    assert choice.requirements == (("vnni",) if taken == "int8" else ())


def test_a_decision_that_was_made_for_other_weights_or_features_is_made_anew(data: Path) -> None:
    other_weights = replace(recorded_for(CONVOLUTIONS, "int8"), weights_sha256="f" * 64)
    other_features = recorded_for(LARGER, "int8")

    for recorded in (other_weights, other_features):
        _, choice = settle_precision("auto", *trial(data, CONVOLUTIONS), recorded=recorded)

        assert "as it was" not in choice.reason
        assert choice.speedup != 1.5


def test_what_was_asked_for_overrules_the_record(data: Path) -> None:
    recorded = recorded_for(CONVOLUTIONS, "float32")

    measured, choice = settle_precision("int8", *trial(data, CONVOLUTIONS), recorded=recorded)

    assert (choice.taken, measured.searched.recipe.features.precision) == ("int8", "int8")


def test_float32_looks_at_nothing_else(data: Path) -> None:
    training, plan, measured, library, measure_plan = trial(data, CONVOLUTIONS)

    kept, choice = settle_precision("float32", training, plan, measured, library, measure_plan)

    assert kept is measured
    assert (choice.taken, choice.comparison, library.computed) == ("float32", None, 0)


def test_a_backbone_without_an_int8_form_is_kept_in_float32_unless_int8_was_asked_for(data: Path) -> None:
    measured, choice = settle_precision("auto", *trial(data, COLOURS))

    assert choice.taken == measured.searched.recipe.features.precision == "float32"
    assert "cannot be quantised" in choice.reason
    with pytest.raises(QuantisationFailed):
        settle_precision("int8", *trial(data, COLOURS))


def test_int8_features_are_computed_on_the_cpu_wherever_the_run_computes(data: Path) -> None:
    """On a GPU the graph would compute in float and round elsewhere than the CPU that it is made for."""
    *_, library, _ = trial(data, CONVOLUTIONS)
    elsewhere = replace(library, settings=library.settings.model_copy(update={"provider": "cuda"}))

    rows = elsewhere.rows(replace(CONVOLUTIONS.choice, precision="int8"))

    assert rows.plain.shape == (16, 8)
