"""trainer/manifest.py with label_choice.py, readings.py and hashing.py: from a folder of pictures to samples."""

import os
from collections import Counter
from pathlib import Path

import pytest

from shared.files import sha256_of
from trainer.errors import BadData, UsageError
from trainer.errors.manifest import (
    DataMissing,
    LabelNotPrintable,
    LabelsAmbiguous,
    LabelsFromDataTable,
    LabelsNotFound,
    LabelTableInvalid,
    NoPictures,
    TooManyMissing,
)
from trainer.manifest import Manifest, read_manifest
from trainer.progress import Quiet


def picture(content: str) -> bytes:
    return b"\xff\xd8\xff" + content.encode()


def write(folder: Path, *names: str) -> Path:
    """Pictures of these names, each of its own content."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(name))
    return folder


def read(
    data: Path, labels: str = "auto", *, max_missing: float = 0.1, rehash: bool = False, progress: Quiet | None = None
) -> Manifest:
    cache_dir = data.parent / f"cache of {data.name}"
    return read_manifest(
        data, labels=labels, cache_dir=cache_dir, max_missing=max_missing, rehash=rehash, progress=progress
    )


def labels_by_name(manifest: Manifest) -> dict[str, str]:
    return {sample.name: sample.label for sample in manifest.samples}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_class_folders_give_the_labels(data: Path) -> None:
    write(data, "dog/b.jpg", "cat/a.jpg", "dog/a.png")

    manifest = read(data)

    assert labels_by_name(manifest) == {"cat/a.jpg": "cat", "dog/a.png": "dog", "dog/b.jpg": "dog"}
    assert manifest.labels == ("cat", "dog")
    assert manifest.labels_from == "folder names (guessed: the pictures lie in class folders)"
    first = manifest.samples[0]
    assert (first.path, first.split) == (data / "cat/a.jpg", None)
    assert first.digest == sha256_of(picture("cat/a.jpg"))


def test_letters_at_the_start_of_file_names_give_the_labels(data: Path) -> None:
    write(data, "cat.0.jpg", "cat.12.jpg", "dog.0.jpg", "dog.7.jpg")

    manifest = read(data)

    assert manifest.labels == ("cat", "dog")
    assert "the first letters of file names (guessed" in manifest.labels_from


def test_a_table_in_the_folder_gives_the_labels_though_names_start_with_letters(data: Path) -> None:
    """As in ML.NET's tutorial: a table is the word of a person."""
    write(data, "pizza.jpg", "pizza2.jpg", "teddy.jpg", "teddy2.jpg", "toaster.jpg", "unlisted.jpg")
    (data / "tags.tsv").write_text("pizza.jpg\tfood\t \npizza2.jpg\tfood\nteddy.jpg\ttoy\nteddy2.jpg\tsoft toy\n")

    manifest = read(data)

    assert manifest.labels == ("food", "soft toy", "toy")
    assert manifest.labels_from == "the table tags.tsv (guessed: it is the only table of labels in the folder)"
    assert [(one.name, one.reason) for one in manifest.passed_over] == [
        ("toaster.jpg", "not listed in tags.tsv"),
        ("unlisted.jpg", "not listed in tags.tsv"),
    ]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("folder", {"day", "night"}),
        ("prefix", {"cat", "dog"}),
        ("tags.csv", {"pet"}),
    ],
)
def test_what_is_asked_for_is_done(data: Path, labels: str, expected: set[str]) -> None:
    write(data, "day/cat.1.jpg", "day/dog.1.jpg", "night/cat.2.jpg", "night/dog.2.jpg")
    (data / "tags.csv").write_text("day/cat.1.jpg,pet\n")

    manifest = read(data, labels)

    assert set(manifest.labels) == expected
    assert "guessed" not in manifest.labels_from
    assert "--labels" in manifest.labels_from


def test_folders_named_after_splits_give_the_splits(data: Path) -> None:
    write(data, "train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg", "validation/dog/2.jpg", "test/cat/3.jpg")

    manifest = read(data)

    assert manifest.labels == ("cat", "dog")
    assert [sample.split for sample in manifest.samples] == ["test", "train", "train", "validation", "validation"]


def test_a_table_gives_splits_in_a_column_or_by_the_folders_it_names(data: Path) -> None:
    write(data, "train/1.jpg", "train/2.jpg", "test/3.jpg")
    rows = "train/1.jpg,cat{0}\ntrain/2.jpg,dog{1}\ntest/3.jpg,cat{1}\n"
    table = data / "labels.csv"

    table.write_text(rows.format("", ""))
    by_folder = [sample.split for sample in read(data).samples]
    table.write_text(rows.format(",test", ""))
    by_column = [sample.split for sample in read(data).samples]

    assert by_folder == ["test", "train", "train"]
    assert by_column == [None, "test", None]


def test_rows_whose_file_is_missing_are_named_and_not_fatal_below_the_limit(data: Path) -> None:
    write(data, *(f"{number}.jpg" for number in range(19)))
    (data / "tags.tsv").write_text("".join(f"{number}.jpg\tlabel{number % 2}\n" for number in range(20)))

    manifest = read(data)

    assert manifest.missing == ("19.jpg",)
    assert len(manifest.samples) == 19
    with pytest.raises(TooManyMissing, match=r"1 of 20 rows .*19\.jpg"):
        read(data, max_missing=0.04)


def test_a_table_may_stand_for_the_data(tmp_path: Path) -> None:
    write(tmp_path, "lists/a.jpg", "pictures/b.jpg")
    table = tmp_path / "lists" / "all.csv"
    table.write_text(f"path,label\na.jpg,cat\n../pictures/b.jpg,dog\n{tmp_path / 'lists' / 'a.jpg'},cat\n")

    manifest = read(table)

    assert labels_by_name(manifest) == {"a.jpg": "cat", "../pictures/b.jpg": "dog"}
    assert manifest.labels_from == "the table all.csv"
    with pytest.raises(LabelsFromDataTable):
        read(table, "folder")


def test_a_table_elsewhere_names_pictures_in_the_data_folder(tmp_path: Path, data: Path) -> None:
    write(data, "sub/a.jpg", "sub/b.jpg")
    table = tmp_path / "my labels.txt"
    table.write_text("sub\\a.jpg\tcat\n./sub/b.jpg\tdog\n")

    assert labels_by_name(read(data, str(table))) == {"sub/a.jpg": "cat", "sub/b.jpg": "dog"}


def test_a_row_that_is_there_twice_counts_once_and_may_not_contradict_itself(data: Path) -> None:
    write(data, "a.jpg", "b.jpg")
    table = data / "tags.csv"

    table.write_text("a.jpg,cat\nb.jpg,dog\n./a.jpg,cat\n")
    assert len(read(data).samples) == 2

    table.write_text("a.jpg,cat\nb.jpg,dog\n./a.jpg,dog\n")
    with pytest.raises(LabelTableInvalid, match=r"line 3: \./a\.jpg is 'dog' here, but 'cat' on line 1"):
        read(data, "tags.csv")


def test_a_listed_picture_without_a_label_is_passed_over(data: Path) -> None:
    write(data, "a.jpg", "b.jpg", "c.jpg")
    (data / "tags.csv").write_text("path,label\na.jpg,cat\nb.jpg,dog\nc.jpg,\n")

    (passed_over,) = read(data).passed_over

    assert (passed_over.name, passed_over.reason) == ("c.jpg", "line 4 of tags.csv gives it no label")


def test_a_listed_file_counts_whatever_its_bytes(data: Path) -> None:
    """It is called unreadable later; passing it over would hide it."""
    write(data, "a.jpg")
    (data / "b.dat").write_text("text")
    (data / "tags.csv").write_text("a.jpg,cat\nb.dat,dog\n")

    assert set(labels_by_name(read(data))) == {"a.jpg", "b.dat"}


def test_a_picture_that_cannot_be_opened_keeps_its_label_and_is_named_as_unreadable(data: Path) -> None:
    """A whole class may be behind a disk that is not there; it must not vanish without a word."""
    write(data, "cat/1.jpg", "cat/2.jpg", "dog/1.jpg")
    for name in ("dog/2.jpg", "cow/1.jpg"):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).symlink_to(data / "gone.jpg")

    manifest = read(data)

    assert [one.name for one in manifest.samples] == ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg"]
    assert manifest.labels == ("cat", "cow", "dog")
    assert [one.name for one in manifest.unreadable] == ["cow/1.jpg", "dog/2.jpg"]
    assert manifest.unreadable[0].reason == "cannot be read (No such file or directory)"
    assert (manifest.passed_over, manifest.missing) == ((), ())


def test_a_listed_picture_that_cannot_be_opened_is_unreadable_not_missing(data: Path) -> None:
    write(data, "a.jpg", "b.jpg")
    (data / "c.jpg").symlink_to(data / "gone.jpg")
    (data / "tags.csv").write_text("a.jpg,cat\nb.jpg,dog\nc.jpg,cow\n")

    manifest = read(data)

    assert [one.name for one in manifest.unreadable] == ["c.jpg"]
    assert (manifest.labels, manifest.passed_over, manifest.missing) == (("cat", "cow", "dog"), (), ())


def test_two_tables_are_ambiguous_and_both_are_named(data: Path) -> None:
    write(data, "a.jpg", "b.jpg")
    for name in ("tags.tsv", "test tags.tsv"):
        (data / name).write_text("a.jpg\tcat\nb.jpg\tdog\n")

    with pytest.raises(LabelsAmbiguous) as caught:
        read(data)

    assert f"--labels {data / 'tags.tsv'} for the table tags.tsv (cat, dog)" in str(caught.value)
    assert f"--labels '{data / 'test tags.tsv'}'" in str(caught.value)
    assert read(data, "tags.tsv").labels == ("cat", "dog")


def test_a_table_that_contradicts_the_class_folders_is_ambiguous(data: Path) -> None:
    write(data, "left/1.jpg", "right/2.jpg")
    table = data / "labels.csv"

    table.write_text("left/1.jpg,cat\nright/2.jpg,dog\n")
    with pytest.raises(LabelsAmbiguous, match=r"labels\.csv.*--labels folder"):
        read(data)

    table.write_text("left/1.jpg,left\nright/2.jpg,right\n")
    assert read(data).labels == ("left", "right")


@pytest.mark.parametrize(
    "header",
    [
        "file,label,score,novelty,unfamiliar,actual,problem",
        "file,label,score,actual,problem",
        '\ufeff"file";label;score;actual;problem\r',
    ],
)
def test_predictions_are_not_learned_as_labels_unless_asked_for(data: Path, header: str) -> None:
    """`predict --out` may well write beside the pictures; the next training must not believe what the last guessed."""
    write(data, "cat.1.jpg", "cat.2.jpg", "dog.1.jpg", "dog.2.jpg")
    rows = [f"{name},cow,0.9,," for name in ("cat.1.jpg", "cat.2.jpg", "dog.1.jpg", "dog.2.jpg")]
    lines = [header, *(row.replace(",", ";") if ";" in header else row for row in rows)]
    (data / "predictions.csv").write_text("\n".join(lines))

    manifest = read(data)

    assert manifest.labels == ("cat", "dog")
    assert [one.name for one in manifest.passed_over if "predictions of a bundle" in one.reason] == ["predictions.csv"]
    assert read(data, "predictions.csv").labels == ("cow",)


def test_a_table_that_labels_nothing_is_not_offered_as_a_choice(data: Path) -> None:
    write(data, "left/1.jpg", "right/2.jpg")
    (data / "ev.csv").write_text("elsewhere/1.jpg,cat\nelsewhere/2.jpg,dog\n")

    with pytest.raises(LabelsAmbiguous, match=r"--labels folder .* away the table ev\.csv, which lists no") as caught:
        read(data)

    assert "ev.csv for" not in str(caught.value)


def test_a_table_about_something_else_is_passed_over(data: Path) -> None:
    write(data, "cat/1.jpg", "dog/2.jpg")
    (data / "sizes.csv").write_text("file,bytes,width,height\ncat/1.jpg,10,20,30\n")
    (data / "people.csv").write_text("Ann,painter\nBob,potter\n")
    (data / "corners.csv").write_text("cat/1.jpg,640,480\n")

    manifest = read(data)

    assert manifest.labels == ("cat", "dog")
    assert {one.name for one in manifest.passed_over} == {"sizes.csv", "people.csv", "corners.csv"}


def test_a_faulty_table_of_labels_is_not_passed_over_for_a_guess(data: Path) -> None:
    """File names would give other labels than the table that was written with care, but for one line."""
    write(data, "cat.1.jpg", "cat.2.jpg", "dog.1.jpg", "dog.2.jpg")
    (data / "tags.csv").write_text("cat.1.jpg,tame,train\ncat.2.jpg,wild,trian\ndog.1.jpg,wild,test\n")

    with pytest.raises(LabelTableInvalid, match=r"tags\.csv, line 2: unknown split 'trian'"):
        read(data)


def test_a_table_of_pictures_that_are_all_elsewhere_is_not_passed_over_either(data: Path) -> None:
    write(data, "cat.1.jpg", "cat.2.jpg", "dog.1.jpg", "dog.2.jpg")
    (data / "tags.csv").write_text("photos/1.jpg,tame\nphotos/2.jpg,wild\n")

    with pytest.raises(TooManyMissing, match="2 of 2 rows"):
        read(data)


def test_folders_within_class_folders_are_ambiguous(data: Path) -> None:
    write(data, "cat/indoor/1.jpg", "cat/outdoor/2.jpg", "dog/indoor/3.jpg", "dog/outdoor/4.jpg")

    with pytest.raises(LabelsAmbiguous, match=r"--labels folder .*indoor, outdoor.*--labels top-folder .*cat, dog"):
        read(data)

    assert read(data, "top-folder").labels == ("cat", "dog")
    assert read(data, "folder").labels == ("indoor", "outdoor")


def test_folders_that_hold_every_numbered_label_are_ambiguous(data: Path) -> None:
    write(data, *(f"{batch}/{label}.{number}.jpg" for batch in "ab" for label in ("cat", "dog") for number in (1, 2)))

    with pytest.raises(LabelsAmbiguous, match=r"--labels folder .*a, b.*--labels prefix .*cat, dog"):
        read(data)


def test_what_a_camera_calls_its_pictures_is_no_label(data: Path) -> None:
    for folder in ("roses/", "tulips/", ""):
        write(data, *(f"{folder}{name}_{number}.jpg" for name in ("IMG", "DSC") for number in (1, 2)))

    assert read(data).labels == ("roses", "tulips")
    with pytest.raises(LabelsNotFound):
        read(write(data.parent / "flat", "IMG_1.jpg", "IMG_2.jpg", "DSC_3.jpg", "DSC_4.jpg"))


def test_names_of_several_words_are_ambiguous_where_letters_would_merge_them(data: Path) -> None:
    write(data, *(f"{name}_{number}.jpg" for name in ("great_dane", "great_pyrenees", "pug") for number in (1, 2, 3)))

    with pytest.raises(LabelsAmbiguous, match=r"--labels prefix .*great, pug.*--labels prefix-words .*great_dane"):
        read(data)

    assert read(data, "prefix-words").labels == ("great_dane", "great_pyrenees", "pug")


def test_a_stray_picture_beside_class_folders_is_passed_over_by_name(data: Path) -> None:
    write(data, "cat/1.jpg", "dog/2.jpg", "preview.jpg")

    (passed_over,) = read(data).passed_over

    assert (passed_over.name, passed_over.reason) == ("preview.jpg", "lies in no class folder")


def test_one_class_folder_is_read_so_that_the_audit_can_say_what_is_missing(data: Path) -> None:
    assert read(write(data, "cat/1.jpg", "cat/2.jpg")).labels == ("cat",)


def test_pictures_that_say_nothing_are_refused_with_a_drawing_of_what_is_expected(data: Path) -> None:
    write(data, "1.jpg", "2.jpg")

    with pytest.raises(LabelsNotFound, match="nothing says which labels") as caught:
        read(data)

    assert "  data/\n    cat/   one.jpg  two.jpg\n" in str(caught.value)
    with pytest.raises(LabelsNotFound, match="no picture has a label from the first letters"):
        read(data, "prefix")


@pytest.mark.parametrize("labels", ["auto", "folder", "prefix"])
def test_an_empty_folder_is_bad_data_with_a_drawing_of_what_is_expected(data: Path, labels: str) -> None:
    with pytest.raises(NoPictures, match=r"no pictures here\. Expected one folder per label") as caught:
        read(data, labels)
    assert isinstance(caught.value, BadData)

    (data / "notes.txt").write_text("to do")
    with pytest.raises(NoPictures, match=r"only other files \(notes\.txt: not a picture\)"):
        read(data, labels)


@pytest.mark.slow
def test_twenty_thousand_pictures_of_one_class_are_no_trouble(data: Path) -> None:
    """They are read, hashed and remembered in seconds."""
    (data / "cat").mkdir()
    for block in range(2):  # a file may have 65,000 names; other bytes would only cost time
        first = data / "cat" / f"{block}.jpg"
        first.write_bytes(picture(str(block)))
        for number in range(10_000 - 1):
            os.link(first, data / "cat" / f"{block}-{number}.jpg")
    write(data, "dog/1.jpg")

    manifest = read(data)

    assert Counter(sample.label for sample in manifest.samples) == {"cat": 20_000, "dog": 1}
    assert len({sample.digest for sample in manifest.samples}) == 3


def test_what_does_not_exist_is_named(data: Path) -> None:
    write(data, "cat/1.jpg")

    with pytest.raises(DataMissing, match="no such file or folder") as caught:
        read(data / "nowhere")
    assert isinstance(caught.value, UsageError)
    with pytest.raises(DataMissing, match="choose one of auto, folder"):
        read(data, "folders")


def test_a_label_with_a_control_character_is_refused_before_any_work(data: Path) -> None:
    """A bundle cannot hold it, which would be learned at the very end."""
    write(data, "a\x01b/1.jpg", "cat/2.jpg")
    progress = Quiet()

    with pytest.raises(LabelNotPrintable, match=r"'a\\x01b/1\.jpg': .*from folder names.*rename the folder"):
        read(data, progress=progress)
    assert progress.phases == []

    (data / "tags.csv").write_text("a\x01b/1.jpg,cow\x7f\ncat/2.jpg,dog\n")
    with pytest.raises(LabelNotPrintable, match=r"'cow\\x7f', from the table tags\.csv.*mend the row"):
        read(data, "tags.csv")


def test_a_label_of_two_lines_is_one_of_one_line(data: Path) -> None:
    assert read(write(data, "a\nb/1.jpg", "cat/2.jpg")).labels == ("a b", "cat")


def test_one_label_typed_in_two_ways_is_one_class(data: Path) -> None:
    write(data, "caf\u00e9/1.jpg", "cafe\u0301/2.jpg", "bar/3.jpg")

    assert read(data).labels == ("bar", "caf\u00e9")


def test_a_second_run_reads_no_file_again(data: Path) -> None:
    write(data, "cat/1.jpg", "dog/2.jpg")
    age(data)
    first, second, third = Quiet(), Quiet(), Quiet()

    before = read(data, progress=first)
    after = read(data, progress=second)
    read(data, rehash=True, progress=third)

    assert before == after
    assert [one.phases for one in (first, second, third)] == [[("hash", 2)], [], [("hash", 2)]]


def test_a_changed_picture_has_another_digest_at_once(data: Path) -> None:
    write(data, "cat/1.jpg", "dog/2.jpg")
    age(data)
    before = read(data)
    (data / "cat/1.jpg").write_bytes(picture("cat/X.jpg"))
    progress = Quiet()

    after = read(data, progress=progress)

    assert after.samples[0].digest == sha256_of(picture("cat/X.jpg"))
    assert after.samples[1] == before.samples[1]
    assert progress.phases == [("hash", 1)]


def test_the_digest_of_a_manifest_depends_on_contents_labels_and_splits_alone(tmp_path: Path) -> None:
    here = write(tmp_path / "here", "cat/1.jpg", "dog/2.jpg")
    there = write(tmp_path / "there" / "photos", "cat/9.jpg", "dog/8.jpg")
    (there / "cat/9.jpg").write_bytes(picture("cat/1.jpg"))
    (there / "dog/8.jpg").write_bytes(picture("dog/2.jpg"))
    before = read(here).digest

    assert read(there.parent).digest == before
    (here / "dog").rename(here / "cow")
    assert read(here).digest != before
    (here / "cow").rename(here / "dog")
    (here / "train").mkdir()
    for label in ("cat", "dog"):
        (here / label).rename(here / "train" / label)
    assert read(here).digest != before


def test_samples_can_be_left_out_and_labels_stay(data: Path) -> None:
    """A class that lost all its pictures must not vanish without a word."""
    manifest = read(write(data, "cat/1.jpg", "cat/2.jpg", "dog/1.jpg"))

    rest = manifest.without({"cat/2.jpg", "dog/1.jpg", "never there"})

    assert [sample.name for sample in rest.samples] == ["cat/1.jpg"]
    assert rest.labels == ("cat", "dog")
    assert rest.digest != manifest.digest


def test_samples_can_be_kept_by_their_rows(data: Path) -> None:
    manifest = read(write(data, "cat/1.jpg", "cat/2.jpg", "dog/1.jpg"))

    kept = manifest.of_rows((0, 1))

    assert [sample.name for sample in kept.samples] == ["cat/1.jpg", "cat/2.jpg"]
    assert kept.labels == ("cat", "dog")


def age(folder: Path) -> None:
    """As if the files had been written an hour ago: what is just written may still change unseen."""
    for path in folder.rglob("*.jpg"):
        found = path.stat()
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns - 3600 * 10**9))


REAL = {
    "caltech101": (1515, 101, {None}),
    "cats-dogs": (502, 2, {None}),
    "cifar10": (4000, 10, {"train", "test"}),
    "flower-photos-small": (200, 5, {None}),
    "hymenoptera": (124, 2, {"train"}),
    "imagenet-samples": (50, 50, {None}),
    "mlnet-image-tags": (19, 6, {None}),
    "sdnet2018-decks": (200, 2, {None}),
    "sign-digits": (518, 10, {None}),
}


@pytest.mark.parametrize("name", REAL)
def test_real_folders_are_read_without_being_told_how(tmp_path: Path, shared_data: Path, name: str) -> None:
    count, label_count, splits = REAL[name]

    manifest = read_manifest(shared_data / "datasets" / name, cache_dir=tmp_path)

    assert len(manifest.samples) == count
    assert len(manifest.labels) == label_count
    assert {sample.split for sample in manifest.samples} == splits


def test_the_tables_of_the_ml_net_tutorial_have_to_be_named(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "datasets" / "mlnet-transferlearning-tf"

    with pytest.raises(LabelsAmbiguous, match=r"tags\.tsv.*test-tags\.tsv"):
        read_manifest(folder, cache_dir=tmp_path)
    trained = read_manifest(folder, labels=str(folder / "tags.tsv"), cache_dir=tmp_path)
    tested = read_manifest(folder, labels=str(folder / "test-tags.tsv"), cache_dir=tmp_path)

    assert Counter(sample.label for sample in trained.samples) == {"food": 3, "toy": 3, "appliance": 2}
    assert Counter(sample.label for sample in tested.samples) == {"food": 2, "toy": 1}


def test_the_missing_picture_of_an_ml_net_sample_is_named(tmp_path: Path, shared_data: Path) -> None:
    manifest = read_manifest(shared_data / "datasets" / "mlnet-image-tags", cache_dir=tmp_path)

    assert manifest.missing == ("coffeepot4.jpg",)
    assert "teddy bear" in manifest.labels
