"""trainer/archives.py: pictures come out whole, and nothing ever lands outside its folder."""

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.archives import unpack
from trainer.errors.caches import CacheNotWritable
from trainer.errors.sources import ArchiveDamaged, ArchiveEncrypted, TooLarge, UnsafeName

PICTURES = {
    "cats/1.jpg": b"\xff\xd8cat" * 5000,
    "dogs/Größe.PNG": os.urandom(200_000),
    "labels.tsv": b"cats/1.jpg\tcat\n",
}


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), 1_600_000_000
            archive.addfile(member, io.BytesIO(data))
    return path


def add_to_tar(path: Path, kind: bytes, name: str, target: str = "") -> Path:
    with tarfile.open(path, "a") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        archive.addfile(member)
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "a.zip": lambda path: write_zip(path, PICTURES),
    "a.tar": lambda path: write_tar(path, PICTURES),
    "a.tar.gz": lambda path: write_tar(path, PICTURES, "w:gz"),
    "a.tar.xz": lambda path: write_tar(path, PICTURES, "w:xz"),
    "a.tar.bz2": lambda path: write_tar(path, PICTURES, "w:bz2"),
}


def unpacked(archive: Path, read: Callable[[int], None] = lambda _bytes: None) -> tuple[Path, tuple[str, ...]]:
    folder = archive.parent / "out"
    folder.mkdir()
    return folder, unpack(archive, folder, origin=str(archive), read=read)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_comes_out_as_it_went_in(tmp_path: Path, name: str) -> None:
    archive, read = WRITERS[name](tmp_path / name), []

    folder, left_out = unpacked(archive, read.append)

    assert (files_in(folder), left_out) == (PICTURES, ())
    assert 0.9 * archive.stat().st_size <= sum(read) <= archive.stat().st_size


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_an_archive_that_was_cut_short_is_refused(tmp_path: Path, name: str, share: float) -> None:
    """Not unpacked as far as it goes: half of the pictures would pass for all of them."""
    whole = WRITERS[name](tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])

    with pytest.raises(ArchiveDamaged, match="copy it again"):
        unpacked(tmp_path / name)


def test_a_tar_that_ends_between_two_files_is_refused_too(tmp_path: Path) -> None:
    """The tarfile module takes that for its end."""
    archive = write_tar(tmp_path / "a.tar", {"1.jpg": b"1" * 512, "2.jpg": b"2" * 512})
    archive.write_bytes(archive.read_bytes()[:1024])

    with pytest.raises(ArchiveDamaged):
        unpacked(archive)


@pytest.mark.parametrize("packed", [bz2.compress, gzip.compress, lzma.compress, bytes])
def test_what_is_no_archive_is_refused(tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    (tmp_path / "a.tar.gz").write_bytes(packed(b"This is a text. " * 100))

    with pytest.raises(ArchiveDamaged):
        unpacked(tmp_path / "a.tar.gz")


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_a_flipped_byte_is_noticed(tmp_path: Path, name: str) -> None:
    archive = WRITERS[name](tmp_path / name)
    data = bytearray(archive.read_bytes())
    position = data.index(b"labels.tsv") if name == "a.tar" else data.index(b"PNG") + 1000
    data[position] ^= 1
    archive.write_bytes(data)

    with pytest.raises(ArchiveDamaged):
        unpacked(archive)


@pytest.mark.parametrize("write", [write_zip, write_tar])
@pytest.mark.parametrize(
    "name", ["../evil.jpg", "/etc/evil.jpg", "cats/../../evil.jpg", "C:\\evil.jpg", "..\\evil.jpg", "\\evil.jpg"]
)
def test_a_name_that_leads_outside_is_refused(
    tmp_path: Path, write: Callable[[Path, dict[str, bytes]], Path], name: str
) -> None:
    archive = write(tmp_path / "archive", {"cats/1.jpg": b"1", name: b"evil"})

    with pytest.raises(UnsafeName, match="evil"):
        unpacked(archive)

    assert not [path for path in tmp_path.rglob("*evil*") if path.is_file()]


def test_names_as_old_windows_programs_write_them_are_understood(tmp_path: Path) -> None:
    folder, _ = unpacked(write_zip(tmp_path / "a.zip", {"cats\\1.jpg": b"1", "__MACOSX/cats/._1.jpg": b"2"}))

    assert files_in(folder) == {"cats/1.jpg": b"1"}


def test_links_within_a_tar_become_files_and_all_others_are_left_out(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", {"cats/1.jpg": b"cat"})
    add_to_tar(archive, tarfile.SYMTYPE, "pets/1.jpg", "../cats/1.jpg")
    add_to_tar(archive, tarfile.LNKTYPE, "pets/2.jpg", "cats/1.jpg")
    for number, target in enumerate(["/etc/passwd", "../../outside", "../cats", "nowhere.jpg", "3.lnk"]):
        add_to_tar(archive, tarfile.SYMTYPE, f"evil/{number}.lnk", target)
    add_to_tar(archive, tarfile.LNKTYPE, "evil/hard", "/etc/passwd")
    add_to_tar(archive, tarfile.LNKTYPE, "evil/harder", "../../outside")
    add_to_tar(archive, tarfile.CHRTYPE, "evil/device")
    add_to_tar(archive, tarfile.FIFOTYPE, "evil/pipe")

    folder, left_out = unpacked(archive)

    assert files_in(folder) == {"cats/1.jpg": b"cat", "pets/1.jpg": b"cat", "pets/2.jpg": b"cat"}
    assert len(left_out) == 9 and all(name.startswith("evil/") for name in left_out)
    assert not [path for path in folder.rglob("*") if path.is_symlink()]


def test_a_link_in_a_zip_is_left_out(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"cats/1.jpg": b"cat"})
    link = zipfile.ZipInfo("cats/passwords")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(link, "/etc/passwd")

    folder, left_out = unpacked(archive)

    assert (files_in(folder), left_out) == ({"cats/1.jpg": b"cat"}, ("cats/passwords",))


def test_permissions_of_the_archive_are_not_taken_over(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", {"1.jpg": b"1"})
    with tarfile.open(archive, "a") as opened:
        member = tarfile.TarInfo("2.jpg")
        member.mode = 0o6777
        opened.addfile(member)

    folder, _ = unpacked(archive)

    assert stat.S_IMODE((folder / "2.jpg").stat().st_mode) == stat.S_IMODE((folder / "1.jpg").stat().st_mode)
    assert (folder / "1.jpg").stat().st_mtime == 1_600_000_000


@pytest.mark.parametrize("write", [write_zip, lambda path, files: write_tar(path, files, "w:gz")])
def test_a_bomb_is_stopped_before_it_fills_the_disk(
    tmp_path: Path, write: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    """A few hundred kB that unpack to 150 MB: no pictures pack like that."""
    archive = write(tmp_path / "archive", {"cats/1.bmp": bytes(150 * 1024**2)})

    with pytest.raises(TooLarge, match="200 times the archive"):
        unpacked(archive)

    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 120 * 1024**2


def zip_with(tmp_path: Path, value: int, *, local: int, central: int) -> Path:
    """A zip of one picture with a number put into both of its headers, at these offsets."""
    archive = write_zip(tmp_path / "a.zip", {"cats/1.jpg": b"cat"})
    data = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        position = data.index(mark) + offset
        data[position : position + 2] = struct.pack("<H", value)
    archive.write_bytes(data)
    return archive


def test_an_encrypted_zip_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArchiveEncrypted, match=r"cats/1\.jpg is encrypted"):
        unpacked(zip_with(tmp_path, 1, local=6, central=8))


def test_a_packing_method_that_nobody_knows_is_damage_in_words(tmp_path: Path) -> None:
    with pytest.raises(ArchiveDamaged, match="unpack it yourself"):
        unpacked(zip_with(tmp_path, 99, local=8, central=10))


def test_a_file_that_is_a_folder_too_is_damage(tmp_path: Path) -> None:
    with pytest.raises(ArchiveDamaged, match="a file and a folder at once"):
        unpacked(write_tar(tmp_path / "a.tar", {"cats": b"1", "cats/1.jpg": b"2"}))


def test_of_several_files_of_one_name_the_last_counts(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", {"1.jpg": b"old"})
    with tarfile.open(archive, "a") as opened:
        member = tarfile.TarInfo("1.jpg")
        member.size = 3
        opened.addfile(member, io.BytesIO(b"new"))

    folder, _ = unpacked(archive)

    assert files_in(folder) == {"1.jpg": b"new"}


def test_a_name_that_the_disk_cannot_hold_is_told(tmp_path: Path) -> None:
    with pytest.raises(CacheNotWritable, match="File name too long"):
        unpacked(write_tar(tmp_path / "a.tar", {"x" * 300 + ".jpg": b"1"}))


def long_header(kind: bytes, size: int) -> bytes:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = kind, size
    return header.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize("size", [300 * 1024, 40 * 1024**2])
def test_a_header_that_would_fill_the_memory_is_refused_unread(tmp_path: Path, kind: bytes, size: int) -> None:
    """The tarfile module reads the long name of a file whole, and decodes it, before anybody can ask how long it is."""
    (tmp_path / "a.tar.bz2").write_bytes(bz2.compress(long_header(kind, size) + b"a" * size, 1))

    tracemalloc.start()
    try:
        with pytest.raises(ArchiveDamaged, match=f"a header of {size:,} bytes") as failed:
            unpacked(tmp_path / "a.tar.bz2")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < 5 * 1024**2
    assert len(str(failed.value)) < 1000


def sparse_as_old_gnu_tar_has_it(path: Path) -> None:
    header = bytearray(tarfile.TarInfo("1.bmp").tobuf(tarfile.GNU_FORMAT))
    header[156:157], header[482] = tarfile.GNUTYPE_SPARSE, 1  # a list of holes goes on in the next block, and the next
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    hole = b"%011o\0" % 1 * 2
    block = (hole * 21 + b"\1").ljust(512, b"\0")
    path.write_bytes(gzip.compress(bytes(header) + block * 20_000, 1))


def sparse_as_gnu_tar_has_it_in_pax(path: Path) -> None:
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT, compresslevel=1) as archive:
        member = tarfile.TarInfo("1.bmp")
        member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "1.bmp"}
        holes = b"1000000\n" + b"1\n" * 2_000_000
        member.size = len(holes)
        archive.addfile(member, io.BytesIO(holes))


@pytest.mark.parametrize("write", [sparse_as_old_gnu_tar_has_it, sparse_as_gnu_tar_has_it_in_pax])
def test_a_long_list_of_holes_is_refused_unread(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "a.tar.gz")

    tracemalloc.start()
    try:
        with pytest.raises(ArchiveDamaged, match="a long list of holes"):
            unpacked(tmp_path / "a.tar.gz")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < 5 * 1024**2


def test_long_names_as_programs_write_them_are_read(tmp_path: Path) -> None:
    name = "cats/" + "long/" * 100 + "1.jpg"
    for number, form in enumerate((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)):
        (tmp_path / str(number)).mkdir()
        with tarfile.open(tmp_path / str(number) / "a.tar.gz", "w:gz", format=form) as archive:
            archive.addfile(tarfile.TarInfo(name))
        assert files_in(unpacked(tmp_path / str(number) / "a.tar.gz")[0]) == {name: b""}


def test_what_is_passed_over_counts_as_unpacked_too(tmp_path: Path) -> None:
    """Nothing of it is written, but a small archive could keep a run busy for days."""
    announced = tarfile.TarInfo("__MACOSX/x")
    announced.size = 10 * 1024**4
    (tmp_path / "a.tar.bz2").write_bytes(bz2.compress(announced.tobuf(tarfile.GNU_FORMAT)))

    with pytest.raises(TooLarge, match="200 times the archive"):
        unpacked(tmp_path / "a.tar.bz2")


def test_the_start_says_what_kind_of_archive_it_is(tmp_path: Path) -> None:
    """A zip is known by its end, and a tar may well end with one."""
    inner = write_zip(tmp_path / "inner.zip", {"wrong/1.jpg": b"wrong"}).read_bytes()
    archive = write_tar(tmp_path / "a.tar", {"cats/1.jpg": b"cat", "old.zip": inner})

    folder, _ = unpacked(archive)

    assert files_in(folder) == {"cats/1.jpg": b"cat", "old.zip": inner}


def test_a_zip_behind_a_program_is_a_zip(tmp_path: Path) -> None:
    plain = write_zip(tmp_path / "plain.zip", {"cats/1.jpg": b"cat"}).read_bytes()
    (tmp_path / "a.zip").write_bytes(b"#!/bin/sh\nexit\n" + plain)

    assert files_in(unpacked(tmp_path / "a.zip")[0]) == {"cats/1.jpg": b"cat"}


def test_names_in_utf_8_without_the_mark_that_says_so_are_read(tmp_path: Path) -> None:
    """As macOS packs them; and one of old Windows stays what it is."""
    archive = write_zip(tmp_path / "a.zip", {"Käfer/1.jpg": b"1", "B\u00c4r/1.jpg": b"2"})
    data = archive.read_bytes().replace("BÄr".encode(), b"B\x8e_r"[:2] + b"_r")
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        parts = data.split(mark)
        data = mark.join(
            [parts[0], *(one[: offset - 3] + bytes([one[offset - 3] & ~8]) + one[offset - 2 :] for one in parts[1:])]
        )
    archive.write_bytes(data)

    assert set(files_in(unpacked(archive)[0])) == {"Käfer/1.jpg", "BÄ_r/1.jpg"}


def test_a_link_to_a_later_link_becomes_the_file(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", {"cats/1.jpg": b"cat"})
    for name, target in (("cats/2.jpg", "3.jpg"), ("cats/3.jpg", "1.jpg"), ("round", "about"), ("about", "round")):
        add_to_tar(archive, tarfile.SYMTYPE, name, target)

    folder, left_out = unpacked(archive)

    assert files_in(folder) == {f"cats/{number}.jpg": b"cat" for number in (1, 2, 3)}
    assert left_out == ("round", "about")


def test_two_files_that_would_have_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveDamaged, match=r"two of its files would have the name cats/1\.jpg"):
        unpacked(write_tar(tmp_path / "a.tar", {"cats/1.jpg": b"1", "cats\\1.jpg": b"2"}))
