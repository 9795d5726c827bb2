"""trainer/data_source.py: an archive is unpacked once, whole or not at all, and read as the folder that it holds."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.lock import locked, locked_folder
from tests.trainer.test_archives import add_to_tar, write_tar, write_zip
from tests.trainer.tiny_bundle import paint, publish_tiny
from trainer.__main__ import main
from trainer.cache_pruning import plan_removals, remove
from trainer.data_folder import list_data
from trainer.data_source import local_data
from trainer.errors import BadData
from trainer.errors.caches import CacheNotWritable
from trainer.errors.manifest import DataMissing
from trainer.errors.sources import ArchiveDamaged, DataUnreachable, UnsafeRow
from trainer.manifest import read_manifest
from trainer.predicting import predict
from trainer.progress import Phase, Progress, Quiet, Stretch
from trainer.settings import PredictSettings, TrainSettings


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """Two reds and two greens, in class folders."""
    for number in range(2):
        for colour in ("red", "green"):
            paint(tmp_path / "drawn" / colour / f"{number}.png", colour, size=20 + number)
    return {
        path.relative_to(tmp_path / "drawn").as_posix(): path.read_bytes()
        for path in sorted((tmp_path / "drawn").rglob("*.png"))
    }


def read(data: Path | str, tmp_path: Path, progress: Progress | None = None) -> list[tuple[str, str]]:
    manifest = read_manifest(data, cache_dir=tmp_path / "cache", progress=progress)
    return [(sample.name, sample.label) for sample in manifest.samples]


EXPECTED = [("green/0.png", "green"), ("green/1.png", "green"), ("red/0.png", "red"), ("red/1.png", "red")]


def test_an_archive_is_read_like_the_folder_in_it(tmp_path: Path, files: dict[str, bytes]) -> None:
    archive = write_zip(tmp_path / "Colours.ZIP", files)

    assert read(archive, tmp_path) == EXPECTED
    assert read(f"file://{archive}", tmp_path) == EXPECTED
    assert TrainSettings(data=str(archive)).model_name == "colours"


def test_a_table_in_an_archive_gives_the_labels_in_a_folder_or_not(tmp_path: Path, files: dict[str, bytes]) -> None:
    named = {f"{number:03d}.png": data for number, data in enumerate(files.values())}
    named["tags.tsv"] = b"000.png\tG\n001.png\tG\n002.png\tR\n003.png\tR\n"
    labels = [("000.png", "G"), ("001.png", "G"), ("002.png", "R"), ("003.png", "R")]

    assert read(write_tar(tmp_path / "flat.tgz", named, "w:gz"), tmp_path) == labels
    inside = write_zip(tmp_path / "inside.zip", {f"photos/{name}": data for name, data in named.items()})
    assert read(inside, tmp_path) == [(f"photos/{name}", label) for name, label in labels]


def test_a_second_run_unpacks_nothing_and_a_changed_archive_is_unpacked_anew(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    archive = write_zip(tmp_path / "a.zip", files)
    first, second, third = Quiet(), Quiet(), Quiet()
    read(archive, tmp_path, first)
    shutil.copy(archive, tmp_path / "copy.zip")

    assert read(tmp_path / "copy.zip", tmp_path, second) == EXPECTED
    files.pop("red/1.png")
    assert read(write_zip(archive, files), tmp_path, third) == EXPECTED[:3]

    assert [[name for name, _ in one.phases].count("unpack") for one in (first, second, third)] == [1, 0, 1]


def test_what_is_no_file_in_an_archive_is_named_at_every_run(tmp_path: Path, files: dict[str, bytes]) -> None:
    archive = add_to_tar(write_tar(tmp_path / "a.tar", files), b"2", "red/passwords", "/etc/passwd")

    for _ in range(2):
        manifest = read_manifest(archive, cache_dir=tmp_path / "cache")
        assert ("red/passwords", "neither a file nor a folder") in [
            (one.name, one.reason) for one in manifest.passed_over
        ]


def test_a_damaged_archive_leaves_nothing_behind(tmp_path: Path, files: dict[str, bytes]) -> None:
    archive = write_tar(tmp_path / "a.tar", files)
    archive.write_bytes(archive.read_bytes()[:-11_000])

    with pytest.raises(ArchiveDamaged):
        read(archive, tmp_path)

    assert [path for path in (tmp_path / "cache" / "data").iterdir() if path.is_dir()] == []


class Killed(BaseException):
    """What no cleaning up is done after."""


class KilledWhileUnpacking:
    """A display at which the program ends, as by SIGKILL, when the first bytes are unpacked."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def phase(self, stretch: Stretch) -> "KilledWhileUnpacking":
        self.stretch = stretch
        return self

    def __enter__(self) -> Phase:
        def show(_done: int) -> None:
            if self.stretch.name == "unpack":
                for folder in self.data.glob(".staging-*"):  # a kill would leave it
                    shutil.copytree(folder, self.data / ".staging-killed", dirs_exist_ok=True)
                raise Killed

        return Phase(show)

    def __exit__(self, *_details: object) -> None:
        pass

    def say(self, event: object, text: str, fields: object) -> None:
        pass


def test_what_a_killed_run_unpacked_is_not_trusted_and_removed(tmp_path: Path, files: dict[str, bytes]) -> None:
    archive, data = write_zip(tmp_path / "a.zip", files), tmp_path / "cache" / "data"
    with pytest.raises(Killed):
        read(archive, tmp_path, Progress(KilledWhileUnpacking(data)))
    assert (data / ".staging-killed").is_dir()

    assert read(archive, tmp_path) == EXPECTED
    assert not list(data.glob(".staging-*"))


def test_an_archive_without_pictures_and_one_that_is_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no pictures here"):
        read(write_zip(tmp_path / "a.zip", {"readme.txt": b"hello"}), tmp_path)
    with pytest.raises(DataMissing):
        read(tmp_path / "gone.zip", tmp_path)


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, files: dict[str, bytes]) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "data").write_text("a file")

    with pytest.raises(CacheNotWritable, match="--cache-dir"):
        read(write_zip(tmp_path / "a.zip", files), tmp_path)


def test_predictions_of_an_archive_are_named_as_in_it(tmp_path: Path, files: dict[str, bytes]) -> None:
    bundle, archive = publish_tiny(tmp_path / "models"), write_zip(tmp_path / "a.zip", files)
    values = {"bundle": bundle.path, "paths": [archive], "threads": 1, "provider": "cpu"}

    def predicted() -> Iterator[tuple[str, str | None]]:
        settings = PredictSettings.model_validate(values | {"cache_dir": tmp_path / "cache"})
        return ((one.name, one.label) for one in predict(settings, Quiet()))

    assert list(predicted()) == [(f"{archive}/{name}", label) for name, label in EXPECTED]


def test_the_cache_verb_knows_what_was_unpacked(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    archive, cache_dir = write_zip(tmp_path / "a.zip", files), tmp_path / "cache"
    read(archive, tmp_path)

    assert main(["cache", "list", "--json", "--cache-dir", str(cache_dir)]) == 0
    (entry,) = [one for one in json.loads(capsys.readouterr().out)["entries"] if one["kind"] == "data"]
    assert entry["description"]["data"] == str(archive)
    assert entry["size_bytes"] >= sum(map(len, files.values()))

    assert main(["cache", "verify", "--cache-dir", str(cache_dir)]) == 0
    assert main(["cache", "prune", "--fingerprint", entry["fingerprint"], "--cache-dir", str(cache_dir)]) == 0
    assert not Path(entry["path"]).exists()
    assert read(archive, tmp_path) == EXPECTED


def test_two_runs_at_once_find_the_same(tmp_path: Path, files: dict[str, bytes]) -> None:
    """Whoever is later finds the place taken, and takes what is there."""
    archive, cache_dir = write_zip(tmp_path / "a.zip", files), tmp_path / "cache"

    class Meanwhile(Quiet):
        def phase(self, name: str, *rest: object, **more: object):  # type: ignore[no-untyped-def]
            if name == "unpack":
                local_data(str(archive), cache_dir=cache_dir, progress=Quiet())
            return super().phase(name, *rest, **more)  # type: ignore[arg-type]

    assert read(archive, tmp_path, Meanwhile()) == EXPECTED
    assert not list((cache_dir / "data").glob(".staging-*"))


def unpacked_red(tmp_path: Path) -> Path:
    (folder,) = (path for path in (tmp_path / "cache" / "data").glob("*/*/red") if path.is_dir())
    return folder


def lose_a_picture(home: Path) -> None:
    next(home.rglob("*.png")).unlink()


def cut_a_picture(home: Path) -> None:
    os.truncate(next(home.rglob("*.png")), 10)


def lose_the_list(home: Path) -> None:
    (home / "contents.json").unlink()


@pytest.mark.parametrize("damage", [lose_a_picture, cut_a_picture, lose_the_list])
def test_what_is_no_longer_whole_is_found_and_unpacked_again(
    tmp_path: Path, files: dict[str, bytes], damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of an archive would pass for all of it, and no run would ever unpack it again."""
    archive, cache_dir = write_zip(tmp_path / "a.zip", files), tmp_path / "cache"
    read(archive, tmp_path)
    damage(unpacked_red(tmp_path).parents[1])

    assert main(["cache", "verify", "--cache-dir", str(cache_dir)]) == 3
    assert "gone" in capsys.readouterr().out
    assert read(archive, tmp_path) == EXPECTED
    assert main(["cache", "verify", "--cache-dir", str(cache_dir)]) == 0
    assert not list((cache_dir / "data").glob(".staging-*"))


def test_prune_removes_what_is_no_longer_whole(tmp_path: Path, files: dict[str, bytes]) -> None:
    read(write_zip(tmp_path / "a.zip", files), tmp_path)
    home = unpacked_red(tmp_path).parents[1]
    lose_a_picture(home)

    assert main(["cache", "prune", "--cache-dir", str(tmp_path / "cache")]) == 0

    assert not home.exists()


def test_a_prune_that_is_killed_half_way_leaves_nothing_that_a_run_would_take(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    archive, cache_dir = write_zip(tmp_path / "a.zip", files), tmp_path / "cache"
    read(archive, tmp_path)
    home = unpacked_red(tmp_path).parents[1]

    def killed(folder: Path) -> None:
        lose_a_picture(folder)
        raise Killed

    with pytest.raises(Killed):
        remove(plan_removals(cache_dir, fingerprint=home.name), cache_dir, remove_folder=killed)

    assert (home.exists(), list_data(cache_dir)) == (False, [])
    assert read(archive, tmp_path) == EXPECTED
    assert not list((cache_dir / "data").glob(".staging-*"))


@pytest.mark.parametrize("spelling", ["{absolute}", "../../../../private/id.png", "..\\..\\..\\..\\private\\id.png"])
def test_a_table_in_an_archive_cannot_list_files_of_this_machine(
    tmp_path: Path, files: dict[str, bytes], spelling: str
) -> None:
    """They would be learned, named in the report, and shown in it."""
    private = paint(tmp_path / "private" / "id.png", "red", size=30)
    rows = [f"{name},{name.split('/')[0]}" for name in files]
    rows.append(f"{spelling.format(absolute=private)},red")
    table = "path,label\n" + "\n".join(rows)
    archive = write_zip(tmp_path / "a.zip", files | {"labels.csv": table.encode()})

    with pytest.raises(UnsafeRow, match=r"id\.png, which did not come with it"):
        read_manifest(archive, labels="labels.csv", cache_dir=tmp_path / "cache")


def test_a_table_of_the_users_own_may_list_what_it_will(tmp_path: Path, files: dict[str, bytes]) -> None:
    archive, own = write_zip(tmp_path / "a.zip", files), tmp_path / "own.csv"
    other = paint(tmp_path / "other" / "2.png", "red", size=30)
    own.write_text("path,label\nred/0.png,R\ngreen/0.png,G\n" + f"{other},R\n")

    manifest = read_manifest(archive, labels=str(own), cache_dir=tmp_path / "cache")

    assert sorted(sample.label for sample in manifest.samples) == ["G", "R", "R"]


def test_a_file_address_that_names_a_machine_is_refused(tmp_path: Path) -> None:
    """Instead of reading /flowers, which nobody named."""
    with pytest.raises(DataUnreachable, match="it names the machine 'data'; expected file:///"):
        read("file://data/flowers", tmp_path)


def test_what_killed_runs_left_is_seen_and_pruned_and_nothing_that_is_still_used(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    cache_dir, data = tmp_path / "cache", tmp_path / "cache" / "data"
    read(write_zip(tmp_path / "a.zip", files), tmp_path)
    digest = unpacked_red(tmp_path).parents[1].name
    left = [data / ".staging-1", data / "elsewhere" / "b" / ".fetching-1", data / "elsewhere" / "c.json"]
    kept = [data / ".staging-2", data / "elsewhere" / "d" / ".fetching-2", data / "elsewhere" / "e.json"]
    for folder, fetched, note in (left, kept):
        for place in (folder, fetched.parent):
            place.mkdir(parents=True)
        (folder / "half").write_bytes(b"12345")
        fetched.write_bytes(b"123")
        note.write_text(json.dumps({"state": "x", "digest": digest if note == kept[2] else "0" * 64}))
    command = ["--json", "--cache-dir", str(cache_dir)]

    note_bytes = left[2].stat().st_size
    with locked_folder(kept[0]), locked(kept[1].parent / ".lock", wait_s=0):
        main(["cache", "list", *command])
        listed = json.loads(capsys.readouterr().out)
        main(["cache", "prune", *command])
        pruned = json.loads(capsys.readouterr().out)["removed"]

    assert listed["unfinished"] == 3
    assert {one["path"]: one["size_bytes"] for one in pruned} == {
        str(path): size for path, size in zip(left, (5, 3, note_bytes), strict=True)
    }
    assert not any(path.exists() for path in left) and all(path.exists() for path in kept)
    assert read(tmp_path / "a.zip", tmp_path) == EXPECTED
