"""The watcher follows the models folder and survives whatever it finds there."""

import errno
import itertools
import logging
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.back_off import LONGEST_PAUSE_S
from service.model_status import FailedLoad
from service.model_store import LocalStore
from service.watcher import Watcher
from shared.bundle import CURRENT_FILE
from tests.service.shelf import FIRST, SECOND, THIRD, Shelf
from tests.service.waiting import until


@pytest.fixture
def shelf(models_dir: Path) -> Shelf:
    return Shelf(models_dir)


def test_models_appear_change_and_disappear_as_folders_do(shelf: Shelf) -> None:
    shelf.poll()
    assert shelf.served == {}

    shelf.point("cats", FIRST)
    shelf.point("dogs", SECOND)
    shelf.poll()
    assert shelf.served == {"cats": FIRST, "dogs": SECOND}

    shelf.point("cats", SECOND)
    shutil.rmtree(shelf.folder / "dogs")
    shelf.poll()
    assert shelf.served == {"cats": SECOND}


def test_an_older_version_is_followed_too(shelf: Shelf) -> None:
    """A rollback repoints `current` to the past."""
    shelf.point("cats", SECOND)
    shelf.poll()
    shelf.point("cats", FIRST)
    shelf.poll()

    assert shelf.served == {"cats": FIRST}


def test_a_version_is_loaded_once(shelf: Shelf) -> None:
    shelf.point("cats", FIRST)
    for _ in range(5):
        shelf.poll()

    assert shelf.tried == [FIRST]


def test_a_bad_version_changes_nothing_and_does_not_block_a_later_good_one(shelf: Shelf) -> None:
    shelf.bad = {SECOND}
    for version in (FIRST, SECOND):
        shelf.point("cats", version)
        shelf.poll()
    assert shelf.served == {"cats": FIRST}
    failed = shelf.registry.look_up("cats").failed
    assert failed is not None
    assert (failed.version, failed.attempts) == (SECOND, 1)
    assert "is torn" in failed.message

    shelf.point("cats", THIRD)
    shelf.poll()
    assert shelf.served == {"cats": THIRD}


def test_a_bad_version_is_tried_again_less_and_less_often(shelf: Shelf) -> None:
    """It may be a copy in progress; it may also stay bad for ever."""
    shelf.bad = {FIRST}
    shelf.point("cats", FIRST)
    tried_after_s = []
    for second in range(200):
        before = len(shelf.tried)
        shelf.poll()
        if len(shelf.tried) > before:
            tried_after_s.append(second)

    pauses = [later - earlier for earlier, later in itertools.pairwise(tried_after_s)]
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_S, LONGEST_PAUSE_S]

    shelf.bad = set()
    shelf.poll(after_s=LONGEST_PAUSE_S)
    assert shelf.served == {"cats": FIRST}


@pytest.mark.parametrize("content", ["", "../../etc", "latest", "\x00\xff", "x" * 10_000])
def test_a_current_that_names_no_version_is_reported(content: str, shelf: Shelf) -> None:
    shelf.point("cats", FIRST)
    shelf.poll()
    shelf.point("cats", content)
    shelf.poll()

    assert shelf.served == {"cats": FIRST}
    failed = shelf.registry.look_up("cats").failed
    assert failed is not None
    assert failed.version is None


def test_a_model_whose_current_vanishes_is_still_served(shelf: Shelf) -> None:
    """Only a folder that is gone means that the model shall go."""
    shelf.point("cats", FIRST)
    shelf.poll()
    (shelf.folder / "cats" / CURRENT_FILE).unlink()
    shelf.poll()

    assert shelf.served == {"cats": FIRST}


def test_when_the_whole_folder_is_away_everything_is_served_on(shelf: Shelf) -> None:
    """A network share that drops out for a minute must not take the service down."""
    shelf.point("cats", FIRST)
    shelf.poll()
    away = shelf.folder.rename(shelf.folder.with_name("away"))
    shelf.poll()
    assert shelf.served == {"cats": FIRST}

    away.rename(shelf.folder)
    shelf.point("cats", SECOND)
    shelf.poll()
    assert shelf.served == {"cats": SECOND}


def test_folders_that_are_no_models_are_passed_over(shelf: Shelf) -> None:
    (shelf.folder / "lost+found").mkdir()
    (shelf.folder / ".staging").mkdir()
    (shelf.folder / "README").write_text("hello", encoding="utf-8")
    shelf.poll()

    assert shelf.registry.known() == []


class ClosedPath(type(Path())):  # type: ignore[misc]
    """A path below which the folders `lost+found` and `closed` are another user's; chmod does not stop root."""

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        if self.parent.name in ("lost+found", "closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return super().stat(follow_symlinks=follow_symlinks)

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        self.stat()
        return super().read_text(encoding, errors)


def test_a_closed_folder_that_is_no_model_is_passed_over(models_dir: Path) -> None:
    """A volume mounted as models folder has a lost+found that only root may look into."""
    shelf = Shelf(ClosedPath(models_dir))
    (models_dir / "lost+found").mkdir()
    shelf.point("zebras", FIRST)
    shelf.poll()

    assert shelf.served == {"zebras": FIRST}
    assert shelf.registry.known() == ["zebras"]


def test_a_closed_folder_with_the_name_of_a_model_is_reported(models_dir: Path) -> None:
    """Its publisher's umask was too strict; saying nothing would leave its operator guessing."""
    shelf = Shelf(ClosedPath(models_dir))
    for name in ("closed", "zebras"):
        shelf.point(name, FIRST)
    shelf.poll()

    assert shelf.served == {"zebras": FIRST}
    failed = shelf.registry.look_up("closed").failed
    assert failed is not None
    assert "Permission denied" in failed.message


@pytest.mark.parametrize("broken", ["cats", f"cats/{CURRENT_FILE}"])
def test_a_path_that_cannot_be_looked_at_does_not_hide_the_models_after_it(broken: str, shelf: Shelf) -> None:
    """On Python 3.11 `exists` and `is_dir` raise for it; here it leads to a name that is too long for a folder."""
    (shelf.folder / broken).parent.mkdir(exist_ok=True)
    (shelf.folder / broken).symlink_to("x" * 300)
    shelf.point("zebras", FIRST)
    shelf.poll()

    assert shelf.served == {"zebras": FIRST}
    failed = shelf.registry.look_up("cats").failed
    assert failed is not None
    assert "File name too long" in failed.message


def test_a_served_model_whose_folder_cannot_be_looked_at_is_served_on(shelf: Shelf) -> None:
    """A stale handle of a network share, for one."""
    shelf.point("cats", FIRST)
    shelf.poll()
    shutil.rmtree(shelf.folder / "cats")
    (shelf.folder / "cats").symlink_to("x" * 300)
    shelf.point("zebras", FIRST)
    shelf.poll()

    assert shelf.served == {"cats": FIRST, "zebras": FIRST}


def test_a_name_that_no_model_may_have_is_reported(shelf: Shelf) -> None:
    shelf.point("Cats & Dogs", FIRST)
    shelf.poll()

    failed = shelf.registry.look_up("Cats & Dogs").failed
    assert failed is not None
    assert "not a model name" in failed.message


def test_a_standing_failure_is_logged_once_per_attempt(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    shelf.bad = {FIRST}
    shelf.point("cats", FIRST)
    with caplog.at_level(logging.ERROR):
        for _ in range(10):
            shelf.poll()

    assert len(caplog.records) == len(shelf.tried) == 4


def test_a_folder_that_is_renamed_is_another_model(shelf: Shelf) -> None:
    shelf.point("cats", FIRST)
    shelf.poll()
    (shelf.folder / "cats").rename(shelf.folder / "lions")
    shelf.poll()

    assert shelf.served == {"lions": FIRST}


def test_a_folder_that_is_emptied_is_served_on_and_told(shelf: Shelf) -> None:
    """An `rsync --delete` that has got half way looks like this."""
    shelf.point("cats", FIRST)
    shelf.poll()
    for path in (shelf.folder / "cats").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shelf.poll()

    assert shelf.served == {"cats": FIRST}
    status = shelf.registry.look_up("cats")
    assert status.failed is not None
    assert status.reloads == {"loaded": 1, "unreadable": 1}


def test_a_model_that_comes_back_is_loaded_afresh(shelf: Shelf) -> None:
    shelf.point("cats", FIRST)
    shelf.poll()
    shelf.registry.note_failed_load("cats", FailedLoad("v0", "torn", datetime.now(UTC), 1))
    away = (shelf.folder / "cats").rename(shelf.folder / ".cats")
    shelf.poll()
    assert shelf.registry.known() == []

    away.rename(shelf.folder / "cats")
    shelf.poll()
    assert (shelf.served, shelf.tried) == ({"cats": FIRST}, [FIRST, FIRST])
    assert shelf.registry.look_up("cats").failures == ()


def test_looks_are_counted_by_their_outcome(shelf: Shelf) -> None:
    shelf.bad = {SECOND}
    for version in (FIRST, SECOND, SECOND, THIRD, "nonsense", "nonsense"):
        shelf.point("cats", version)
        shelf.poll(after_s=2.0)

    assert shelf.registry.reloads() == {"cats": {"failed": 2, "loaded": 2, "unreadable": 1}}
    failures = shelf.registry.look_up("cats").failures
    assert [(failed.version, failed.attempts) for failed in failures] == [(None, 2), (SECOND, 2)]


def test_a_clock_that_jumps_ahead_changes_nothing(shelf: Shelf) -> None:
    shelf.bad = {SECOND}
    for version in (FIRST, SECOND):
        shelf.point("cats", version)
        shelf.poll()
    shelf.poll(after_s=86_400.0)

    assert shelf.tried == [FIRST, SECOND, SECOND]
    assert shelf.served == {"cats": FIRST}


def test_when_the_models_cannot_be_listed_that_is_told_until_they_can(shelf: Shelf) -> None:
    away = shelf.folder.rename(shelf.folder.with_name("away"))
    shelf.poll()
    assert "No such file or directory" in (shelf.registry.store_error or "")

    away.rename(shelf.folder)
    shelf.poll(after_s=60.0)
    assert shelf.registry.store_error is None


@pytest.fixture
def watching(shelf: Shelf) -> Iterator[Shelf]:
    with Watcher(shelf.registry, LocalStore(shelf.folder), open_version=shelf.open, interval_s=0.01) as watcher:
        until(lambda: watcher.has_looked)
        yield shelf


def test_the_thread_follows_by_itself(watching: Shelf) -> None:
    watching.point("cats", FIRST)
    until(lambda: watching.served == {"cats": FIRST})

    watching.point("cats", SECOND)
    until(lambda: watching.served == {"cats": SECOND})


def test_a_model_fails_until_a_look_finds_it_well(shelf: Shelf) -> None:
    """What an alert asks: the state, which lasts, and not how often it was noticed."""

    def fails() -> bool:
        return shelf.registry.look_up("cats").is_failing

    found = []
    for content in (FIRST, "no version", "no version", FIRST, SECOND, FIRST, SECOND, THIRD):
        shelf.bad = {SECOND}
        shelf.point("cats", content)
        shelf.poll()
        found.append(fails())

    assert found == [False, True, True, False, True, False, True, False]
