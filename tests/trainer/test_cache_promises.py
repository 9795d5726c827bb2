"""DESIGN 4.3 from outside, for features and statistics alike: nothing twice, nothing stale, nothing half-written.

Content keys, moved, relabelled and edited pictures, other graphs and specs: tests/trainer/test_featurize.py.
Every byte of a part: test_feature_cache.py and test_statistics_cache.py. Here: whole runs in processes of their own
that are killed, meet each other, or find the disk full, and what a change of decoder means.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL
import pytest
from PIL import Image

from shared import decode
from shared.preprocess import PreprocessSpec
from tests.trainer.featurizing import Eventful, run
from trainer import fingerprint
from trainer.fingerprint import fingerprint_of, what_features_depend_on, what_statistics_depend_on
from trainer.part_file import list_parts

ROOT = Path(__file__).parents[2]
PICTURES, HALF = 600, 300
ROWS_PER_PART = 256


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More pictures than two parts hold; small, and no two alike."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(PICTURES):
        colours = (number % 256, number // 256 * 90, 7)
        Image.new("RGB", (9, 7), colours).save(folder / f"{number:03}.png", compress_level=1)
    return folder


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The rows that a run gives to which nothing happens."""
    return str(quiet_run(data, tmp_path_factory.mktemp("undisturbed"))["rows"])


def quiet_run(data: Path, cache: Path) -> dict[str, Any]:
    return run(data, cache, Eventful(kill_at=None, meet=None))


def start(data: Path, cache: Path, *options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.trainer.featurizing", *map(str, (data, cache, *options))]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def parts_of(cache: Path, what: str) -> list[Path]:
    return [part for folder in sorted((cache / what).iterdir()) for part in list_parts(folder)]


def temporary_files(cache: Path) -> list[Path]:
    return [path for path in cache.rglob(".*") if path.is_file() and path.name != ".compaction-lock"]


def test_a_run_that_is_killed_half_way_loses_at_most_one_part_of_each(
    data: Path, undisturbed: str, tmp_path: Path
) -> None:
    process = start(data, tmp_path, "--kill-at", HALF)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL

    found = quiet_run(data, tmp_path)

    assert (found["from_cache"], found["featurized"]) == (ROWS_PER_PART, PICTURES - ROWS_PER_PART)
    assert (found["warnings"], found["rows"]) == ([], undisturbed)


def test_two_runs_at_once_over_the_same_pictures_give_the_same_and_disturb_no_third(
    data: Path, undisturbed: str, tmp_path: Path
) -> None:
    """Each waits at its first picture until the other is there, so both compute everything."""
    one, other = tmp_path / "one", tmp_path / "other"
    runs = [start(data, tmp_path / "cache", "--meet", *meeting) for meeting in ((one, other), (other, one))]
    found = [json.loads(process.communicate(timeout=120)[0]) for process in runs]

    third = quiet_run(data, tmp_path / "cache")

    assert [one["featurized"] for one in found] == [PICTURES, PICTURES]
    assert [one["rows"] for one in (*found, third)] == [undisturbed] * 3
    assert (third["featurized"], third["warnings"], temporary_files(tmp_path / "cache")) == (0, [], [])


@pytest.mark.parametrize("what", ["features", "statistics"])
def test_a_flipped_byte_costs_the_part_it_is_in_and_is_told(
    data: Path, undisturbed: str, tmp_path: Path, what: str
) -> None:
    quiet_run(data, tmp_path)
    part = parts_of(tmp_path, what)[0]
    damaged = bytearray(part.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    part.write_bytes(damaged)

    found = quiet_run(data, tmp_path)

    assert found["rows"] == undisturbed
    assert len(found["warnings"]) == 1 and part.name in found["warnings"][0]
    assert found["featurized"] == (0 if what == "statistics" else PICTURES - found["from_cache"])
    assert quiet_run(data, tmp_path)["warnings"] == []


# --- a full disk ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB: a part of features fits, one of statistics does not."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = os.geteuid() == 0 and _run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place)
    if not mounted:
        pytest.skip("only root of a machine that lets it may mount a small disk; the limit on files is tested instead")
    yield place
    assert _run("umount", place)


def _run(*command: object) -> bool:
    return subprocess.run([str(one) for one in command], capture_output=True, check=False).returncode == 0


def test_a_full_disk_is_an_error_in_a_sentence_and_what_was_stored_stays_good(
    data: Path, undisturbed: str, small_disk: Path
) -> None:
    process = start(data, small_disk / "cache")
    _, said = process.communicate(timeout=120)

    assert process.returncode == 1
    assert said.startswith("CacheNotWritable: ") and "No space left on device" in said and "--cache-dir" in said
    assert temporary_files(small_disk) == []
    assert _run("mount", "-o", "remount,size=16m", small_disk)
    found = quiet_run(data, small_disk / "cache")
    assert found["from_cache"] >= ROWS_PER_PART - 1
    assert (found["rows"], found["warnings"]) == (undisturbed, [])


def test_a_disk_that_takes_only_half_a_part_leaves_no_half_part(data: Path, undisturbed: str, tmp_path: Path) -> None:
    """Where no disk can be mounted, a limit on the size of a file stands for it."""
    process = start(data, tmp_path, "--file-limit", 100_000)
    _, said = process.communicate(timeout=120)

    assert process.returncode == 1
    assert said.startswith("CacheNotWritable: ") and "File too large" in said
    assert temporary_files(tmp_path) == []
    found = quiet_run(data, tmp_path)
    assert (found["rows"], found["warnings"]) == (undisturbed, [])


# --- what a change of decoder, library or precision means ---


def fingerprints() -> tuple[str, str]:
    """Of features and of statistics."""
    features = what_features_depend_on(b"graph", PreprocessSpec(), engine="onnxruntime 1.31 CPUExecutionProvider")
    return fingerprint_of(features), fingerprint_of(what_statistics_depend_on(PreprocessSpec()))


@pytest.mark.parametrize(("revision", "kept"), [("DECODER_REVISION", ()), ("STATISTICS_REVISION", ("features",))])
def test_another_revision_of_what_made_them_makes_them_unknown(
    revision: str, kept: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(zip(("features", "statistics"), fingerprints(), strict=True))
    monkeypatch.setattr(fingerprint, revision, getattr(fingerprint, revision) + 1)

    after = dict(zip(("features", "statistics"), fingerprints(), strict=True))

    assert {name for name in before if before[name] == after[name]} == set(kept)


@pytest.mark.parametrize("name", ["pillow", "codecs", "decoder"])
def test_versions_of_pillow_and_its_codecs_belong_to_both(name: str) -> None:
    for what in (
        what_features_depend_on(b"graph", PreprocessSpec(), engine="engine"),
        what_statistics_depend_on(PreprocessSpec()),
    ):
        other = {**what, name: "another"}

        assert (what["pillow"], what["decoder"]) == (PIL.__version__, decode.DECODER_REVISION)
        assert what["codecs"]["jpg"] and what["codecs"]["zlib"] and what["codecs"]["webp"]
        assert fingerprint_of(other) != fingerprint_of(what)
