"""trainer/empty_folders.py: a label without a picture must not vanish without a word."""

from pathlib import Path

import pytest

from tests.trainer.tiny_bundle import paint
from trainer.audit import examine_manifest
from trainer.errors.audit import SingleClass
from trainer.findings import Kind, Severity
from trainer.intake import read_audited
from trainer.manifest import read_manifest
from trainer.manifest_findings import find_in_manifest
from trainer.progress import Quiet
from trainer.settings import TrainSettings


def lay_out(folder: Path, *names: str) -> Path:
    """Folders where a name ends in a slash, pictures elsewhere."""
    for name in names:
        if name.endswith("/"):
            (folder / name).mkdir(parents=True)
        else:
            paint(folder / name, "red")
    return folder


def empty_in(folder: Path, *, labels: str = "auto") -> tuple[str, ...]:
    return read_manifest(folder, labels=labels, cache_dir=folder.parent / "cache").empty_folders


def test_an_empty_label_folder_is_named_and_so_is_one_that_holds_other_files(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "data", "daisy/1.png", "tulips/1.png", "orchid/", "rose/", "fern/frond/")
    (folder / "rose" / "notes.txt").write_text("pictures come on Monday")

    assert empty_in(folder) == ("fern", "orchid", "rose")


@pytest.mark.parametrize(
    "names",
    [
        ("cat/1.png", "dog/1.png", "dog/raw/"),
        ("train/cat/1.png", "train/dog/1.png", "validation/cat/2.png", "validation/dog/", "test/"),
        ("cat/1.png", "dog/1.png", ".git/"),
    ],
)
def test_folders_that_are_no_labels_and_labels_with_pictures_elsewhere_are_not_named(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    assert empty_in(lay_out(tmp_path / "data", *names)) == ()


def test_folders_are_not_asked_where_names_of_files_are_the_labels(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "data", "cat.1.png", "cat.2.png", "dog.1.png", "dog.2.png", "old/")

    assert empty_in(folder, labels="prefix") == ()


def test_a_label_without_pictures_is_worth_a_look(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "data", "daisy/1.png", "tulips/1.png", "orchid/")
    manifest = read_manifest(folder, cache_dir=tmp_path / "cache")

    (finding,) = [one for one in find_in_manifest(examine_manifest(manifest), ()) if one.kind is Kind.EMPTY_FOLDERS]

    assert finding.severity is Severity.LOOK
    assert [mention.names for mention in finding.mentions] == [("orchid",)]


def test_a_training_warns_of_it_also_where_it_can_then_not_go_on(tmp_path: Path) -> None:
    folder, progress = lay_out(tmp_path / "data", "daisy/1.png", "orchid/"), Quiet()

    with pytest.raises(SingleClass):
        read_audited(TrainSettings.model_validate({"data": folder, "cache_dir": tmp_path / "cache"}), progress)

    assert progress.warnings == [
        "1 label folder with no picture, so a model of these pictures never answers that label: orchid"
    ]
