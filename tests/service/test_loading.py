"""Nothing is served that is not what its metadata promises."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.loading import open_generation
from shared.bundle import MODEL_FILE, Bundle
from shared.cpu_features import Cpu
from shared.errors import (
    BundleCorrupted,
    BundleIncomplete,
    BundleInvalid,
    GoldenMismatch,
    RequirementMissing,
    RunFailed,
)
from shared.golden import Golden
from shared.preprocess import PreprocessSpec
from shared.session import open_session
from tests.service.bundles import colour_model, golden_of, publish_bundle
from tests.service.pictures import RED, picture


def test_a_good_bundle_becomes_a_warm_generation(bundle: Bundle) -> None:
    generation = open_generation("colours", bundle.path)

    assert (generation.version, generation.labels) == (bundle.version, ("red", "green", "blue"))
    assert generation.provider == "CPUExecutionProvider"
    assert generation.warnings == ()


def test_it_serves_under_the_folders_name_whatever_the_bundle_calls_itself(bundle: Bundle) -> None:
    """Copying a model's folder to another name, for a trial beside the old one, just works."""
    assert open_generation("colours-trial", bundle.path).name == "colours-trial"


PROMISES: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "more labels than the model has": ({"labels": ("red", "green", "blue", "grey")}, "probabilities"),
    "another input size": ({"spec": PreprocessSpec(height=32, width=32, resize=32)}, "images"),
    "an output that is not there": ({"outputs": ("probabilities", "novelty")}, "no output 'novelty'"),
}


@pytest.mark.parametrize("promise", PROMISES)
def test_a_broken_promise_is_refused_and_named(promise: str, models_dir: Path) -> None:
    fields, named = PROMISES[promise]
    bundle = publish_bundle(models_dir, model=colour_model(), golden=golden_of(colour_model()), **fields)

    with pytest.raises(BundleInvalid, match=named):
        open_generation("colours", bundle.path)


def test_an_input_by_another_name_is_refused(models_dir: Path) -> None:
    model = colour_model(rename={"images": "pixels"})
    bundle = publish_bundle(models_dir, model=model)

    with pytest.raises(BundleInvalid, match="input is 'pixels'"):
        open_generation("colours", bundle.path)


def test_onnx_runtime_writes_no_lines_of_its_own_about_a_run_that_fails(capfd: pytest.CaptureFixture[str]) -> None:
    """stderr is a log of JSON lines, and RunFailed has all that it says."""
    session = open_session(colour_model(reshape_to=7), provider="cpu")

    with pytest.raises(RunFailed, match="Reshape"):
        session.run(np.zeros((1, 16, 16, 3), np.uint8), ["probabilities"])

    assert capfd.readouterr() == ("", "")


def test_a_model_that_fails_its_first_run_is_refused(models_dir: Path) -> None:
    """What the graph declares is not what it does."""
    golden = golden_of(colour_model())
    bundle = publish_bundle(models_dir, model=colour_model(reshape_to=7), golden=golden)

    with pytest.raises(BundleInvalid, match="first run fails"):
        open_generation("colours", bundle.path)


def test_answers_that_are_not_the_stored_ones_are_refused(models_dir: Path) -> None:
    golden = golden_of(colour_model())
    other = Golden(images=golden.images, probabilities=golden.probabilities[::-1].copy())
    bundle = publish_bundle(models_dir, golden=other)

    with pytest.raises(GoldenMismatch, match="differ by up to"):
        open_generation("colours", bundle.path)


def test_pictures_that_this_machine_decodes_otherwise_are_a_warning(models_dir: Path) -> None:
    golden = golden_of(colour_model())
    golden = Golden(images=golden.images, probabilities=golden.probabilities, pictures=(picture(RED),) * 3)
    bundle = publish_bundle(models_dir, golden=golden)

    assert len(open_generation("colours", bundle.path).warnings) == 3


def test_a_changed_file_is_refused(bundle: Bundle) -> None:
    data = bytearray(bundle.model_path.read_bytes())
    data[-1] ^= 1
    bundle.model_path.write_bytes(data)

    with pytest.raises(BundleCorrupted, match=MODEL_FILE):
        open_generation("colours", bundle.path)


def test_a_truncated_file_is_refused(bundle: Bundle) -> None:
    bundle.model_path.write_bytes(bundle.model_path.read_bytes()[:-10])

    with pytest.raises(BundleIncomplete, match=MODEL_FILE):
        open_generation("colours", bundle.path)


def test_what_is_no_model_is_refused(models_dir: Path) -> None:
    """So early that it cannot even be published."""
    golden = Golden(np.zeros((1, 16, 16, 3), np.uint8), np.zeros((1, 3), np.float32))

    with pytest.raises(BundleInvalid, match="not a readable ONNX file"):
        publish_bundle(models_dir, model=b"no model at all", golden=golden)


def test_a_model_that_the_cpu_would_compute_wrongly_is_refused(models_dir: Path) -> None:
    """Without the instructions it requires, int8 sums overflow without a sign of it."""
    bundle = publish_bundle(models_dir, requirements=("vnni",))

    with pytest.raises(RequirementMissing, match=r"requires a CPU with vnni, found x86_64 avx2"):
        open_generation("colours", bundle.path, cpu=Cpu("x86_64", frozenset({"avx2"})))
    assert open_generation("colours", bundle.path, cpu=Cpu("x86_64", frozenset({"avx_vnni"}))).version == bundle.version


@pytest.mark.parametrize(
    ("cores", "wide_lane_max_mb", "can_widen"), [(2, 256, True), (2, 1, True), (2, 0, False), (1, 256, False)]
)
def test_a_wide_session_is_opened_where_there_are_cores_for_it_and_the_model_is_not_too_large(
    *, cores: int, wide_lane_max_mb: int, can_widen: bool, bundle: Bundle
) -> None:
    """It is a second copy of the weights."""
    generation = open_generation("colours", bundle.path, cores=cores, wide_lane_max_mb=wide_lane_max_mb)

    assert generation.can_widen == can_widen


def test_a_wide_run_answers_as_a_narrow_one(bundle: Bundle) -> None:
    generation = open_generation("colours", bundle.path, cores=2)
    images = np.full((1, 16, 16, 3), (10, 200, 90), np.uint8)

    narrow, wide = (generation.run(images, wide=wide).probabilities for wide in (False, True))

    np.testing.assert_allclose(wide, narrow, atol=1e-6)


def test_a_graph_without_the_maps_that_its_bundle_names_is_refused(tmp_path: Path) -> None:
    bundle = publish_bundle(tmp_path, evidence={"outputs": ("maps",), "file": "labels.txt"})

    with pytest.raises(BundleInvalid, match="no output 'maps'"):
        open_generation("colours", bundle.path)


def test_a_bundle_whose_evidence_is_none_is_refused(tmp_path: Path) -> None:
    bundle = publish_bundle(
        tmp_path, model=colour_model(with_maps=True), evidence={"outputs": ("maps",), "file": "labels.txt"}
    )

    with pytest.raises(BundleInvalid, match=r"labels\.txt: not an array"):
        open_generation("colours", bundle.path)
