"""The `audit` verb on small folders with the embedded backbone: it tells everything, and dies of nothing."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.integration.pictures_on_disk import draw, write_folder
from trainer.__main__ import main
from trainer.auditing import audit_data
from trainer.data_audit import DataAudit
from trainer.errors.audit import NotFitForTraining
from trainer.findings import Kind, Severity
from trainer.label_audit import count_steps
from trainer.pipeline import train
from trainer.progress import Quiet
from trainer.settings import AuditSettings, TrainSettings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "data", per_class=24)


def settings_for(folder: Path, cache: Path, **settings: object) -> AuditSettings:
    given = {"data": folder, "cache_dir": cache, "backbone": "nano", "threads": 1} | settings
    return AuditSettings.model_validate(given)


def audited(folder: Path, cache: Path, **settings: object) -> DataAudit:
    return audit_data(settings_for(folder, cache, **settings), Quiet())


def found(audit: DataAudit) -> dict[Kind, list[tuple[str, ...]]]:
    return {one.kind: [mention.names for mention in one.mentions] for one in audit.findings}


def test_good_pictures_pass(folder: Path, cache: Path) -> None:
    audit = audited(folder, cache)

    assert audit.can_train
    assert (audit.pictures, audit.usable) == (48, 48)
    assert [(one.label, one.usable) for one in audit.counts] == [("dots", 24), ("stripes", 24)]
    assert not {Kind.UNREADABLE, Kind.CONFLICTING, Kind.EXACT_DUPLICATES, Kind.WRONG_EXTENSION} & set(found(audit))


def test_every_long_step_is_shown_to_its_end(folder: Path, cache: Path) -> None:
    """Minutes each, on a hundred thousand pictures."""
    progress = Quiet()

    audit_data(settings_for(folder, cache), progress)

    done = dict(progress.phases)
    assert (done["compare pictures"], done["judge labels"]) == (48, count_steps())
    assert "look through pictures" in done


def test_everything_is_told_at_once(folder: Path, cache: Path) -> None:
    """One broken file, one copy, one picture under two labels, one wrong extension: four findings in one run."""
    (folder / "dots" / "empty.png").write_bytes(b"")
    shutil.copyfile(folder / "dots" / "001.png", folder / "dots" / "copy.png")
    shutil.copyfile(folder / "dots" / "002.png", folder / "stripes" / "twin.png")
    draw("stripes", 99).save(folder / "stripes" / "odd.jpg", "PNG")
    draw("dots", 98).resize((60, 60)).save(folder / "dots" / "small.png")
    draw("dots", 98).save(folder / "dots" / "large.png")

    audit = audited(folder, cache)

    expected = {
        Kind.UNREADABLE: [("dots/empty.png",)],
        Kind.CONFLICTING: [("dots/002.png", "stripes/twin.png")],
        Kind.EXACT_DUPLICATES: [("dots/001.png", "dots/copy.png")],
        Kind.WRONG_EXTENSION: [("stripes/odd.jpg",)],
    }
    assert {kind: names for kind, names in found(audit).items() if kind in expected} == expected
    assert ("dots/large.png", "dots/small.png") in found(audit)[Kind.NEAR_DUPLICATES]
    assert audit.can_train
    assert (audit.pictures, audit.usable) == (54, 51)


def test_what_stops_training_is_told_with_the_rest_and_then_refused(folder: Path, cache: Path) -> None:
    shutil.rmtree(folder / "stripes")
    (folder / "dots" / "empty.png").write_bytes(b"")

    audit = audited(folder, cache, labels="folder")

    assert next(iter(found(audit))) is Kind.SINGLE_CLASS
    assert found(audit)[Kind.UNREADABLE] == [("dots/empty.png",)]
    with pytest.raises(NotFitForTraining, match="Fewer than two labels"):
        audit.require_fit_for_training()


def test_a_label_of_one_picture_stops_training_but_not_the_audit(folder: Path, cache: Path) -> None:
    write_folder(folder, per_class=24)
    (folder / "rings").mkdir()
    draw("dots", 77).rotate(7).save(folder / "rings" / "only.png")

    audit = audited(folder, cache)

    assert Kind.CLASS_TOO_SMALL in found(audit)
    assert Kind.FEW_PICTURES in found(audit)
    assert not any("not judged" in note for note in audit.notes)


def test_pictures_that_are_all_broken_are_all_named(tmp_path: Path, cache: Path) -> None:
    for label in ("cat", "dog"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "data" / label / f"{number}.jpg").write_bytes(b"\xff\xd8 no " + f"{label} {number}".encode())

    audit = audited(tmp_path / "data", cache)

    assert len(found(audit)[Kind.UNREADABLE]) == 6
    assert {Kind.TOO_MANY_UNUSABLE, Kind.CLASS_TOO_SMALL} <= set(found(audit))
    assert Kind.LABEL_NOT_IN_TRAIN not in found(audit)
    assert (audit.pictures, audit.usable) == (6, 0)


def test_a_table_that_lists_missing_files_is_a_finding_until_they_are_too_many(folder: Path, cache: Path) -> None:
    rows = [f"{label}/{number:03d}.png,{label}" for label in ("dots", "stripes") for number in range(24)]
    (folder / "labels.csv").write_text("\n".join(["path,label", *rows, "dots/gone.png,dots"]))

    few = audited(folder / "labels.csv", cache)
    many = audited(folder / "labels.csv", cache, max_bad=0.01)

    assert found(few)[Kind.MISSING] == [("dots/gone.png",)]
    assert few.can_train
    assert Kind.TOO_MANY_MISSING in found(many)


def test_a_label_that_is_only_held_out_stops_training(folder: Path, cache: Path) -> None:
    for label in ("dots", "stripes"):
        for split in ("train", "test"):
            (folder / split).mkdir(exist_ok=True)
        shutil.move(folder / label, folder / ("train" if label == "dots" else "test") / label)

    audit = audited(folder, cache)

    assert Kind.LABEL_NOT_IN_TRAIN in found(audit)
    assert [dict(one.given) for one in audit.counts] == [{"train": 24}, {"test": 24}]


def test_a_label_without_a_picture_is_not_also_said_to_be_held_out(folder: Path, cache: Path) -> None:
    (folder / "rings").mkdir()
    (folder / "rings" / "empty.png").write_bytes(b"")

    stopping = [one.kind for one in audited(folder, cache).findings if one.severity is Severity.STOPS]

    assert stopping == [Kind.CLASS_TOO_SMALL]


def test_a_black_picture_is_dark_and_nothing_else(folder: Path, cache: Path) -> None:
    """A finding for each picture, not three: its label cannot be doubted, and of course it is unlike the others."""
    Image.new("RGB", (96, 96), (1, 1, 1)).save(folder / "dots" / "black.png")

    named = {kind for kind, sets in found(audited(folder, cache)).items() if ("dots/black.png",) in sets}

    assert named == {Kind.DARK}


def test_the_command_prints_one_object_and_ends_as_training_would(
    folder: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["audit", str(folder), "--backbone", "nano", "--cache-dir", str(cache), "--threads", "1"]

    assert main([*command, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == [
        *("data", "labels_from", "backbone", "can_train", "pictures", "usable", "labels", "findings", "notes")
    ]
    assert printed["labels"][0] == {"label": "dots", "pictures": 24, "given_splits": {}}

    shutil.rmtree(folder / "stripes")
    assert main([*command, "--labels", "folder"]) == 3
    told = capsys.readouterr()
    assert "Stops training" in told.out
    assert "not fit for training: Fewer than two labels" in told.err


def test_a_training_says_and_shows_what_its_audit_found(folder: Path, cache: Path, tmp_path: Path) -> None:
    Image.new("RGB", (96, 96), (1, 1, 1)).save(folder / "dots" / "black.png")
    given = {"data": folder, "cache_dir": cache, "models_dir": tmp_path / "models", "backbone": "nano", "threads": 1}
    progress = Quiet()

    result = train(TrainSettings.model_validate(given), progress)

    report = (result.bundle.path / "report.html").read_text(encoding="utf-8")
    assert dict(progress.phases)["compare pictures"] == 49
    assert {"fit final head", "look through pictures"} <= set(dict(progress.phases))
    assert any(said.startswith("Worth a look: dark pictures (1), first dots/black.png") for said in progress.said)
    assert "Dark pictures: 1" in report
    assert 'alt="dots/black.png"' in report
