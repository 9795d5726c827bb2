"""Parts at an address: put there whole, fetched once, fetched again where they are wanted anew."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.local import LocalFileSystem

from tests.s3_server import s3_bucket
from trainer.errors.clusters import RayCacheUnusable
from trainer.part_file import list_parts, read_part, write_part
from trainer.part_store import PartStore
from trainer.ray_parts import DistantParts

SCHEMA = pa.schema([("digest", pa.string())])
FOLDER = "features/fingerprint"


@pytest.fixture(params=["file", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "file":
        yield f"file://{tmp_path}/far"
        return
    with s3_bucket(monkeypatch) as bucket:
        yield f"{bucket}/{tmp_path.name}"  # what a server had before is there still


def put(digest: str, address: str, scratch: Path) -> str:
    """A part with one row, as a worker leaves it there; its name."""
    folder = scratch / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_part(folder, pa.table({"digest": [digest]}, schema=SCHEMA))
    (folder / "description.json").touch()
    (name,) = DistantParts(address).put(scratch)
    return name


def fetch(address: str, cache: Path, *anew: str) -> list[str]:
    """Bring everything here; the digests that are here then."""
    DistantParts(address).fetch([cache / FOLDER], cache_dir=cache, anew=anew)
    return sorted(read_part(part, SCHEMA)["digest"][0].as_py() for part in list_parts(cache / FOLDER))


def test_parts_arrive_whole_and_leave_the_worker(address: str, tmp_path: Path) -> None:
    for digest in ("a", "b", "a"):  # the last one as a lot that was given out again writes it
        put(digest, address, tmp_path / "scratch")

    assert fetch(address, tmp_path / "cache") == ["a", "b"]
    assert list_parts(tmp_path / "scratch" / FOLDER) == []


def test_a_part_is_fetched_once_even_if_a_compaction_has_taken_its_place(address: str, tmp_path: Path) -> None:
    put("a", address, tmp_path / "scratch")
    fetch(address, tmp_path / "cache")
    (part,) = list_parts(tmp_path / "cache" / FOLDER)
    part.unlink()
    put("b", address, tmp_path / "scratch")

    assert fetch(address, tmp_path / "cache") == ["b"]


def test_a_part_that_was_computed_again_is_fetched_again(address: str, tmp_path: Path) -> None:
    """It was damaged here and dropped; there it has the same name as before."""
    name = put("a", address, tmp_path / "scratch")
    fetch(address, tmp_path / "cache")
    (part,) = list_parts(tmp_path / "cache" / FOLDER)
    part.unlink()

    assert fetch(address, tmp_path / "cache", name) == ["a"]


def test_what_a_damaged_part_held_is_fetched_again(address: str, tmp_path: Path) -> None:
    """It lies there still, under names that were fetched before they were joined here."""
    put("a", address, tmp_path / "scratch")
    put("b", address, tmp_path / "scratch")
    fetch(address, tmp_path / "cache")
    store = PartStore(tmp_path / "cache" / FOLDER, SCHEMA)
    store.compact()
    (joined,) = list_parts(store.folder)
    joined.write_bytes(b"damaged")

    assert (list(store.tables()), fetch(address, tmp_path / "cache")) == ([], ["a", "b"])


def test_a_part_that_is_not_where_a_worker_has_put_it_is_told(address: str, tmp_path: Path) -> None:
    """As with file:///mnt/features where that is a disk of the node's own."""
    put("a", address, tmp_path / "scratch")

    with pytest.raises(RayCacheUnusable, match=rf"a worker has written {FOLDER}/part-0 to it, and this machine"):
        fetch(address, tmp_path / "cache", f"{FOLDER}/part-0")


class Together(LocalFileSystem):
    """Files that are read once somebody else reads one as well."""

    protocol = "together"
    others = threading.Barrier(4)

    def cat_file(self, path: str, **how: Any) -> Any:
        self.others.wait(20)
        return super().cat_file(path, **how)


def test_several_parts_are_fetched_at_a_time(tmp_path: Path) -> None:
    """Each waits for its answer longer than it takes to arrive, and there may be a hundred thousand."""
    for digest in "abcd":
        put(digest, f"file://{tmp_path}/far", tmp_path / "scratch")
    fsspec.register_implementation("together", Together, clobber=True)

    assert fetch(f"together://{tmp_path}/far", tmp_path / "cache") == ["a", "b", "c", "d"]


def test_an_address_where_nothing_is_yet_has_no_parts(address: str, tmp_path: Path) -> None:
    assert fetch(address, tmp_path / "cache") == []


def test_an_address_that_nobody_knows_is_told(tmp_path: Path) -> None:
    with pytest.raises(RayCacheUnusable, match=r"--ray-cache nowhere://x: cannot be used .*Expected an address"):
        DistantParts("nowhere://x")


def test_an_address_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "far").write_text("a file")

    with pytest.raises(RayCacheUnusable, match=r"cannot be used \(.*Not a directory"):
        put("a", f"file://{tmp_path}/far", tmp_path / "scratch")
