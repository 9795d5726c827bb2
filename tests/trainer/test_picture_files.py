"""trainer/picture_files.py: asked of their first bytes, whatever lies in the folder."""

import os
import socket
from pathlib import Path

import pytest

from trainer.picture_files import find_files

JPEG = b"\xff\xd8\xff\xe0 and so on"


def write(path: Path, data: bytes = JPEG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def names(folder: Path) -> list[str]:
    return [file.name for file in find_files(folder).pictures]


def reasons(folder: Path) -> dict[str, str]:
    return {one.name: one.reason for one in find_files(folder).passed_over}


def test_pictures_are_found_in_all_folders_sorted_by_name(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "b/1.png", "a/deep/er/3.jpg", "0.jpg"):
        write(tmp_path / name)

    found = find_files(tmp_path).pictures

    assert [file.name for file in found] == ["0.jpg", "a/deep/er/3.jpg", "b/1.png", "b/2.jpg"]
    assert [file.path for file in found] == [tmp_path / file.name for file in found]


def test_what_a_disk_has_of_its_own_is_no_label(tmp_path: Path) -> None:
    """An ext4 volume that holds the pictures has it at its top; deeper, somebody called a folder so."""
    (tmp_path / "lost+found").mkdir(mode=0o000)
    write(tmp_path / "a" / "lost+found" / "1.jpg")

    found = find_files(tmp_path)

    assert [file.name for file in found.pictures] == ["a/lost+found/1.jpg"]
    assert (found.folders, found.passed_over) == (("a", "a/lost+found"), ())


def test_what_a_disk_has_repaired_is_no_label_either_but_said(tmp_path: Path) -> None:
    """After a check of the disk it holds files without their names; or somebody does call a label so."""
    write(tmp_path / "lost+found" / "#1312.jpg")

    assert find_files(tmp_path).pictures == ()
    assert reasons(tmp_path) == {
        "lost+found": "where a disk puts what it has repaired; a label needs another name",
    }


def test_a_file_that_is_called_as_that_folder_is_a_file(tmp_path: Path) -> None:
    write(tmp_path / "lost+found")

    assert names(tmp_path) == ["lost+found"]


@pytest.mark.parametrize(
    "data",
    [
        JPEG,
        b"\x89PNG\r\n\x1a\n....",
        b"GIF89a....",
        b"RIFF....WEBPVP8 ",
        b"BM..........",
        b"II*\x00....",
        b"MM\x00*....",
    ],
)
def test_a_picture_is_known_by_its_first_bytes_whatever_its_name(tmp_path: Path, data: bytes) -> None:
    write(tmp_path / "readme.txt", data)
    write(tmp_path / "no extension", data)

    assert names(tmp_path) == ["no extension", "readme.txt"]


@pytest.mark.parametrize("name", ["a.jpg", "b.JPEG", "c.png", "d.heic", "e.TIF"])
@pytest.mark.parametrize("data", [b"", b"this is text"])
def test_what_is_named_like_a_picture_is_kept_to_be_called_unreadable(tmp_path: Path, name: str, data: bytes) -> None:
    """A damaged picture that is passed over would never be missed."""
    write(tmp_path / name, data)

    assert names(tmp_path) == [name]


def test_what_is_named_like_a_picture_but_cannot_be_opened_is_kept_to_be_called_unreadable(tmp_path: Path) -> None:
    """As root, who may read everything, a link to nowhere stands for a file that may not be read."""
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.jpg").symlink_to(tmp_path / "gone.jpg")

    assert names(tmp_path) == ["cat/a.jpg"]
    assert reasons(tmp_path) == {}


def test_everything_else_is_passed_over_by_name(tmp_path: Path) -> None:
    write(tmp_path / "LICENSE.txt", b"Permission is hereby granted")
    write(tmp_path / "cat" / "notes.md", b"")
    write(tmp_path / ".DS_Store")
    write(tmp_path / ".git" / "objects" / "picture.jpg")
    write(tmp_path / "cat" / "._1.jpg")

    assert names(tmp_path) == []
    assert reasons(tmp_path) == {
        ".DS_Store": "hidden",
        ".git": "hidden",
        "LICENSE.txt": "not a picture",
        "cat/._1.jpg": "hidden",
        "cat/notes.md": "not a picture",
    }


def test_tables_are_found_in_the_folder_itself(tmp_path: Path) -> None:
    write(tmp_path / "tags.TSV", b"a.jpg\tcat\n")
    write(tmp_path / "cat" / "more.csv", b"a.jpg,cat\n")

    found = find_files(tmp_path)

    assert [file.name for file in found.tables] == ["tags.TSV"]
    assert [one.name for one in found.passed_over] == ["cat/more.csv"]


def test_links_to_files_and_to_folders_elsewhere_are_followed(tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere" / "1.jpg")
    data = tmp_path / "data"
    data.mkdir()
    (data / "link.jpg").symlink_to(elsewhere)
    (data / "cat").symlink_to(elsewhere.parent)

    assert names(data) == ["cat/1.jpg", "link.jpg"]


def test_extensions_may_be_in_any_case_and_names_in_any_letters(tmp_path: Path) -> None:
    odd = [
        "A.JPG",
        "b.JpEg",
        "c.PNG",
        "Stra\u00dfe \u65e5\u672c \U0001f600.Jpg",
        "e\u0301.jpg",
        "\u00e9.jpg",
        "x" * 250 + ".jpg",
    ]
    for name in odd:
        write(tmp_path / name, b"torn")  # so that the extension alone says that it is meant to be a picture

    assert names(tmp_path) == sorted(odd)


def test_a_table_lies_in_the_folder_that_holds_everything(tmp_path: Path) -> None:
    """As in an archive that was made of a folder."""
    write(tmp_path / "photos" / "2026" / "1.jpg")
    write(tmp_path / "photos" / "2026" / "2.jpg")
    (tmp_path / "photos" / "tags.csv").write_text("2026/1.jpg,cat\n2026/2.jpg,dog\n")
    (tmp_path / "photos" / "2026" / "other.csv").write_text("1.jpg,cat\n")

    found = find_files(tmp_path)

    assert [file.name for file in found.tables] == ["photos/tags.csv"]
    assert [one.name for one in found.passed_over] == ["photos/2026/other.csv"]


def test_a_table_may_lie_beside_the_pictures_in_the_one_folder_there_is(tmp_path: Path) -> None:
    write(tmp_path / "photos" / "1.jpg")
    (tmp_path / "photos" / "tags.csv").write_text("1.jpg,cat\n")

    assert [file.name for file in find_files(tmp_path).tables] == ["photos/tags.csv"]


def test_links_that_lead_round_in_a_circle_end(tmp_path: Path) -> None:
    write(tmp_path / "cat" / "1.jpg")
    (tmp_path / "cat" / "up").symlink_to(tmp_path)
    (tmp_path / "a link to cat").symlink_to(tmp_path / "cat")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")

    assert names(tmp_path) == ["cat/1.jpg"]
    assert reasons(tmp_path) == {
        "a link to cat/": "link to a folder that is looked through already",
        "cat/up/": "link to a folder that is looked through already",
        "itself": "cannot be read (Too many levels of symbolic links)",
        "nowhere": "cannot be read (No such file or directory)",
    }


def test_pipes_and_sockets_are_not_opened(tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to would wait for ever."""
    os.mkfifo(tmp_path / "pipe.jpg")
    server = socket.socket(socket.AF_UNIX)
    try:
        server.bind(str(tmp_path / "socket.jpg"))
        assert set(reasons(tmp_path).values()) == {"neither a file nor a folder"}
    finally:
        server.close()


def test_names_that_are_not_utf_8_are_shown_readably(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(JPEG)

    (found,) = find_files(tmp_path).pictures

    assert found.name == "caf\\xe9.jpg"
    assert found.path.read_bytes() == JPEG


def test_no_two_files_have_one_name(tmp_path: Path) -> None:
    """A byte that is no UTF-8 is written like letters that another file may really have in its name."""
    odd = [b"\xff.jpg", rb"\xff.jpg", rb"\\xff.jpg", rb"\xffa\b.jpg", b"\xffa\\b.jpg", b"\xffa\\\\b.jpg", rb"a\b.jpg"]
    for name in odd:
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(JPEG)

    found = names(tmp_path)

    assert len(set(found)) == len(odd)
    assert {r"\xff.jpg", r"\\xff.jpg", r"a\b.jpg"} <= set(found)


def test_depth_is_no_limit(tmp_path: Path) -> None:
    folders = [tmp_path]
    for _ in range(1200):  # deeper than Python may recurse, shorter than the longest path
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    picture = write(folders[-1] / "1.jpg")
    try:
        assert len(names(tmp_path)) == 1
    finally:  # pytest's own clearing away would recurse
        picture.unlink()
        for folder in reversed(folders[1:]):
            folder.rmdir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path / "cat" / "1.jpg")
    locked = tmp_path / "dog"
    locked.mkdir(mode=0)
    try:
        assert names(tmp_path) == ["cat/1.jpg"]
        assert reasons(tmp_path) == {"dog/": "folder cannot be read (Permission denied)"}
    finally:
        locked.chmod(0o700)
