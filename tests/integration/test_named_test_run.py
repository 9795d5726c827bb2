"""`train DATA --test DATA2` walked whole: what is learned from, measured, published, told, and repeated."""

import json
import shutil
from pathlib import Path

import pytest

from shared.files import sha256_of
from tests.integration.pictures_on_disk import draw, write_folder
from tests.integration.test_road import content_of, settings_for
from trainer.__main__ import main
from trainer.learned_from import learned_digests
from trainer.pipeline import TrainResult, train
from trainer.progress import Quiet
from trainer.split_file import read_held_out_predictions, read_split_file

pytestmark = pytest.mark.slow

PER_CLASS, HELD = 14, 6
SHARES = (0.7, 0.3, 0.0)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`held` has a copy of a picture of `pictures`, and one of them at another size; and a file that is none."""
    work = tmp_path_factory.mktemp("named-test")
    write_folder(work / "pictures", per_class=PER_CLASS)
    write_folder(work / "held", per_class=HELD, first=100)
    shutil.copy(work / "pictures" / "dots" / "003.png", work / "held" / "dots" / "copy.png")
    draw("dots", 5).resize((90, 90)).save(work / "held" / "dots" / "smaller.png")
    return work


@pytest.fixture(scope="module")
def said() -> Quiet:
    return Quiet()


@pytest.fixture(scope="module")
def trained(work: Path, said: Quiet) -> TrainResult:
    options = {"test": work / "held", "views": 0, "split": SHARES, "folds": 2, "not_worse": True}
    return train(settings_for(work / "pictures", work, **options), said)


def digests_of(folder: Path) -> set[str]:
    return {sha256_of(file.read_bytes()) for file in folder.rglob("*.png")}


def test_the_named_set_is_the_test_split_and_nothing_else_is(work: Path, trained: TrainResult) -> None:
    splits = read_split_file(trained.bundle.path)
    tested = {digest for digest, split in splits.items() if split == "test"}

    assert tested == digests_of(work / "held")
    assert trained.metrics["measured_on"] == "test" and trained.metrics["n"] == 2 * HELD + 2
    assert read_held_out_predictions(trained.bundle.path).keys() == tested


def test_copies_of_the_test_set_are_not_learned_from_and_are_named(
    work: Path, trained: TrainResult, said: Quiet
) -> None:
    splits = read_split_file(trained.bundle.path)
    resized = sha256_of((work / "pictures" / "dots" / "005.png").read_bytes())

    assert resized not in splits
    (warning,) = [one for one in said.warnings if "not learned from" in one]
    assert "dots/003.png (the same file as test:dots/copy.png)" in warning
    assert "dots/005.png (nearly identical to test:dots/smaller.png)" in warning
    report = (trained.bundle.path / "report.html").read_text()
    assert "Pictures that the named test set has too" in report and "dots/005.png" in report


def test_no_head_learns_from_it_and_the_bundle_says_so(work: Path, trained: TrainResult) -> None:
    """Neither the published head, though `--final-fit all` is the default, nor those of `--folds`."""
    metadata, metrics = trained.bundle.metadata, json.loads((trained.bundle.path / "metrics.json").read_text())
    learned_count = sum(split != "test" for split in read_split_file(trained.bundle.path).values())

    assert not learned_digests(trained.bundle) & digests_of(work / "held")
    assert metrics["head"]["final_fit"] == "train"
    assert sum(fold["n"] for fold in metrics["folds"]["results"]) == learned_count
    assert metrics["named_test"]["n"] == 2 * HELD + 2 and metrics["named_test"]["left_out_of_training"] >= 2
    assert metadata.settings["named_test"] is True and metadata.split.shares == SHARES
    assert "no head learned from it" in (trained.bundle.path / "card.md").read_text()


def test_a_bundle_does_not_say_where_the_test_set_lies(work: Path, trained: TrainResult) -> None:
    assert "test" not in trained.bundle.metadata.settings
    assert str(work) not in (trained.bundle.path / "bundle.json").read_text()
    assert json.loads((trained.bundle.path / "run.json").read_text())["test"] == str(work / "held")


def test_a_repeated_run_needs_the_set_wherever_it_is_by_then(
    work: Path, trained: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same bytes, from the cache, without pictures computed again; and without the set, no run at all."""
    shutil.copytree(work / "held", tmp_path / "elsewhere")
    folders = ["--models-dir", str(tmp_path / "again"), "--cache-dir", str(work / "cache")]
    command = ["train", str(work / "pictures"), "--from", str(trained.bundle.path), "--json", *folders]

    assert main(command) == 2
    assert "--test" in capsys.readouterr().err
    assert main([*command, "--test", str(tmp_path / "elsewhere")]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["featurized"] == 0
    assert content_of(Path(told["bundle"])) == content_of(trained.bundle.path)
    assert told["differences"]["settings"] == {} and told["differences"]["added"] == []


def test_a_new_version_is_compared_on_the_test_set_and_evaluated_on_it(
    work: Path, trained: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its pictures are known by content; and the published head can be asked about them, as it never saw one."""
    model = trained.bundle.path.parent
    more = write_folder(work / "more", per_class=PER_CLASS - 2)

    later = train(
        settings_for(more, work, test=work / "held", views=0, split=SHARES, not_worse=True, pictures=False), Quiet()
    )

    assert json.loads((later.bundle.path / "run.json").read_text())["not_worse"]["n"] == 2 * HELD + 2
    assert not list((later.bundle.path / "golden").rglob("*.png"))
    command = ["evaluate", str(model), str(work / "held"), "--only", "test", "--json"]
    assert main([*command, "--cache-dir", str(work / "cache")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["learned_from"]) == (2 * HELD + 2, 0)
    assert told["accuracy"] == later.metrics["accuracy"]


def test_the_audit_names_what_a_training_would_leave_out(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["audit", str(work / "pictures"), "--test", str(work / "held"), "--backbone", "nano", "--json"]

    assert main([*command, "--cache-dir", str(work / "cache"), "--threads", "2"]) == 0

    told = json.loads(capsys.readouterr().out)
    (finding,) = [one for one in told["findings"] if one["kind"] == "in-the-test-set"]
    assert {"dots/003.png", "dots/005.png"} <= {name for one in finding["mentions"] for name in one["names"]}
    assert told["labels"][0]["given_splits"]["test"] >= HELD


def test_the_backbone_is_picked_without_the_test_set(work: Path, tmp_path: Path) -> None:
    """A choice that is then tested must not have seen the test."""
    options = {"test": work / "held", "views": 0, "backbone": "auto", "models_dir": tmp_path / "models"}

    result = train(settings_for(work / "pictures", work, **options), Quiet())

    splits = read_split_file(result.bundle.path).values()
    assert sum(split == "test" for split in splits) == 2 * HELD + 2
    assert json.loads((result.bundle.path / "run.json").read_text())["backbone"]["compared"]
