"""Files by which a run and its workers, and a network disk, know what is there."""

import os
import time
from pathlib import Path

from tests.trainer.test_completion import caches_in
from trainer.ray_marker import look_again, marked

LONG_AGO = 1e9


def test_a_cache_is_marked_as_long_as_a_run_lasts(tmp_path: Path) -> None:
    with marked(caches_in(tmp_path)) as name:
        assert (tmp_path / "cache" / name).exists()

    assert list((tmp_path / "cache").rglob(".ray-run-*")) == []


def test_marks_of_killed_runs_go_after_two_weeks_and_those_of_others_stay(tmp_path: Path) -> None:
    """A run that still computes has not been there for that long."""
    caches = caches_in(tmp_path)
    folder = caches.features.folder
    folder.mkdir(parents=True)
    killed, running, odd = (folder / f".ray-run-{name}" for name in ("0" * 16, "1" * 16, "of-somebody-else"))
    for path, when in ((killed, LONG_AGO), (running, time.time() - 86_400), (odd, LONG_AGO)):
        path.touch()
        os.utime(path, (when, when))

    with marked(caches):
        pass

    assert set(folder.iterdir()) == {running, odd}


def test_folders_are_changed_so_that_a_network_disk_lists_them_anew(tmp_path: Path) -> None:
    """What workers have written is not in a list that was remembered; a folder that nobody made stays away."""
    (tmp_path / "there").mkdir()
    os.utime(tmp_path / "there", (LONG_AGO, LONG_AGO))

    look_again([tmp_path / "there", tmp_path / "absent"])

    assert (tmp_path / "there").stat().st_mtime > LONG_AGO
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]
