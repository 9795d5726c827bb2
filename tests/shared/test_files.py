"""Files: a reader sees the old file or the new one, and the umask decides who may read it."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from shared.files import flush_tree, sha256_of, sha256_of_file, write_atomically


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9999
    (tmp_path / "file").write_bytes(content)

    assert sha256_of_file(tmp_path / "file") == sha256_of(content) == hashlib.sha256(content).hexdigest()


def test_a_file_is_written_and_replaced_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"

    for content in (b"first", b"", b"second"):
        write_atomically(path, content)
        assert path.read_bytes() == content

    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").write_bytes(b"old")

    with pytest.raises(OSError, match="folder"):
        write_atomically(path, b"a file cannot replace a folder")

    assert [(file.name, file.is_dir()) for file in tmp_path.iterdir()] == [("folder", True)]
    assert (path / "old").read_bytes() == b"old"


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "no" / "file", b"")


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_who_may_read_a_file_is_decided_by_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    """A service under another user reads what the trainer writes, unless somebody wants otherwise."""
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "file", b"")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_tree_with_folders_and_links_is_flushed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")

    flush_tree(tmp_path)
