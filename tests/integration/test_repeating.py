"""Training again: the same run repeated from its bundle, with more pictures, on other threads, after an interrupt."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared.bundle import read_bundle
from shared.errors import BundleInvalid
from shared.publish import resolve
from tests.integration.pictures_on_disk import draw, write_folder
from tests.integration.test_road import content_of, settings_for
from trainer import commands
from trainer.__main__ import main
from trainer.errors.training import ReplayWeightsMissing
from trainer.live_metrics import FeaturizedPicture, HeadStep
from trainer.pipeline import TrainResult, train
from trainer.progress import Phase, Progress, Quiet, Stretch
from trainer.replay import Earlier, read_earlier
from trainer.scoring import Scorer

PER_CLASS = 17


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("repeating")


@pytest.fixture(scope="module")
def pictures(work: Path) -> Path:
    return write_folder(work / "pictures", per_class=PER_CLASS)


@pytest.fixture(scope="module")
def told() -> list[FeaturizedPicture | HeadStep]:
    return []


@pytest.fixture(scope="module")
def said() -> Quiet:
    return Quiet()


@pytest.fixture(scope="module")
def trained(work: Path, pictures: Path, told: list[FeaturizedPicture | HeadStep], said: Quiet) -> TrainResult:
    return train(settings_for(pictures, work, views=0), said, on_metrics=told.append)


def test_a_callback_is_told_of_every_picture_and_every_strength(
    trained: TrainResult, told: list[FeaturizedPicture | HeadStep]
) -> None:
    """With the fields of ML.NET's MetricsCallback, where our steps have them."""
    pictures = [one for one in told if isinstance(one, FeaturizedPicture)]
    steps = [one for one in told if isinstance(one, HeadStep)]
    swept = json.loads((trained.bundle.path / "metrics.json").read_text())["head"]["swept"]

    assert pictures == [FeaturizedPicture(None, index, 2 * PER_CLASS) for index in range(2 * PER_CLASS)]
    assert [(one.strength_index, one.strength, one.cross_entropy) for one in steps] == [
        (index, one["l2"], one["log_loss"]) for index, one in enumerate(swept)
    ]
    assert all(one.dataset == "validation" and 0 <= one.accuracy <= 1 and one.epoch is None for one in steps)


def test_how_long_it_will_take_is_said_before_and_only_if_there_is_something_to_do(
    work: Path, pictures: Path, trained: TrainResult, said: Quiet
) -> None:
    again = Quiet()

    train(settings_for(pictures, work, views=0), again)

    forecasts = [sentence for sentence in said.said if sentence.startswith("34 pictures to featurise: about ")]
    assert len(forecasts) == 1
    assert said.said.index(forecasts[0]) < said.said.index("Featurised 34 pictures, 0 came from the cache.")
    assert not any("about" in sentence for sentence in again.said)
    assert {"export", "featurize", "fit head", "write report"} <= {name for name, _ in said.phases}


def test_a_repeated_run_gives_the_same_bytes_and_says_so(
    work: Path, pictures: Path, trained: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings come from the bundle; only where to read and to write is told again."""
    folders = ["--models-dir", str(work / "again"), "--cache-dir", str(work / "cache")]

    assert main(["train", str(pictures), "--from", str(trained.bundle.path), "--json", *folders]) == 0

    result = json.loads(capsys.readouterr().out)
    differences = result["differences"]
    assert content_of(Path(result["bundle"])) == content_of(trained.bundle.path)
    assert all(differences["equal_bytes"].values())
    assert not any(differences[kind] for kind in ("settings", "tools", "backbone", "added", "gone", "relabelled"))
    assert differences["metrics"]["accuracy"][0] == differences["metrics"]["accuracy"][1]


def test_a_repeated_run_says_what_differs(
    tmp_path: Path, work: Path, pictures: Path, trained: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "pictures"
    shutil.copytree(pictures, data)
    (data / "dots" / "000.png").unlink()
    (data / "dots" / "001.png").rename(data / "stripes" / "moved.png")
    write_folder(tmp_path / "more", per_class=1, first=99)
    shutil.copy(tmp_path / "more" / "dots" / "099.png", data / "dots")
    folders = ["--models-dir", str(tmp_path / "models"), "--cache-dir", str(work / "cache")]

    assert main(["train", str(data), "--from", str(work / "models" / "shapes"), "--seed", "3", *folders]) == 0

    printed = capsys.readouterr().out
    assert "seed 0 -> 3" in printed
    assert "1 picture added (dots/099.png)" in printed
    assert "1 picture gone (" in printed
    assert "1 picture relabelled (stripes/moved.png (dots -> stripes))" in printed
    assert "model.onnx" in printed and "accuracy" in printed


def earlier_with(trained: TrainResult, **backbone: str) -> Earlier:
    """The run as if its backbone had been another one."""
    earlier = read_earlier(trained.bundle.path)
    changed = earlier.bundle.metadata.backbone.model_copy(update=backbone)
    metadata = earlier.bundle.metadata.model_copy(update={"backbone": changed})
    return replace(earlier, bundle=replace(earlier.bundle, metadata=metadata))


def test_weights_that_are_not_those_of_the_run_are_named_by_their_hash(trained: TrainResult) -> None:
    earlier = read_earlier(trained.bundle.path)

    assert earlier.find_weights(None)[1].sha256 == earlier.bundle.metadata.backbone.weights_sha256
    with pytest.raises(ReplayWeightsMissing, match=f"{'ab' * 32}.*--weights FILE"):
        earlier_with(trained, weights_sha256="ab" * 32).find_weights(None)


def test_a_run_with_a_local_file_asks_for_it_and_downloads_nothing(
    trained: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published weights of that name are other ones, and nobody asked for a download."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    nowhere = "http://127.0.0.1:9"
    mine = earlier_with(trained, name="mobilenet_v2", weights="mine.pth", weights_sha256="ab" * 32)
    published = earlier_with(trained, name="mobilenet_v2", weights="torchvision V1", weights_sha256="ab" * 32)

    with pytest.raises(ReplayWeightsMissing, match=r"\(mine.pth\).*--weights FILE") as asked:
        mine.find_weights(nowhere)
    with pytest.raises(ReplayWeightsMissing, match="could not be downloaded"):
        published.find_weights(nowhere)

    assert "download" not in str(asked.value)


def test_a_bundle_of_another_schema_cannot_be_repeated(tmp_path: Path, trained: TrainResult) -> None:
    shutil.copytree(trained.bundle.path, tmp_path / "later")
    metadata = json.loads((tmp_path / "later" / "bundle.json").read_text())
    (tmp_path / "later" / "bundle.json").write_text(json.dumps(metadata | {"schema_version": 9}))

    with pytest.raises(BundleInvalid, match="schema_version is 9, expected 1"):
        read_earlier(tmp_path / "later")


@pytest.mark.slow
def test_added_pictures_and_a_new_class_alone_are_computed_and_the_result_is_that_of_a_run_from_scratch(
    tmp_path: Path, work: Path, pictures: Path, trained: TrainResult
) -> None:
    data, scratch = tmp_path / "pictures", tmp_path / "scratch"
    shutil.copytree(pictures, data)
    write_folder(data, per_class=3, first=50)
    (data / "both").mkdir()
    for number in range(6):
        upper, lower = draw("dots", 100 + number), draw("stripes", 100 + number)
        upper.paste(lower.crop((0, 48, 96, 96)), (0, 48))
        upper.save(data / "both" / f"{number}.png")

    added = train(settings_for(data, work, models_dir=tmp_path / "models", views=0), Quiet())
    shutil.copytree(work / "cache" / "graphs", scratch / "cache" / "graphs")
    anew = train(settings_for(data, scratch, views=0), Quiet())

    assert (added.featurized, added.from_cache) == (12, 34)
    assert (anew.featurized, anew.from_cache) == (46, 0)
    assert added.bundle.metadata.labels == ("both", "dots", "stripes")
    assert content_of(added.bundle.path) == content_of(anew.bundle.path)


def test_another_number_of_threads_changes_no_prediction(
    tmp_path: Path, work: Path, pictures: Path, trained: TrainResult
) -> None:
    """By at most 1e-5, that is: how sums are split among threads decides their last bits."""
    one = train(settings_for(pictures, work, models_dir=tmp_path / "models", threads=1, views=0), Quiet())
    files = sorted(pictures.rglob("*.png"))

    answers = [
        np.stack(
            [scored.probabilities for scored in Scorer(path, threads=1, provider="cpu", progress=Quiet()).score(files)]
        )  # type: ignore[misc]
        for path in (one.bundle.path, trained.bundle.path)
    ]

    np.testing.assert_allclose(answers[0], answers[1], atol=1e-5)


class InterruptedAt:
    """A display at which someone presses Ctrl-C when a phase begins, or after some of its steps."""

    def __init__(self, name: str, *, after: int = 0) -> None:
        self.name, self.after = name, after

    @contextlib.contextmanager
    def phase(self, stretch: Stretch) -> Iterator[Phase]:
        def show(done: int) -> None:
            if stretch.name == self.name and done == self.after:
                raise KeyboardInterrupt

        if stretch.name == self.name and not self.after:
            raise KeyboardInterrupt
        yield Phase(show, already=stretch.already)

    def say(self, event: object, text: str, fields: object) -> None:
        pass


@pytest.mark.slow
def test_an_interrupt_before_publishing_ends_with_130_and_one_in_any_phase_leaves_what_can_be_used(
    tmp_path: Path, work: Path, pictures: Path, trained: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["train", str(pictures), "--name", "shapes", "--backbone", "nano", "--threads", "2", "--views", "0"]
    arguments += ["--models-dir", str(tmp_path / "models"), "--cache-dir", str(tmp_path / "cache")]

    def run(name: str, after: int = 0) -> int:
        monkeypatch.setattr(commands, "Progress", lambda: Progress(InterruptedAt(name, after=after)))
        return main(arguments)

    assert run("hash", after=5) == 130
    assert run("export") == 130
    shutil.copytree(work / "cache" / "graphs", tmp_path / "cache" / "graphs", dirs_exist_ok=True)
    assert run("featurize", after=20) == 130
    for name in ("fit head", "compare with torch"):
        assert run(name) == 130
    assert not list((tmp_path / "models").glob("*/2*"))
    assert run("write report") == 0  # it is published by then; the next run makes the report good
    published = read_bundle(resolve(tmp_path / "models" / "shapes"))
    assert "report.html" not in published.metadata.files

    finished = train(settings_for(pictures, tmp_path, views=0), Quiet())
    assert finished.featurized == 0
    assert finished.bundle.version == published.version
    assert "report.html" in read_bundle(finished.bundle.path).metadata.files
    assert content_of(finished.bundle.path) == content_of(trained.bundle.path)
