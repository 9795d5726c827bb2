"""Features other than the preset's, from the command's options to the service's answer: one graph, no skew."""

import json
from pathlib import Path

import numpy as np
import pytest

from service.loading import open_generation
from shared.bundle import FEATURES, INPUT_NAME, read_bundle
from shared.decode import TRAINER_LIMITS, decode
from shared.preprocess import preprocess
from shared.session import open_session
from tests.integration.pictures_on_disk import write_folder
from tests.integration.test_road import settings_for
from tests.service.alone import classify_alone
from trainer.catalogue import NANO, get_entry
from trainer.pipeline import TrainResult, train
from trainer.progress import Quiet
from trainer.scoring import Scorer

pytestmark = pytest.mark.slow  # an export, and a training on it

OPTIONS = {"image_size": 96, "fit": "pad", "taps": "blocks.9", "mirror": True, "views": 2, "head": "probe"}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chosen")


@pytest.fixture(scope="module")
def pictures(work: Path) -> Path:
    return write_folder(work / "pictures")


@pytest.fixture(scope="module")
def trained(work: Path, pictures: Path) -> TrainResult:
    return train(settings_for(pictures, work, **OPTIONS), Quiet())


def test_the_bundle_says_which_features_it_is_made_of(trained: TrainResult) -> None:
    metadata = read_bundle(trained.bundle.path).metadata

    assert (metadata.spec.height, metadata.spec.width, metadata.spec.fit) == (96, 96, "pad")
    assert (metadata.backbone.taps, metadata.backbone.mirror) == (("blocks.9",), True)
    assert metadata.backbone.feature_size == get_entry(NANO).feature_size + 64
    assert metadata.evidence is None  # a mean over the picture and its mirror image is no mean of one map
    assert metadata.evidence_reason == "the features are not global averages of maps (they come from ReduceMean)"


def test_the_graph_takes_that_size_and_gives_those_features(trained: TrainResult) -> None:
    session = open_session(trained.bundle.read_model(), provider="cpu")
    images = np.random.default_rng(4).integers(0, 256, (2, 96, 96, 3), np.uint8)

    features, mirrored = (session.run(pixels, [FEATURES])[0] for pixels in (images, images[:, :, ::-1].copy()))

    assert session.shape_of(INPUT_NAME)[1:] == (96, 96, 3)
    assert features.shape == (2, trained.bundle.metadata.backbone.feature_size)
    assert mirrored == pytest.approx(features, rel=1e-3, abs=1e-4)


def test_the_service_answers_what_the_trainer_computes(trained: TrainResult, pictures: Path) -> None:
    """Decoded, padded, tapped and mirrored by the same code and graph on both sides."""
    generation = open_generation("shapes", trained.bundle.path)
    scorer = Scorer(trained.bundle.path, threads=1, provider="cpu", progress=Quiet())

    for path in sorted(pictures.rglob("*.*"))[::7]:
        answer = classify_alone(path.read_bytes(), generation, count=9)
        expected = scorer.score_one(path).probabilities
        assert expected is not None
        scores = {one.label: one.score for one in answer.predictions}
        assert [scores[label] for label in scorer.labels] == pytest.approx(expected.tolist(), abs=1e-6)


def test_the_head_learned_from_what_the_graph_gives(trained: TrainResult, pictures: Path, work: Path) -> None:
    """The cached row of a picture is, bit for bit, what the served graph answers for it."""
    from trainer.feature_library import FeatureLibrary
    from trainer.manifest import read_manifest
    from trainer.run_backbone import open_backbone

    settings = settings_for(pictures, work, **OPTIONS)
    samples = read_manifest(str(pictures), labels="auto", cache_dir=work / "cache").samples[:3]
    backbone = open_backbone(settings, Quiet())
    library = FeatureLibrary(backbone, samples, settings, Quiet())
    session, spec = open_session(trained.bundle.read_model(), provider="cpu", threads=1), trained.bundle.metadata.spec

    rows = library.rows(backbone.choice, views=2).plain

    assert library.computed == 0
    for row, sample in zip(rows, samples, strict=True):
        image = decode(sample.path.read_bytes(), at_least=spec.decode_at_least, limits=TRAINER_LIMITS)
        served = session.run(preprocess(image, spec)[None], [FEATURES])[0][0]
        assert np.array_equal(row, served)


def test_views_count_as_featurised(trained: TrainResult, pictures: Path, work: Path) -> None:
    """All pictures are in the cache: it is two further views of each that are computed."""
    further = train(settings_for(pictures, work, **(OPTIONS | {"views": 4, "name": "further"})), Quiet())

    assert trained.as_json()["renderings_featurized"] == 3 * 30
    assert (further.featurized, further.from_cache) == (30, 0)
    assert (further.tally.renderings_featurized, further.tally.renderings_from_cache) == (2 * 30, 3 * 30)
    assert json.loads((further.bundle.path / "run.json").read_bytes())["renderings_featurized"] == 2 * 30


def test_the_same_run_again_computes_nothing_and_publishes_nothing(
    trained: TrainResult, pictures: Path, work: Path
) -> None:
    progress = Quiet()

    again = train(settings_for(pictures, work, **OPTIONS), progress)

    assert (again.featurized, again.from_cache, again.unchanged) == (0, 30, True)
    assert (again.tally.renderings_featurized, again.tally.renderings_from_cache) == (0, 3 * 30)
    assert not [text for text in progress.said if "Exporting" in text or "Featurising" in text]


def test_what_was_learned_from_views_is_told(trained: TrainResult) -> None:
    metrics = json.loads((trained.bundle.path / "metrics.json").read_bytes())

    assert metrics["head"]["recipe"] == "probe on 96 px, pad, with blocks.9, and mirrored, 2 views"
