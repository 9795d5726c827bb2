"""trainer/named_test.py: a test set by itself becomes the manifest's test split, and is judged by itself."""

import shutil
from pathlib import Path

import pytest

from tests.trainer.tiny_bundle import paint, publish_tiny
from trainer.audit import audit_manifest, examine_manifest
from trainer.errors.audit import ConflictingLabels, TooManyUnusable
from trainer.errors.manifest import LabelsFromDataTable
from trainer.errors.splits import TwoTestSets, UnknownTestLabels
from trainer.errors.training import ReplayRefused
from trainer.intake import read_audited
from trainer.mlnet_options import with_mlnet_options
from trainer.named_test import NAMED_TEST, settle_shares, with_test_set
from trainer.progress import Quiet
from trainer.replay import Earlier
from trainer.samples import Manifest
from trainer.settings import AuditSettings, TrainSettings

COLOURS = ("green", "red")


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """`data` and `held` with three pictures of each colour; in both, files have the same names, but other bytes."""
    for number in range(3):
        for colour in COLOURS:
            paint(tmp_path / "data" / colour / f"{number}.png", colour, size=20 + number)
            paint(tmp_path / "held" / colour / f"{number}.png", colour, size=40 + number)
    return tmp_path


def settings(folders: Path, **options: object) -> TrainSettings:
    values = {"data": folders / "data", "test": folders / "held", "cache_dir": folders / "cache"}
    return TrainSettings.model_validate(values | {"models_dir": folders / "models"} | options)


def read(folders: Path, progress: Quiet | None = None, **options: object) -> Manifest:
    return read_audited(settings(folders, **options), progress or Quiet()).manifest


def test_all_of_a_named_test_set_is_the_test_split_under_names_of_its_own(folders: Path) -> None:
    manifest = read(folders)

    splits = {sample.name: sample.split for sample in manifest.samples}
    assert splits["green/0.png"] is None and splits["test:green/0.png"] == "test"
    assert sum(split == "test" for split in splits.values()) == 6 == len(splits) - 6
    assert manifest.test is not None and manifest.test.name == "held"
    assert manifest.is_test("test:red/1.png") and not manifest.is_test("red/1.png")


def test_the_manifest_digest_knows_which_pictures_are_tested_on(folders: Path) -> None:
    """The same pictures the other way round are another run; the same ones elsewhere are not."""
    digest = read(folders).digest
    (folders / "held").rename(folders / "moved")

    assert read(folders, test=folders / "moved").digest == digest
    assert read(folders, data=folders / "moved", test=folders / "data").digest != digest


def test_a_mark_is_taken_that_no_name_begins_with(folders: Path) -> None:
    paint(folders / "data" / "test:green" / "0.png", "green", size=60)
    paint(folders / "data" / "test:green" / "1.png", "green", size=61)

    manifest = read(folders)

    assert manifest.test is not None and manifest.test.mark == "test::"
    assert not manifest.is_test("test:green/0.png")


def test_labels_that_training_does_not_know_end_the_run_with_exit_code_3(folders: Path) -> None:
    paint(folders / "held" / "blue" / "0.png", "blue")

    with pytest.raises(UnknownTestLabels, match=r"'blue', of 1; DATA has 'green', 'red'") as caught:
        read(folders)

    assert caught.value.exit_code == 3


def test_a_label_without_test_pictures_is_said(folders: Path) -> None:
    paint(folders / "data" / "blue" / "0.png", "blue", size=30)
    paint(folders / "data" / "blue" / "1.png", "blue", size=31)
    progress = Quiet()

    assert read(folders, progress).labels == ("blue", *COLOURS)

    assert any("no picture of 'blue'" in warning for warning in progress.warnings)


def test_data_with_a_test_split_of_its_own_is_refused(folders: Path) -> None:
    """Nobody knows which of the two is meant; silently learning from pictures kept for the test would be worst."""
    (folders / "both" / "train").mkdir(parents=True)
    (folders / "data").rename(folders / "both" / "train" / "all")
    for colour in COLOURS:
        (folders / "both" / "train" / "all" / colour).rename(folders / "both" / "train" / colour)
        paint(folders / "both" / "test" / colour / "9.png", colour, size=70)

    with pytest.raises(TwoTestSets, match=r"2 of its pictures, the first is test/green/9\.png") as caught:
        read(folders, data=folders / "both")

    assert caught.value.exit_code == 2


def test_splits_that_the_test_set_gives_are_not_heeded_and_that_is_said(folders: Path) -> None:
    for colour in COLOURS:
        paint(folders / "split" / "train" / colour / "8.png", colour, size=80)
        paint(folders / "split" / "test" / colour / "9.png", colour, size=81)
    progress = Quiet()

    manifest = read(folders, progress, test=folders / "split")

    assert all(sample.split == "test" for sample in manifest.samples if manifest.is_test(sample.name))
    assert any("2 pictures of the test set are given to train" in said for said in progress.said)


@pytest.mark.parametrize("broken", ["data", "held"])
def test_bad_files_count_among_those_of_their_own_set(folders: Path, broken: str) -> None:
    """One of seven is more than 10 %, though of all thirteen pictures it is less."""
    (folders / broken / "red" / "gone.png").symlink_to(folders / "nowhere.png")

    with pytest.raises(TooManyUnusable, match="1 of 7 pictures"):
        read(folders)

    assert len(read(folders, max_bad=0.15).samples) == 12


def test_contradictions_count_among_those_of_their_own_set(folders: Path) -> None:
    for colour in COLOURS:
        paint(folders / "held" / colour / "odd.png", "blue", size=90)

    with pytest.raises(ConflictingLabels, match=r"2 of 8 pictures .*test:green/odd\.png"):
        read(folders)


def test_what_two_sets_label_differently_contradicts_neither(folders: Path) -> None:
    """The test picture stays; the other one is a twin, which is told once pictures have been compared."""
    paint(folders / "data" / "red" / "odd.png", "blue", size=90)
    paint(folders / "held" / "green" / "odd.png", "blue", size=90)

    assert examine_manifest(read(folders)).conflicts == ()


def test_pictures_to_learn_from_are_counted_without_the_test_set(folders: Path) -> None:
    """Three test pictures of a label do not make up for the one that could be learned from."""
    manifest = read(folders).without(["red/0.png", "red/1.png"])

    with pytest.raises(Exception, match="'red' has 1"):
        audit_manifest(manifest)


def test_a_table_says_its_own_labels_whatever_the_rule_of_data(folders: Path) -> None:
    table = folders / "held.csv"
    table.write_text("path,label\n" + "".join(f"held/red/{number}.png,green\n" for number in range(3)))

    manifest = read(folders, test=table, labels="folder")

    assert {sample.label for sample in manifest.samples if manifest.is_test(sample.name)} == {"green"}
    with pytest.raises(LabelsFromDataTable):
        read(folders, test=table, test_labels="folder")


def test_the_test_set_may_be_an_archive(folders: Path) -> None:
    archive = shutil.make_archive(str(folders / "held"), "zip", folders, "held")

    manifest = read(folders, test=archive)

    assert sum(sample.split == "test" for sample in manifest.samples) == 6
    assert manifest.digest == read(folders).digest


def test_the_test_set_may_have_a_rule_of_labels_by_itself(folders: Path) -> None:
    for colour in COLOURS:
        for number in range(3):
            paint(folders / "flat" / f"{colour}_{number}.png", colour, size=50 + number)

    assert len(read(folders, test=folders / "flat", labels="folder", test_labels="prefix").samples) == 12


def test_groups_go_by_the_same_words_in_both_sets(folders: Path) -> None:
    paint(folders / "data" / "red" / "anna_1.png", "red", size=60)
    paint(folders / "held" / "red" / "anna_2.png", "red", size=61)

    groups = {sample.name: sample.group for sample in read(folders, group_by="(anna|/[012])").samples}

    assert groups["red/anna_1.png"] == groups["test:red/anna_2.png"] == "anna"


def test_a_test_set_may_be_a_single_group(folders: Path) -> None:
    """A test set of one patient is a test set; all pictures of one patient could not be split."""
    for colour in COLOURS:
        paint(folders / "patient" / colour / "anna.png", colour, size=60)

    manifest = read(folders, test=folders / "patient", group_by="(anna|/[012])")

    assert {sample.group for sample in manifest.samples if manifest.is_test(sample.name)} == {"anna"}


def test_a_test_set_without_the_column_of_groups_is_used_and_that_is_said(folders: Path) -> None:
    rows = [f"data/{colour}/{number}.png,{colour},{number}" for colour in COLOURS for number in range(3)]
    (folders / "data.csv").write_text("path,label,patient\n" + "\n".join(rows))
    progress = Quiet()

    manifest = read(folders, progress, data=folders / "data.csv", group_by="column:patient")

    assert len(manifest.samples) == 12
    assert any("Of the test set no groups are known" in warning for warning in progress.warnings)


def test_what_was_to_be_tested_on_is_learned_from_and_the_test_set_never_is(folders: Path) -> None:
    settled = settle_shares(settings(folders, split="0.6,0.4,0", final_fit="all"))
    by_default = settle_shares(settings(folders))
    without = settings(folders, test=None)

    assert (settled.split, settled.final_fit) == ((0.6, 0.4, 0.0), "train")
    assert by_default.split == (0.85, 0.15, 0.0)
    assert settle_shares(without) is without


def test_a_share_to_test_on_beside_a_test_set_is_refused(folders: Path) -> None:
    with pytest.raises(ValueError, match=r"--split: a share of 0\.2 to test on, but --test names"):
        settings(folders, split="0.6,0.2,0.2")


def test_labels_of_a_test_set_that_is_not_named_are_refused(folders: Path) -> None:
    with pytest.raises(ValueError, match="name that with --test"):
        settings(folders, test=None, test_labels="folder")


def test_mlnets_fraction_is_one_of_all_pictures_to_learn_from(folders: Path) -> None:
    file = folders / "options.json"
    file.write_text("{}")

    taken = with_mlnet_options(settings(folders, mlnet_options=file), Quiet())

    assert taken.split == pytest.approx((0.9, 0.1, 0.0))


def earlier_run(folders: Path, **recorded: object) -> Earlier:
    bundle = publish_tiny(folders / "models")
    fields = bundle.metadata.model_dump() | {"settings": recorded}
    return Earlier(type(bundle)(bundle.path, type(bundle.metadata).model_validate(fields)), {})


def test_a_run_with_a_test_set_is_not_repeated_without_one(folders: Path) -> None:
    """Its numbers would be others, on pictures that its head learned from."""
    earlier = earlier_run(folders, split=[0.85, 0.15, 0.0], **{NAMED_TEST: True})

    with pytest.raises(ReplayRefused, match="--test"):
        earlier.settings(TrainSettings.model_validate({"data": folders / "data", "from": earlier.bundle.path}))


def test_a_run_can_be_repeated_with_a_test_set_that_it_did_not_have(folders: Path) -> None:
    earlier = earlier_run(folders, split=[0.7, 0.15, 0.15])
    values = {"data": folders / "data", "test": folders / "held", "from": earlier.bundle.path}
    _, validation, _ = earlier.bundle.metadata.split.shares

    merged = earlier.settings(TrainSettings.model_validate(values))

    assert merged.split == pytest.approx((1 - validation, validation, 0.0))


def test_the_audit_reads_it_too(folders: Path) -> None:
    values = {"data": folders / "data", "test": folders / "held", "cache_dir": folders / "cache"}
    asked = AuditSettings.model_validate(values)
    data = read(folders, test=None)

    assert with_test_set(data, asked, Quiet()).parts == (False, True)
    assert with_test_set(data, asked.model_copy(update={"test": None}), Quiet()) is data
