"""Locks: one holder at a time, a bounded wait, and no lock outlives its holder."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shared.errors import PublishConflict
from shared.lock import locked, locked_folder

HOLD = """
import sys, pathlib, shared.lock
with shared.lock.locked(pathlib.Path(sys.argv[1]), wait_s=0):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_waits_until_the_first_is_done(tmp_path: Path) -> None:
    order = []

    def second() -> None:
        with locked(tmp_path / "lock", wait_s=30):
            order.append("second")

    with locked(tmp_path / "lock", wait_s=0):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(timeout=0.2)
        order.append("first")
    thread.join()

    assert order == ["first", "second"]


def test_waiting_ends_with_an_error_that_names_the_lock(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "lock", wait_s=0),
        pytest.raises(PublishConflict, match=r"lock has been locked by another program for 0 s"),
        locked(tmp_path / "lock", wait_s=0.1),
    ):
        pytest.fail("two hold one lock")


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(PublishConflict), locked(path, wait_s=0):
            pytest.fail("two programs hold one lock")
        holder.kill()

    with locked(path, wait_s=0):
        pass


def test_an_error_inside_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"), locked(tmp_path / "lock", wait_s=0):
        raise RuntimeError("inside")

    with locked(tmp_path / "lock", wait_s=0):
        pass


def test_a_folder_stays_locked_when_it_is_renamed(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()

    with locked_folder(tmp_path / "old"):
        (tmp_path / "old").rename(tmp_path / "new")
        with pytest.raises(PublishConflict), locked_folder(tmp_path / "new"):
            pytest.fail("two hold one folder")

    with locked_folder(tmp_path / "new"):
        pass


def test_a_folder_that_is_gone_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked_folder(tmp_path / "gone"):
        pytest.fail("locked nothing")

    assert not (tmp_path / "gone").exists()
