"""A model in int8, from pictures to answers: fitted on what serves, with its numbers, repeated as it was decided."""

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

from shared.cpu_features import VNNI, read_cpu
from shared.decode import decode
from shared.preprocess import preprocess
from shared.session import open_session
from tests.integration.pictures_on_disk import write_folder
from tests.integration.test_road import content_of, settings_for
from trainer.head import read_head
from trainer.pipeline import TrainResult, train
from trainer.progress import Quiet
from trainer.settings import TrainSettings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("int8")


@pytest.fixture(scope="module")
def pictures(work: Path) -> Path:
    return write_folder(work / "pictures", per_class=12)


@pytest.fixture(scope="module")
def said() -> Quiet:
    return Quiet()


@pytest.fixture(scope="module")
def trained(work: Path, pictures: Path, said: Quiet) -> TrainResult:
    return train(settings_for(pictures, work, precision="int8"), said)


@pytest.fixture(scope="module")
def said_deciding() -> Quiet:
    return Quiet()


@pytest.fixture(scope="module")
def decided(work: Path, pictures: Path, trained: TrainResult, said_deciding: Quiet) -> TrainResult:
    assert trained.bundle.metadata.precision == "int8"  # so that its int8 features are in the cache
    return train(settings_for(pictures, work, precision="auto", name="decided"), said_deciding)


def test_the_bundle_computes_in_int8_and_says_what_it_requires(trained: TrainResult) -> None:
    metadata = trained.bundle.metadata
    operators = {node.op_type for node in ModelProto.FromString(trained.bundle.read_model()).graph.node}

    assert metadata.precision == "int8"
    assert metadata.requirements == ((VNNI,) if read_cpu().has(VNNI) else ())
    assert metadata.evidence is not None
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators


def test_the_head_was_fitted_on_the_features_of_the_graph_that_serves(pictures: Path, trained: TrainResult) -> None:
    """A head of float32 features on an int8 graph would look well at first sight, and be worse."""
    session, spec = open_session(trained.bundle.read_model(), provider="cpu"), trained.bundle.metadata.spec
    images = [
        preprocess(decode(path.read_bytes(), at_least=spec.decode_at_least), spec) for path in pictures.rglob("*.png")
    ]
    features = np.concatenate([session.run(image[None], ["features"])[0] for image in images])

    standardised_by = read_head(trained.bundle.path / "head.safetensors").mean
    np.testing.assert_allclose(features.mean(axis=0), standardised_by, rtol=1e-4, atol=1e-5)


def test_its_accuracy_stands_beside_that_of_float32(trained: TrainResult, said: Quiet) -> None:
    beside = json.loads((trained.bundle.path / "metrics.json").read_text())["int8"]

    assert abs(beside["difference"] - (beside["accuracy"] - beside["accuracy_float32"])) < 1e-9
    assert 0 < beside["features_differ_by"] < 0.5
    assert any("differ from torch's by" in sentence for sentence in said.said)


def test_another_run_neither_quantises_nor_featurises_again(decided: TrainResult, said_deciding: Quiet) -> None:
    assert decided.bundle.metadata.name == "decided"
    assert (decided.featurized, decided.tally.renderings_featurized) == (0, 0)
    assert decided.tally.renderings_from_cache >= 3 * 24  # pictures, mirror images, and int8
    assert any(sentence.startswith("Precision: ") for sentence in said_deciding.said)
    assert not any(sentence.startswith(("Featurising", "Quantising")) for sentence in said_deciding.said)


def test_a_repeated_run_takes_the_decision_over_instead_of_timing_again(
    work: Path, pictures: Path, decided: TrainResult
) -> None:
    """Another time would be measured, and might turn the decision."""
    again = {"data": pictures, "models_dir": work / "models", "cache_dir": work / "cache", "name": "repeated"}

    said = Quiet()
    repeated = train(TrainSettings.model_validate(again | {"from": decided.bundle.path}), said)

    before, after = (one.bundle.metadata for one in (decided, repeated))
    assert before.metrics["precision"]["speedup"] is not None
    assert "time float32 and int8" not in {name for name, _ in said.phases}
    assert after.metrics["precision"] == before.metrics["precision"]
    assert after.precision == before.precision
    assert content_of(repeated.bundle.path) == content_of(decided.bundle.path)


def test_a_repeated_run_with_other_features_decides_anew(work: Path, pictures: Path, decided: TrainResult) -> None:
    """What was measured with other features says nothing of these."""
    again = {"data": pictures, "models_dir": work / "models", "cache_dir": work / "cache", "name": "padded"}
    said = Quiet()

    train(TrainSettings.model_validate(again | {"from": decided.bundle.path, "fit": "pad"}), said)

    assert "time float32 and int8" in {name for name, _ in said.phases}


def test_why_a_precision_was_taken_is_in_bundle_and_run_record(decided: TrainResult) -> None:
    recorded = json.loads((decided.bundle.path / "run.json").read_text())["precision"]

    assert recorded["reason"].startswith(decided.bundle.metadata.precision)
    assert recorded == json.loads(json.dumps(decided.bundle.metadata.metrics["precision"]))
