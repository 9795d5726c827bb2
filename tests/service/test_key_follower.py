"""The file of keys is followed, and nothing that happens to it lets anybody in who may not."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from service import key_follower
from service.key_file import entry_of, parse_keys, with_key
from service.key_follower import KeyFollower, what_others_may
from tests.service.fakes import FakeClock
from tests.service.waiting import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(with_key(path, "", "anna", entry_of("a")))
    path.chmod(0o600)
    return path


@pytest.fixture
def added(path: Path) -> str:
    return with_key(path, path.read_text(), "bert", entry_of("b"))


def test_who_is_added_comes_in_and_who_is_removed_does_not(path: Path, added: str) -> None:
    follower = KeyFollower(path)
    assert (follower.ring.find(b"a") is not None, follower.ring.find(b"b")) == (True, None)

    path.write_text(added)
    follower.look()
    assert follower.ring.find(b"b") is not None

    path.write_text("")
    follower.look()
    assert follower.ring.find(b"a") is None


def cut_off(path: Path) -> None:
    path.write_text("anna = { sha256 = ")


@pytest.mark.parametrize("spoil", [cut_off, Path.unlink])
def test_a_file_that_cannot_be_used_keeps_the_keys_and_is_told_once(
    spoil: Callable[[Path], None], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    follower = KeyFollower(path)
    spoil(path)
    for _ in range(3):
        follower.look()

    assert follower.ring.names == {"anna"}
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == ["keys not read"]


def test_a_file_caught_half_written_takes_nobody_out(path: Path, added: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who writes in place shows fewer keys for a moment, and perhaps none: that closed the service."""
    path.write_text(added)
    follower = KeyFollower(path, settle_s=0.2)
    caplog.set_level(logging.INFO)
    path.write_text("")
    rest = threading.Timer(0.05, path.write_text, (added,))
    rest.start()
    follower.look()
    rest.join()

    assert follower.ring.names == {"anna", "bert"}
    assert "removed" not in str([record.__dict__ for record in caplog.records])

    path.write_text("")
    follower.look()
    assert follower.ring.names == set()
    (told,) = [record for record in caplog.records if record.message == "keys read"]
    assert (told.levelno, told.__dict__["removed"]) == (logging.WARNING, ["anna", "bert"])


def test_what_was_refused_is_not_parsed_again_each_second(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = KeyFollower(path)
    parsed: list[str] = []
    monkeypatch.setattr(key_follower, "parse_keys", lambda where, text: parsed.append(text) or parse_keys(where, text))
    path.write_text("broken = ")
    for _ in range(3):
        follower.look()

    assert parsed == ["broken = "]


def test_what_is_broken_again_is_told_again(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = path.read_text()
    follower = KeyFollower(path)
    for text in ("broken = ", good, "broken = "):
        path.write_text(text)
        follower.look()

    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == ["keys not read"] * 2


def test_how_long_ago_the_file_could_be_used_is_known(path: Path) -> None:
    """It grows, too, where reading hangs, and then nobody who is removed is out."""
    clock = FakeClock()
    follower = KeyFollower(path, clock=clock)
    for text in (None, "broken = ", "broken = "):
        clock.advance(10)
        if text:
            path.write_text(text)
        follower.look()

    assert follower.age_s == 20


def test_without_a_usable_file_nobody_is_let_in_until_there_is_one(path: Path, tmp_path: Path) -> None:
    """A worker that takes another's place must not be open because the file is being mended."""
    follower = KeyFollower(tmp_path / "later.toml")
    assert follower.ring.names == set()

    path.rename(tmp_path / "later.toml")
    follower.look()
    assert follower.ring.names == {"anna"}


def test_a_running_follower_needs_nobody_to_ask_it(path: Path, added: str) -> None:
    with KeyFollower(path, interval_s=0.005) as follower:
        path.write_text(added)
        until(lambda: follower.ring.names == {"anna", "bert"})


@pytest.mark.parametrize(
    ("mode", "as_owner", "as_group"),
    [
        (0o600, None, None),
        (0o440, "read", None),  # a Secret's, mounted with fsGroup
        (0o640, "read", None),
        (0o444, "read", "read"),
        (0o660, "write", "write"),
        (0o602, "write", "write"),
    ],
)
def test_a_group_by_which_the_service_itself_reads_is_no_others(
    mode: int, as_owner: str | None, as_group: str | None
) -> None:
    """A warning that nobody can do anything about, at each start of each pod, hides the next one."""
    assert (what_others_may(mode, as_group=False), what_others_may(mode, as_group=True)) == (as_owner, as_group)


def test_others_who_may_read_the_file_are_warned_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    KeyFollower(path)
    assert caplog.text == ""

    path.chmod(0o644)
    KeyFollower(path)
    assert "others may read" in caplog.text

    path.chmod(0o622)
    KeyFollower(path)
    assert "others may write" in caplog.text
