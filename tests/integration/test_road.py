"""The whole road: pictures on disk -> train -> bundle -> evaluate, predict, serve. With the embedded backbone."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from shared.bundle import Bundle, read_bundle
from shared.errors import ModelMissing
from shared.publish import list_versions, publish, resolve, seal, staging_folder
from tests.integration.pictures_on_disk import LABELS, write_folder
from tests.service.running import running_process
from trainer.__main__ import main
from trainer.pipeline import TrainResult, train
from trainer.prediction_table import state_of
from trainer.progress import Phase, Quiet
from trainer.scoring import Scorer
from trainer.settings import TrainSettings

ROOT = Path(__file__).resolve().parents[2]
CONTENT = ("model.onnx", "head.safetensors", "labels.txt", "metrics.json", "split.csv")


def settings_for(data: Path, work: Path, **options: object) -> TrainSettings:
    return TrainSettings.model_validate(
        {"data": data, "models_dir": work / "models", "cache_dir": work / "cache", "backbone": "nano", "threads": 2}
        | {"name": "shapes"}
        | options
    )


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("road")


@pytest.fixture(scope="module")
def pictures(work: Path) -> Path:
    return write_folder(work / "pictures")


@pytest.fixture(scope="module")
def trained(work: Path, pictures: Path) -> TrainResult:
    return train(settings_for(pictures, work), Quiet())


def content_of(bundle: Path) -> dict[str, bytes]:
    golden = {path.name: path.read_bytes() for path in (bundle / "golden").rglob("*") if path.is_file()}
    return {name: (bundle / name).read_bytes() for name in CONTENT} | golden


def test_a_bundle_has_everything_the_design_lists(trained: TrainResult) -> None:
    found = {
        path.relative_to(trained.bundle.path).as_posix() for path in trained.bundle.path.rglob("*") if path.is_file()
    }

    assert {*CONTENT, "bundle.json", "run.json", "report.html", "card.md", "golden/images.npy"} <= found
    metadata = read_bundle(trained.bundle.path).metadata
    assert metadata.labels == LABELS
    assert metadata.thresholds.unfamiliar is None and metadata.thresholds.novelty_reason
    assert metadata.metrics["measured_on"] == "test"
    assert metadata.reference is not None and sum(metadata.reference.counts) == sum(metadata.split.counts.values())


def test_the_same_run_again_computes_nothing_and_gives_the_same_bytes(
    tmp_path: Path, work: Path, pictures: Path, trained: TrainResult
) -> None:
    again = train(settings_for(pictures, work, models_dir=tmp_path / "models"), Quiet())

    assert (again.featurized, again.from_cache) == (0, 30)
    assert content_of(again.bundle.path) == content_of(trained.bundle.path)


def test_training_on_unchanged_data_publishes_no_twin(tmp_path: Path, work: Path, pictures: Path) -> None:
    """A rollback would else land on the very model that it is to lead away from."""
    first = train(settings_for(pictures, work, models_dir=tmp_path), Quiet())
    progress = Quiet()

    again = train(settings_for(pictures, work, models_dir=tmp_path, min_accuracy=0.0), progress)

    assert (first.unchanged, again.unchanged) == (False, True)
    assert again.bundle.version == first.bundle.version
    assert list_versions(tmp_path / "shapes") == [first.bundle.version]
    assert f"Unchanged: version {first.bundle.version} is already current." in progress.said


def test_a_model_of_an_earlier_trainer_gets_its_reference(tmp_path: Path, work: Path, pictures: Path) -> None:
    """All else is as it was, but a service tells drift by the reference."""
    made = train(settings_for(pictures, work, models_dir=tmp_path), Quiet()).bundle
    with staging_folder(tmp_path, "shapes") as folder:
        shutil.copytree(made.path, folder, dirs_exist_ok=True)
        fields = dict(made.metadata) | {"reference": None}
        earlier = seal(folder, {name: fields[name] for name in fields.keys() - {"files", "content_sha256"}})
        publish(folder, tmp_path)

    again = train(settings_for(pictures, work, models_dir=tmp_path), Quiet())

    assert earlier.content_sha256 == made.metadata.content_sha256 and not again.unchanged
    assert again.bundle.metadata.reference == made.metadata.reference is not None


class ReportWatcher(Quiet):
    """Calls a function when the report is begun."""

    def __init__(self, begun: Callable[[], None]) -> None:
        super().__init__()
        self._begun = begun

    def phase(
        self, name: str, total: int | None = None, *, already: int = 0, unit: Literal["thing", "byte"] = "thing"
    ) -> contextlib.AbstractContextManager[Phase]:
        if name == "write report":
            self._begun()
        return super().phase(name, total, already=already, unit=unit)


def test_the_model_is_current_before_its_report_is_begun(tmp_path: Path, work: Path, pictures: Path) -> None:
    """A service takes it over meanwhile; whoever waits at the terminal is told."""
    found: list[tuple[Bundle, str]] = []
    watcher = ReportWatcher(lambda: found.append((read_bundle(resolve(tmp_path / "shapes")), watcher.said[-1])))

    result = train(settings_for(pictures, work, models_dir=tmp_path, views=0), watcher)

    ((bundle, said),) = found
    assert bundle.version == result.bundle.version
    assert said == f"Version {bundle.version} is current; the report follows."
    assert "report.html" not in bundle.metadata.files
    assert read_bundle(result.bundle.path) == result.bundle
    assert {"report.html", "card.md"} <= set(result.bundle.metadata.files)


def test_a_report_that_cannot_be_written_takes_no_model_back(tmp_path: Path, work: Path, pictures: Path) -> None:
    """The version may be gone by then, when another run has published ten."""
    watcher = ReportWatcher(lambda: shutil.rmtree(resolve(tmp_path / "shapes")))

    train(settings_for(pictures, work, models_dir=tmp_path, views=0), watcher)

    assert any("its report could not be written" in sentence for sentence in watcher.warnings)


class FailsOnce:
    """Raises when it is called for the first time."""

    def __init__(self, error: BaseException) -> None:
        self.errors = [error]

    def __call__(self) -> None:
        if self.errors:
            raise self.errors.pop()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyboardInterrupt(), "the report is missing, the same command writes it"),
        (ValueError("no such chart"), "could not be written (ValueError: no such chart)"),
    ],
)
def test_whatever_befalls_the_report_the_run_tells_what_it_published(
    error: BaseException, told: str, tmp_path: Path, work: Path, pictures: Path
) -> None:
    watcher, settings = ReportWatcher(FailsOnce(error)), settings_for(pictures, work, models_dir=tmp_path, views=0)

    result = train(settings, watcher)

    version = read_bundle(resolve(tmp_path / "shapes")).version
    assert result.as_json()["version"] == version and not result.unchanged
    assert any(version in sentence and told in sentence for sentence in watcher.warnings)
    again = train(settings, watcher)
    assert again.unchanged and again.bundle.version == version
    assert "report.html" in read_bundle(again.bundle.path).metadata.files


class InterruptedCount(int):
    """How many versions to keep: somebody presses Ctrl-C when the older ones are about to be removed."""

    def __neg__(self) -> int:
        raise KeyboardInterrupt


def test_an_interrupt_after_the_model_went_live_says_that_it_did(tmp_path: Path, work: Path, pictures: Path) -> None:
    """Only old versions were still to be removed: "interrupted, run it again" would be untrue."""
    settings, progress = settings_for(pictures, work, models_dir=tmp_path, views=0), Quiet()

    result = train(settings.model_copy(update={"keep_versions": InterruptedCount(1)}), progress)

    version = read_bundle(resolve(tmp_path / "shapes")).version
    assert (result.bundle.version, result.unchanged) == (version, False)
    assert any(f"Published {version}; older versions may be left" in sentence for sentence in progress.warnings)
    again = train(settings, Quiet())
    assert again.unchanged and "report.html" in again.bundle.metadata.files


def test_an_interrupt_before_that_is_one(tmp_path: Path, work: Path, pictures: Path) -> None:
    class InterruptedBefore(int):
        """Asked before anything is moved."""

        def __lt__(self, other: object) -> bool:
            raise KeyboardInterrupt

    settings = settings_for(pictures, work, models_dir=tmp_path, views=0)

    with pytest.raises(KeyboardInterrupt):
        train(settings.model_copy(update={"keep_versions": InterruptedBefore(1)}), Quiet())

    assert not (tmp_path / "shapes" / "current").exists()
    assert not list((tmp_path / "shapes").glob(".staging-*"))


def test_a_damaged_current_bundle_is_no_reason_to_publish_nothing(tmp_path: Path, work: Path, pictures: Path) -> None:
    first = train(settings_for(pictures, work, models_dir=tmp_path), Quiet())
    (first.bundle.path / "labels.txt").write_text("dots\nstrips\n")

    again = train(settings_for(pictures, work, models_dir=tmp_path), Quiet())

    assert not again.unchanged
    assert read_bundle(resolve(tmp_path / "shapes")).version == again.bundle.version


def test_pictures_elsewhere_and_a_cold_cache_give_the_same_bytes(
    tmp_path: Path, pictures: Path, trained: TrainResult
) -> None:
    """Neither paths, nor what was cached, nor the folder of the process get into the model."""
    moved = tmp_path / "moved" / "deeper"
    shutil.copytree(pictures, moved)
    command = [sys.executable, "-m", "trainer", "train", str(moved), "--name", "shapes", "--backbone", "nano"]
    command += ["--threads", "2", "--json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert {"bundle", "version", "featurized", "from_cache", "metrics"} <= set(result)
    assert result["featurized"] == 30
    assert content_of(tmp_path / result["bundle"]) == content_of(trained.bundle.path)


@pytest.mark.usefixtures("trained")  # so that the pictures are in the cache
def test_one_changed_picture_is_one_to_compute_and_a_relabelled_one_none(
    tmp_path: Path, work: Path, pictures: Path
) -> None:
    data = tmp_path / "pictures"
    shutil.copytree(pictures, data)
    write_folder(tmp_path / "more", per_class=1, first=99)
    shutil.copy(tmp_path / "more" / "dots" / "099.png", data / "dots" / "000.png")
    (data / "dots" / "001.png").rename(data / "stripes" / "moved.png")
    settings = settings_for(data, work, models_dir=tmp_path / "models")

    result = train(settings, Quiet())

    assert (result.featurized, result.from_cache) == (1, 29)


def test_unreadable_pictures_are_named_and_left_out(tmp_path: Path, work: Path, pictures: Path) -> None:
    data = tmp_path / "pictures"
    shutil.copytree(pictures, data)
    whole = (data / "dots" / "000.png").read_bytes()
    (data / "dots" / "torn.png").write_bytes(whole[: len(whole) // 2])
    (data / "stripes" / "empty.jpg").write_bytes(b"")
    progress = Quiet()

    train(settings_for(data, work, models_dir=tmp_path / "models"), progress)

    named = [warning for warning in progress.warnings if "unreadable" in warning]
    assert len(named) == 1 and "dots/torn.png" in named[0] and "stripes/empty.jpg" in named[0]


def test_too_many_unreadable_pictures_stop_the_run(
    tmp_path: Path, work: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "pictures"
    shutil.copytree(pictures, data)
    for number in range(2):  # two of each are fewer than a tenth of the pictures, four are more
        (data / "dots" / f"torn{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes([number]))
        (data / "dots" / f"linked{number}.png").symlink_to(tmp_path / "gone.png")

    code = main(["train", str(data), "--models-dir", str(tmp_path / "models"), "--cache-dir", str(work / "cache")])

    assert code == 3
    error = capsys.readouterr().err
    assert "4 of 34 pictures cannot be used" in error and "torn0.png" in error and "linked0.png" in error
    assert not list((tmp_path / "models").glob("*/*"))


def test_a_failed_gate_publishes_nothing(
    tmp_path: Path, work: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six test pictures cannot prove an accuracy of 0.999, however right they are."""
    options = ["--models-dir", str(tmp_path / "models"), "--cache-dir", str(work / "cache"), "--min-accuracy", "0.999"]

    assert main(["train", str(pictures), "--name", "shapes", *options]) == 4

    assert "--min-accuracy" in capsys.readouterr().err
    with pytest.raises(ModelMissing):
        resolve(tmp_path / "models" / "shapes")


def test_pictures_stay_at_home_when_asked(tmp_path: Path, work: Path, pictures: Path) -> None:
    result = train(settings_for(pictures, work, models_dir=tmp_path / "models", pictures=False), Quiet())

    assert not (result.bundle.path / "golden" / "pictures").exists()
    assert "data:image/jpeg" not in (result.bundle.path / "report.html").read_text()


def test_only_the_report_names_files(tmp_path: Path, work: Path, pictures: Path) -> None:
    """docs/bundle.md says so to whoever may not let names leave the house, with or without `--no-pictures`."""
    data = Path(shutil.copytree(pictures, tmp_path / "data"))
    (data / LABELS[0] / "unreadable.png").write_bytes(b"no picture")
    names = {path.name for path in data.rglob("*.png")}

    for keep in (True, False):
        result = train(settings_for(data, work, models_dir=tmp_path / f"{keep}", pictures=keep), Quiet())

        naming = {
            path.name
            for path in result.bundle.path.rglob("*")
            if path.is_file() and any(name.encode() in path.read_bytes() for name in names)
        }
        assert naming == {"report.html"}


def test_training_on_everything_reports_cross_validated_numbers(tmp_path: Path, work: Path, pictures: Path) -> None:
    result = train(settings_for(pictures, work, models_dir=tmp_path / "models", split=(1, 0, 0), folds=3), Quiet())

    metrics = json.loads((result.bundle.path / "metrics.json").read_text())
    assert result.metrics["measured_on"] == "cross_validated"
    assert metrics["test"] is None and metrics["cross_validated"]["n"] == 30 and metrics["folds"] is not None


def test_both_engines_predict_the_same_labels(tmp_path: Path, work: Path, pictures: Path) -> None:
    """Features that torch computed lead to the same answers, picture by picture."""
    files = sorted(pictures.rglob("*.png"))
    answers = {}
    for engine in ("onnxruntime", "torch"):
        result = train(settings_for(pictures, work, models_dir=tmp_path / engine, engine=engine), Quiet())
        scorer = Scorer(result.bundle.path, threads=2, provider="cpu", progress=Quiet())
        answers[engine] = np.stack([scored.probabilities for scored in scorer.score(files)])  # type: ignore[misc]

    np.testing.assert_array_equal(answers["torch"].argmax(1), answers["onnxruntime"].argmax(1))
    np.testing.assert_allclose(answers["torch"], answers["onnxruntime"], atol=1e-3)


def test_evaluate_prints_one_object_and_says_that_the_head_was_fitted_on_these_pictures(
    work: Path, pictures: Path, trained: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    """By default the published head is fitted on every split; numbers on those pictures flatter it."""
    code = main(["evaluate", str(trained.bundle.path), str(pictures), "--json", "--cache-dir", str(work / "cache")])

    printed = capsys.readouterr()
    numbers = json.loads(printed.out)
    assert code == 0
    assert {"accuracy", "macro_accuracy", "log_loss", "n", "per_class"} <= set(numbers)
    assert (numbers["n"], numbers["learned_from"]) == (30, 30)
    assert "learned from" in printed.err


def test_evaluate_on_the_test_split_gives_the_numbers_of_the_training(
    tmp_path: Path, work: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The measured head itself, published by --final-fit train, through the served graph, from the files."""
    result = train(settings_for(pictures, work, models_dir=tmp_path / "models", final_fit="train"), Quiet())
    command = ["evaluate", str(result.bundle.path), str(pictures), "--only", "test", "--json"]
    main([*command, "--cache-dir", str(work / "cache")])

    numbers = json.loads(capsys.readouterr().out)
    assert (numbers["n"], numbers["learned_from"]) == (result.metrics["n"], 0)
    assert numbers["accuracy"] == result.metrics["accuracy"]
    assert numbers["log_loss"] == pytest.approx(result.metrics["log_loss"], abs=1e-4)


def test_evaluate_refuses_labels_that_the_bundle_does_not_know(
    tmp_path: Path, work: Path, pictures: Path, trained: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "pictures"
    shutil.copytree(pictures, data)
    (data / "dots").rename(data / "spots")

    assert main(["evaluate", str(trained.bundle.path), str(data), "--cache-dir", str(work / "cache")]) == 3

    error = capsys.readouterr().err
    assert "spots" in error and "dots" in error


def test_predict_prints_file_label_score_and_actual(
    pictures: Path, trained: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["predict", str(trained.bundle.path), str(pictures), "--only", "test", "--limit", "3"])

    printed = capsys.readouterr()
    lines = [line.split("\t") for line in printed.out.splitlines()]
    assert len(lines) == 3
    assert "fitted on the test split too" in printed.err  # a reader would else take the answers for proof
    for file, label, score, actual in lines:
        assert Path(file).is_file() and label in LABELS and 0 <= float(score) <= 1
        assert actual == f"actual: {Path(file).parent.name}"


def test_bulk_prediction_names_bad_files_and_goes_on_after_an_interruption(
    tmp_path: Path, pictures: Path, trained: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "pictures", tmp_path / "predictions.csv"
    shutil.copytree(pictures, data)
    (data / "dots" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    main(["predict", str(trained.bundle.path), str(data), "--out", str(out)])
    whole = out.read_text()
    assert "torn.png" in capsys.readouterr().out
    assert len(whole.splitlines()) == 32

    journal = tmp_path / ".predictions.csv.partial"
    header = json.dumps({"content_sha256": trained.bundle.metadata.content_sha256})
    first = data / "dots" / "000.png"
    done = {"file": str(first), "label": "kept", "score": 1.0, "novelty": None, "unfamiliar": None}
    done |= {"actual": None, "problem": None}
    done["state"] = state_of(first)
    journal.write_text(f"{header}\n{json.dumps(done)}\n{json.dumps(done)[:20]}")
    main(["predict", str(trained.bundle.path), str(data), "--out", str(out)])
    assert "kept" in out.read_text()
    assert not journal.exists()


def test_the_service_answers_with_the_trainers_probabilities(work: Path, pictures: Path, trained: TrainResult) -> None:
    """One graph, one decoder: the same file gives the same probabilities to 1e-5."""
    files = sorted(pictures.rglob("*.png"))[:6]
    scorer = Scorer(trained.bundle.path, threads=2, provider="cpu", progress=Quiet())
    expected = {scored.path: scored.probabilities for scored in scorer.score(files)}

    with running_process(work / "models") as service, service.client() as client:
        service.wait_until_ready()
        for file in files:
            answer = client.post("/predict", files={"file": file.read_bytes()}).raise_for_status().json()
            scores = {each["label"]: each["score"] for each in answer["predictions"]}
            np.testing.assert_allclose([scores[label] for label in LABELS], expected[file], atol=1e-5)


def test_rolling_back_serves_the_version_before(work: Path, pictures: Path, trained: TrainResult) -> None:
    train(settings_for(pictures, work, seed=1), Quiet())
    versions = list_versions(work / "models" / "shapes")
    assert len(versions) > 1

    assert main(["rollback", "shapes", "--models-dir", str(work / "models")]) == 0

    assert resolve(work / "models" / "shapes").name == versions[-2]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A copy of the trainer, so that all runs are of one state of it while somebody works on the checkout."""
    for package in ("trainer", "shared"):
        shutil.copytree(ROOT / package, tmp_path / "program" / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "program"


@pytest.mark.slow
def test_a_killed_trainer_leaves_no_half_bundle_and_the_next_run_goes_on(tmp_path: Path, program: Path) -> None:
    """SIGKILL while featurising, then at moments spread over a warm run; each on what the last one left behind."""
    data = write_folder(tmp_path / "pictures", per_class=200, size=48)
    command = [sys.executable, "-m", "trainer", "train", str(data), "--name", "shapes", "--backbone", "nano", "--json"]
    command += ["--models-dir", str(tmp_path / "models"), "--cache-dir", str(tmp_path / "cache")]
    parent, parts = tmp_path / "models" / "shapes", tmp_path / "cache" / "features"
    kill_when(command, program, lambda _seconds: any(parts.rglob("part-*.parquet")))
    assert not parent.exists() or not list_versions(parent)

    started = time.monotonic()
    whole = subprocess.run(command, cwd=program, check=True, capture_output=True, text=True)
    run_s = time.monotonic() - started
    counts = json.loads(whole.stdout)
    assert counts["renderings_from_cache"] > 0  # what the killed run had stored was not computed again
    assert counts["renderings_featurized"] > 0
    (first,) = list_versions(parent)

    for moment in (0.5, 0.8, 0.9, 0.95):
        kill_when(command, program, lambda seconds: seconds > run_s * moment)  # noqa: B023 (called within the same turn)
        for version in list_versions(parent):
            read_bundle(parent / version)
        read_bundle(resolve(parent))

    done = subprocess.run(command, cwd=program, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["featurized"] == json.loads(done.stdout)["renderings_featurized"] == 0
    assert content_of(resolve(parent)) == content_of(parent / first)
    assert not list(parent.glob(".staging-*"))


def kill_when(command: list[str], program: Path, moment_has_come: Callable[[float], bool]) -> None:
    """Start a trainer and end it by SIGKILL; one that is done before that has nothing to lose.

    `moment_has_come` is asked with the seconds since the start.
    """
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not moment_has_come(time.monotonic() - started):
        time.sleep(0.01)
    process.kill()
    process.wait()
