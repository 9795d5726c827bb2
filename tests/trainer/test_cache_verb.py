"""The `cache` verb: what is kept can be seen, checked and removed, and nothing else is."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.test_featurize import GRAPH, TINY_SPEC, sample_of, write_picture
from trainer.__main__ import main
from trainer.cache_contents import read_contents
from trainer.cache_description import describe
from trainer.cache_pruning import plan_removals
from trainer.featurize import featurize
from trainer.manifest import Sample
from trainer.progress import Quiet
from trainer.stat_cache import StatCache

DAY_S = 86400.0


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of every kind of thing: features and statistics of two specs, a graph, hashes."""
    samples = pictures(tmp_path)
    cache = tmp_path / "cache"
    featurize(samples, GRAPH, TINY_SPEC, cache_dir=cache, backbone="tiny")
    featurize(samples[:2], GRAPH, TINY_SPEC.model_copy(update={"resize": 30}), cache_dir=cache, backbone="tiny")
    (cache / "graphs").mkdir()
    (cache / "graphs" / graph_name(GRAPH)).write_bytes(GRAPH)
    stat = StatCache(cache, tmp_path / "data", warn=pytest.fail)
    for sample in samples:
        os.utime(sample.path, (time.time() - 100,) * 2)
        stat.remember(sample.path, sample.path.stat(), sample.digest)
    stat.save()
    return cache


def pictures(tmp_path: Path) -> list[Sample]:
    return [write_picture(tmp_path / "data" / f"{number}.png", 9 * number) for number in range(5)]


def graph_name(content: bytes) -> str:
    import hashlib

    return f"{'0' * 16}-{hashlib.sha256(content).hexdigest()}.onnx"


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """Exit code and the JSON on stdout of `cache ...`."""
    code = main(["cache", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def flip_a_byte(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    path.write_bytes(damaged)


def all_files(cache: Path) -> set[Path]:
    return {path for path in cache.rglob("*") if path.is_file()}


# --- list ---


def test_list_shows_everything_that_is_kept(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = run(capsys, "list", "--cache-dir", cache)

    entries = found["entries"]
    assert code == 0
    assert [one["kind"] for one in entries] == ["features"] * 2 + ["statistics"] * 2 + ["graph", "hashes"]
    assert sorted(one["pictures"] for one in entries[:4]) == [2, 2, 5, 5]
    assert {one["description"]["backbone"] for one in (*entries[:2], entries[4])} == {"tiny"}
    assert {one["description"]["spec"]["resize"] for one in entries[:2]} == {24, 30}
    assert found["size_bytes"] == sum(one["size_bytes"] for one in entries) > 5000


def test_list_is_readable(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "list", "--cache-dir", str(cache)]) == 0

    text = capsys.readouterr().out
    assert text.startswith("kind        fingerprint")
    assert "tiny, 16 x 24, crop from 24, graph " in text and "decoded at 30 x 30 or more" in text
    assert "6 entries, 0.0 MB." in text


def test_features_of_one_backbone_and_size_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nine lines of plain, mirrored, int8 and augmented features were alike, so none could be chosen to prune."""
    common = {"backbone": "tiny", "graph": "a" * 64, "view": "plain", "precision": "float32"}
    others = ({}, {"graph": "b" * 64}, {"precision": "int8 on x86_64"}, {"view": "augmented, revision 2"})
    for number, other in enumerate(others):
        folder = tmp_path / "features" / f"{number}" / ""
        folder.mkdir(parents=True)
        describe(folder, common | other)

    assert main(["cache", "list", "--cache-dir", str(tmp_path)]) == 0

    text = capsys.readouterr().out
    assert [line.rpartition("tiny, ")[2] for line in text.splitlines() if "tiny, " in line] == [
        "graph aaaaaaaa",
        "graph bbbbbbbb",
        "int8 on x86_64, graph aaaaaaaa",
        "augmented, revision 2, graph aaaaaaaa",
    ]


def test_an_empty_cache_is_said_to_be_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "list", "--cache-dir", str(tmp_path / "none")]) == 0
    assert "0 entries" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


def test_pictures_are_counted_once_though_two_runs_stored_them(cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    featurize(pictures(tmp_path)[3:], GRAPH, TINY_SPEC, cache_dir=other)
    for part in (other / "features").rglob("part-*"):
        part.rename(cache / part.relative_to(other))

    assert sorted(entry.count_pictures() or 0 for entry in read_contents(cache) if entry.kind == "features") == [2, 5]


# --- verify ---


def test_a_whole_cache_passes(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = run(capsys, "verify", "--cache-dir", cache)

    assert (code, found["files"], found["damaged"]) == (0, 6, [])


@pytest.mark.parametrize("kind", ["features", "statistics", "graphs", "stat"])
def test_one_flipped_bit_is_found_named_and_left_where_it_is(
    cache: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = next(path for path in sorted((cache / kind).rglob("*")) if path.suffix in (".parquet", ".onnx", ".txt"))
    flip_a_byte(victim)

    code = main(["cache", "verify", "--cache-dir", str(cache)])

    printed = capsys.readouterr()
    assert code == 3
    assert victim.name in printed.out and "6 files" in printed.out
    assert "1 damaged" in printed.err
    assert victim.exists()


def test_damage_is_also_told_to_programs(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    victim = next((cache / "features").rglob("part-*"))
    flip_a_byte(victim)

    code, found = run(capsys, "verify", "--cache-dir", cache)

    assert (code, [one["path"] for one in found["damaged"]]) == (3, [str(victim)])


# --- prune ---


def test_prune_removes_what_is_damaged_and_only_that(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    victim = next((cache / "statistics").rglob("part-*"))
    flip_a_byte(victim)
    before, size = all_files(cache), victim.stat().st_size

    code, found = run(capsys, "prune", "--cache-dir", cache)

    assert (code, found["freed_bytes"]) == (0, size)
    assert before - all_files(cache) == {victim}


def test_prune_of_a_sound_cache_removes_nothing(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = all_files(cache)

    code, found = run(capsys, "prune", "--cache-dir", cache, "--older-than", "30d")

    assert (code, found["removed"], all_files(cache)) == (0, [], before)


def test_prune_removes_what_killed_runs_left_and_not_what_is_being_written(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = next((cache / "features").iterdir())
    left = [place / f".half.{number:016x}" for number, place in enumerate([folder, cache / "graphs", cache / "stat"])]
    young = folder / f".half.{9:016x}"
    for path in (*left, young):
        path.write_bytes(b"half")
    for path in left:
        os.utime(path, (time.time() - 2 * 3600,) * 2)

    _, found = run(capsys, "prune", "--cache-dir", cache)

    assert {one["path"] for one in found["removed"]} == set(map(str, left))
    assert young.exists() and not any(path.exists() for path in left)


def test_a_dry_run_removes_nothing_and_says_the_same(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip_a_byte(next((cache / "features").rglob("part-*")))
    before = all_files(cache)

    _, planned = run(capsys, "prune", "--cache-dir", cache, "--dry-run")
    unchanged = all_files(cache) == before
    _, done = run(capsys, "prune", "--cache-dir", cache)

    assert unchanged and planned["removed"] == done["removed"] != []
    assert (planned["dry_run"], done["dry_run"]) == (True, False)


def test_what_no_run_has_used_for_long_is_removed_whole(cache: Path) -> None:
    """Used, not written: features that are read every day are not old."""
    in_40_days = time.time() + 40 * DAY_S
    old = next((cache / "features").iterdir())
    for path in (*(path for path in read_contents(cache)),):
        if path.path != old:
            target = path.path / "description.json" if path.path.is_dir() else path.path
            os.utime(target, (in_40_days - DAY_S,) * 2)

    planned = plan_removals(cache, older_than_s=30 * DAY_S, now=in_40_days)

    assert [(one.path, one.reason) for one in planned] == [(old, "not used for 40 days")]


def test_a_run_that_computes_nothing_still_counts_as_use(cache: Path, tmp_path: Path) -> None:
    for path in cache.rglob("description.json"):
        os.utime(path, (time.time() - 50 * DAY_S,) * 2)
    samples = [sample_of(path) for path in sorted((tmp_path / "data").iterdir())]

    assert featurize(samples, GRAPH, TINY_SPEC, cache_dir=cache).featurized == 0

    features, statistics = (
        [one for one in plan_removals(cache, older_than_s=30 * DAY_S) if kind in one.path.parts]
        for kind in ("features", "statistics")
    )
    assert (len(features), len(statistics)) == (1, 1)  # those of the other spec


def test_one_fingerprint_can_be_removed_by_its_first_letters(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = next((cache / "features").iterdir())

    code, found = run(capsys, "prune", "--cache-dir", cache, "--fingerprint", folder.name[:12])

    assert (code, [one["path"] for one in found["removed"]]) == (0, [str(folder)])
    assert not folder.exists() and len(list((cache / "features").iterdir())) == 1


@pytest.mark.parametrize("fingerprint", ["ffffffffffff", "not hexadecimal"])
def test_a_fingerprint_that_names_nothing_is_a_usage_error(
    cache: Path, fingerprint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = all_files(cache)
    try:
        code = main(["cache", "prune", "--cache-dir", str(cache), "--fingerprint", fingerprint])
    except SystemExit as stop:  # refused with the settings
        code = int(str(stop.code))

    assert code == 2
    assert "fingerprint" in capsys.readouterr().err
    assert all_files(cache) == before


@pytest.mark.parametrize("age", ["30", "d", "-1d", "30 days", "1w"])
def test_an_age_needs_a_number_and_a_unit(age: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["cache", "prune", "--older-than", age])

    assert stop.value.code == 2
    assert "--older-than" in capsys.readouterr().err


def test_a_run_finds_its_way_after_the_cache_was_pruned_under_it(cache: Path, tmp_path: Path) -> None:
    for entry in read_contents(cache):
        for path in entry.files:
            path.unlink()
    samples = [sample_of(path) for path in sorted((tmp_path / "data").iterdir())]
    progress = Quiet()

    found = featurize(samples, GRAPH, TINY_SPEC, cache_dir=cache, progress=progress)

    assert (found.featurized, progress.warnings) == (5, [])
