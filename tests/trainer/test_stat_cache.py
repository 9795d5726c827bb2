"""trainer/stat_cache.py: what did not change is not read again, and nothing else is believed."""

import os
from pathlib import Path

import pytest

from shared.files import sha256_of
from trainer.stat_cache import StatCache

DIGEST, OTHER = sha256_of(b"one"), sha256_of(b"other")


class Warnings(list[str]):
    """Collects what is told."""

    def __call__(self, sentence: str) -> None:
        self.append(sentence)


def old_file(path: Path, content: bytes = b"x") -> Path:
    path.write_bytes(content)
    os.utime(path, ns=(10**18, 10**18))
    return path


def opened(tmp_path: Path, warnings: Warnings | None = None) -> StatCache:
    return StatCache(tmp_path / "cache", tmp_path, warn=warnings if warnings is not None else Warnings())


def remember(tmp_path: Path, path: Path, digest: str = DIGEST) -> None:
    cache = opened(tmp_path)
    cache.remember(path, path.stat(), digest)
    cache.save()


def only_file(tmp_path: Path) -> Path:
    (file,) = (tmp_path / "cache" / "stat").iterdir()
    return file


@pytest.mark.parametrize(
    "name", ["a.jpg", "with blank.jpg", "new\nline.jpg", "caf\u00e9.jpg", os.fsdecode(b"\xff.jpg")]
)
def test_an_unchanged_file_is_remembered_whatever_its_name(tmp_path: Path, name: str) -> None:
    path, other = old_file(tmp_path / name), old_file(tmp_path / "other.jpg")
    remember(tmp_path, path)
    remember(tmp_path, other, OTHER)

    cache = opened(tmp_path)

    assert cache.digest(path, path.stat()) == DIGEST
    assert cache.digest(other, other.stat()) == OTHER


def test_a_change_of_size_time_or_inode_is_noticed(tmp_path: Path) -> None:
    path = old_file(tmp_path / "a.jpg")
    remember(tmp_path, path)

    longer = old_file(path, b"xx").stat()
    old_file(path)
    os.utime(path, ns=(10**18, 10**18 + 1))
    later = path.stat()
    path.rename(tmp_path / "kept.jpg")
    replaced = old_file(path).stat()

    assert [opened(tmp_path).digest(path, found) for found in (longer, later, replaced)] == [None, None, None]


def test_a_file_written_a_moment_ago_is_not_trusted(tmp_path: Path) -> None:
    """It may be written again within the same tick of the file system's clock."""
    path = old_file(tmp_path / "a.jpg")
    mtime_ns = path.stat().st_mtime_ns
    just_now = StatCache(tmp_path / "cache", tmp_path, warn=Warnings(), clock_ns=lambda: mtime_ns + 10**9)
    later = StatCache(tmp_path / "cache", tmp_path, warn=Warnings(), clock_ns=lambda: mtime_ns + 3 * 10**9)

    for cache in (just_now, later):
        cache.remember(path, path.stat(), DIGEST)
    just_now.save()
    assert not (tmp_path / "cache").exists()
    later.save()
    assert opened(tmp_path).digest(path, path.stat()) == DIGEST


def test_damage_is_told_and_nothing_of_it_is_believed(tmp_path: Path) -> None:
    path = old_file(tmp_path / "a.jpg")
    remember(tmp_path, path)
    file = only_file(tmp_path)
    whole = file.read_bytes()

    for position in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 0x01
        file.write_bytes(damaged)
        warnings = Warnings()
        assert opened(tmp_path, warnings).digest(path, path.stat()) is None
        assert "damaged" in warnings[0]
    for length in (0, 5, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert opened(tmp_path).digest(path, path.stat()) is None

    remember(tmp_path, path)
    assert opened(tmp_path).digest(path, path.stat()) == DIGEST


def test_two_runs_do_not_forget_what_the_other_wrote(tmp_path: Path) -> None:
    first, second = old_file(tmp_path / "1.jpg"), old_file(tmp_path / "2.jpg")
    one, other = opened(tmp_path), opened(tmp_path)
    one.remember(first, first.stat(), DIGEST)
    other.remember(second, second.stat(), OTHER)

    one.save()
    other.save()

    cache = opened(tmp_path)
    assert (cache.digest(first, first.stat()), cache.digest(second, second.stat())) == (DIGEST, OTHER)


def test_files_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    gone, kept = old_file(tmp_path / "gone.jpg"), old_file(tmp_path / "kept.jpg")
    remember(tmp_path, gone)
    gone.unlink()

    remember(tmp_path, kept)

    assert b"gone.jpg" not in only_file(tmp_path).read_bytes()


def test_a_folder_that_cannot_be_written_is_told_and_not_fatal(tmp_path: Path) -> None:
    path = old_file(tmp_path / "a.jpg")
    (tmp_path / "cache").write_text("a file where a folder should be")
    warnings = Warnings()
    cache = opened(tmp_path, warnings)
    cache.remember(path, path.stat(), DIGEST)

    cache.save()

    assert "cannot be remembered" in warnings[-1]


def test_a_file_that_changed_is_remembered_as_it_is_now_and_no_longer_as_it_was(tmp_path: Path) -> None:
    path, other = old_file(tmp_path / "a.jpg"), old_file(tmp_path / "b.jpg")
    remember(tmp_path, path)
    remember(tmp_path, other)
    old_file(path, b"longer")

    remember(tmp_path, path, OTHER)

    assert opened(tmp_path).digest(path, path.stat()) == OTHER
    assert only_file(tmp_path).read_bytes().count(b"a.jpg") == 1
    assert only_file(tmp_path).read_bytes().count(b"b.jpg") == 1


def test_what_an_earlier_trainer_wrote_is_known_and_kept(tmp_path: Path) -> None:
    """It left the last line without an end."""
    path, other = old_file(tmp_path / "a.jpg"), old_file(tmp_path / "b.jpg")
    remember(tmp_path, path)
    head, _, body = only_file(tmp_path).read_bytes().partition(b"\n")
    body = body.rstrip(b"\n")
    only_file(tmp_path).write_bytes(head[:-64] + sha256_of(body).encode() + b"\n" + body)

    remember(tmp_path, other, OTHER)

    cache = opened(tmp_path)
    assert (cache.digest(path, path.stat()), cache.digest(other, other.stat())) == (DIGEST, OTHER)
