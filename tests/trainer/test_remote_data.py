"""trainer/remote_data.py: data is fetched once, over HTTP, from S3 and from whatever else fsspec reads."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.s3_server import s3_bucket, upload
from tests.trainer.test_archives import write_tar, write_zip
from tests.trainer.tiny_bundle import paint, publish_tiny
from trainer.data_source import local_data
from trainer.errors.caches import CacheNotWritable
from trainer.errors.sources import DataUnreachable, ExtraMissing, TooLarge
from trainer.manifest import read_manifest
from trainer.mirror import Mirror
from trainer.predicting import predict
from trainer.progress import Quiet
from trainer.settings import PredictSettings, TrainSettings

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

EXPECTED = [("green/0 é.png", "green"), ("green/1 é.png", "green"), ("red/0 é.png", "red"), ("red/1 é.png", "red")]


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder; remembers what was asked for, and can end early."""

    asked: list[str]
    cut_after: int | None = None
    overloaded_by: str | None = None

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def send_head(self):  # type: ignore[no-untyped-def]
        if self.overloaded_by is not None and self.overloaded_by in self.path:
            return self.send_error(503)
        return super().send_head()

    def copyfile(self, source, outputfile) -> None:  # type: ignore[no-untyped-def]
        outputfile.write(source.read() if self.cut_after is None else source.read(self.cut_after))

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def serving(
    folder: Path, *, cut_after: int | None = None, overloaded_by: str | None = None
) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Served", (Handler,), {"asked": asked, "cut_after": cut_after, "overloaded_by": overloaded_by})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """site/pictures with two reds and two greens, whose names are not plain."""
    for number in range(2):
        for colour in ("red", "green"):
            paint(tmp_path / "site" / "pictures" / colour / f"{number} é.png", colour, size=20 + number)
    return tmp_path / "site" / "pictures"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


def read(address: str, tmp_path: Path, progress: Quiet | None = None, **options: str) -> list[tuple[str, str]]:
    manifest = read_manifest(address, cache_dir=tmp_path / "cache", progress=progress, **options)  # type: ignore[arg-type]
    return [(sample.name, sample.label) for sample in manifest.samples]


@pytest.fixture
def http(pictures: Path) -> Iterator[tuple[str, list[str]]]:
    pytest.importorskip("aiohttp", reason="reading https:// needs aiohttp, which is not installed here")
    with serving(pictures.parent) as served:
        yield served


def test_an_archive_is_fetched_once_and_again_when_it_changed(
    tmp_path: Path, pictures: Path, http: tuple[str, list[str]]
) -> None:
    address, asked = http
    archive = write_zip(pictures.parent / "colours.zip", contents(pictures))
    progress = Quiet()

    assert read(f"{address}/colours.zip", tmp_path, progress) == EXPECTED
    assert read(f"{address}/colours.zip", tmp_path, Quiet()) == EXPECTED
    assert asked == ["/colours.zip"]
    assert ("fetch", archive.stat().st_size) in progress.phases

    (pictures / "red" / "1 é.png").unlink()
    write_zip(archive, contents(pictures))
    os.utime(archive, (2_000_000_000, 2_000_000_000))
    assert read(f"{address}/colours.zip", tmp_path) == EXPECTED[:3]
    assert asked == ["/colours.zip"] * 2


def test_a_folder_is_mirrored_and_only_what_changed_is_fetched(
    tmp_path: Path, pictures: Path, http: tuple[str, list[str]]
) -> None:
    address, asked = http
    assert read(f"{address}/pictures/", tmp_path) == EXPECTED
    asked.clear()

    (pictures / "red" / "1 é.png").unlink()
    paint(pictures / "blue" / "0.png", "blue")
    changed = paint(pictures / "green" / "0 é.png", "green", size=31)
    os.utime(changed, (2_000_000_000, 2_000_000_000))

    assert read(f"{address}/pictures/", tmp_path) == [("blue/0.png", "blue"), *EXPECTED[:3]]
    assert sorted(path for path in asked if path.endswith(".png")) == [
        "/pictures/blue/0.png",
        "/pictures/green/0%20%C3%A9.png",
    ]


def test_a_table_brings_the_pictures_that_it_lists_and_misses_those_that_are_not_there(
    tmp_path: Path, pictures: Path, http: tuple[str, list[str]]
) -> None:
    rows = ["pictures/red/0 é.png,R", "pictures/green/0 é.png,G", "pictures/green/1 é.png,G", "pictures/gone.png,G"]
    (pictures.parent / "labels.csv").write_text("\n".join(rows))

    manifest = read_manifest(f"{http[0]}/labels.csv", cache_dir=tmp_path / "cache", max_missing=0.5)

    assert [sample.label for sample in manifest.samples] == ["G", "G", "R"]
    assert manifest.missing == ("pictures/gone.png",)
    assert TrainSettings(data=f"{http[0]}/labels.csv").model_name == "labels"


def test_a_listed_picture_that_the_server_fails_to_give_does_not_pass_for_missing(
    tmp_path: Path, pictures: Path
) -> None:
    """A run that goes on without it would train on whatever the server happened to give that day."""
    pytest.importorskip("aiohttp", reason="reading https:// needs aiohttp, which is not installed here")
    rows = [f"{path.relative_to(pictures.parent).as_posix()}\t{path.parent.name}" for path in pictures.rglob("*.png")]
    (pictures.parent / "labels.tsv").write_text("\n".join(rows))

    with (
        serving(pictures.parent, overloaded_by="red/1") as (site, _),
        pytest.raises(DataUnreachable, match="the server answers 503"),
    ):
        read(f"{site}/labels.tsv", tmp_path)


def test_a_server_that_does_not_answer_is_not_called_a_missing_file(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="reading https:// needs aiohttp, which is not installed here")

    with pytest.raises(DataUnreachable, match="Cannot connect to host"):
        read("http://127.0.0.1:9/pictures.zip", tmp_path)


def test_a_picture_elsewhere_can_be_predicted(tmp_path: Path, pictures: Path, http: tuple[str, list[str]]) -> None:
    bundle, address = publish_tiny(tmp_path / "models"), f"{http[0]}/pictures/red/0%20%C3%A9.png"
    values = {"bundle": bundle.path, "paths": [address], "threads": 1, "cache_dir": tmp_path / "cache"}

    (one,) = predict(PredictSettings.model_validate(values | {"provider": "cpu"}), Quiet())

    assert (one.name, one.label) == (address, "red")


def test_a_download_that_breaks_off_is_told_and_not_kept(tmp_path: Path, pictures: Path) -> None:
    pytest.importorskip("aiohttp", reason="reading https:// needs aiohttp, which is not installed here")
    write_tar(pictures.parent / "colours.tar", contents(pictures))

    with serving(pictures.parent, cut_after=700) as (address, _), pytest.raises(DataUnreachable, match="goes on"):
        read(f"{address}/colours.tar", tmp_path)
    with serving(pictures.parent) as (address, _):
        assert read(f"{address}/colours.tar", tmp_path) == EXPECTED
    assert not list((tmp_path / "cache" / "data").glob(".staging-*"))


def test_what_is_not_there_is_told_without_the_secrets_of_its_address(
    tmp_path: Path, http: tuple[str, list[str]]
) -> None:
    with pytest.raises(DataUnreachable, match="there is no such file or folder") as failed:
        read(f"{http[0]}/gone.zip?signature=secret", tmp_path)

    assert "secret" not in str(failed.value)


def test_a_file_system_that_nobody_knows_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(DataUnreachable, match="Protocol not known"):
        read("ftpx://host/a.zip", tmp_path)


def test_a_package_that_is_missing_is_named(tmp_path: Path) -> None:
    try:
        import adlfs  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        with pytest.raises(ExtraMissing, match="pip install adlfs"):
            read("az://container/a.zip", tmp_path)
    else:
        pytest.skip("adlfs is installed here, so that nothing is missing")


def test_any_other_file_system_of_fsspec_will_do(tmp_path: Path, pictures: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for name, data in contents(pictures).items():
        memory.pipe_file(f"/finial-test/{name}", data)
    try:
        assert read("memory://finial-test", tmp_path) == EXPECTED
    finally:
        memory.rm("/finial-test", recursive=True)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_bucket(monkeypatch) as address:
        yield address


@pytest.mark.slow
def test_s3_gives_folders_and_archives(tmp_path: Path, pictures: Path, bucket: str) -> None:
    import boto3

    upload(pictures, "sets/colours")
    write_tar(tmp_path / "colours.tar.gz", contents(pictures), "w:gz")
    boto3.client("s3").upload_file(str(tmp_path / "colours.tar.gz"), "finial", "colours.tar.gz")
    first, again, archive = Quiet(), Quiet(), Quiet()

    assert read(f"{bucket}/sets/colours", tmp_path, first) == EXPECTED
    paint(pictures / "red" / "2.png", "red", size=40)
    upload(pictures, "sets/colours")
    assert read(f"{bucket}/sets/colours", tmp_path, again) == [*EXPECTED, ("red/2.png", "red")]
    for _ in range(2):
        assert read(f"{bucket}/colours.tar.gz", tmp_path, archive) == EXPECTED

    assert ("fetch", 4) in first.phases
    assert [name for name, _ in archive.phases].count("fetch") == 1


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_told(tmp_path: Path, bucket: str) -> None:
    with pytest.raises(DataUnreachable):
        read("s3://nobodys/a.zip", tmp_path)


class Refusing(Handler):
    """Announces an archive, and then fails to give it."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.send_header("ETag", '"1"')
        self.end_headers()

    def do_GET(self) -> None:
        self.send_error(500)


@pytest.mark.parametrize("query", ["sv=2024&sig=SECRET%2Fab%2Bcd%3D", "sig=SECRETplain", "a=K%2F2&sig=SECRET~x%7Ey"])
def test_a_signature_is_not_told_however_the_client_spells_it(tmp_path: Path, query: str) -> None:
    pytest.importorskip("aiohttp", reason="reading https:// needs aiohttp, which is not installed here")
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(DataUnreachable, match="the server answers 500 Internal Server Error") as failed:
                read(f"http://127.0.0.1:{server.server_port}/a.zip?{query}", tmp_path)
        finally:
            server.shutdown()
            thread.join()

    assert "SECRET" not in str(failed.value) and "sig" not in str(failed.value)


def make_file_system(answer: Callable[[Any], None]) -> type:
    """A file system of one file of unknown size, which answers as it is told to when that is fetched."""
    from fsspec import AbstractFileSystem

    class Answering(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
        protocol = "answering"

        def info(self, path: str, **_options: object) -> dict[str, object]:
            return {"name": path, "type": "file", "size": None}

        def get_file(self, _path: str, target: str, callback: Any, **_options: object) -> None:
            Path(target).write_bytes(b"some")
            answer(callback)

    return Answering


def endless(callback: Any) -> None:
    for _ in range(10):
        callback.relative_update(10**15)
    raise AssertionError("nobody stopped it")


def full(_callback: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("name", ["a.zip", "1.jpg"])
@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [(endless, TooLarge, "the disk has room for"), (full, CacheNotWritable, "No space left")],
)
def test_no_more_is_fetched_than_the_disk_holds(
    tmp_path: Path, name: str, answer: Callable[[Any], None], error: type[Exception], told: str
) -> None:
    """Also where no length is announced; and a full disk is not called a fault of the network."""
    import fsspec

    fsspec.register_implementation("answering", make_file_system(answer), clobber=True)

    with pytest.raises(error, match=told):
        read(f"answering://host/{name}", tmp_path)


@pytest.fixture
def memory() -> Iterator["AbstractFileSystem"]:
    import fsspec

    files = fsspec.filesystem("memory")
    yield files
    files.rm("/finial-test", recursive=True)


def test_of_two_files_that_would_have_one_name_the_first_is_taken_and_the_other_named(
    tmp_path: Path, memory: "AbstractFileSystem"
) -> None:
    """Which of them would come first is for chance to say, if they are fetched at once."""
    for name, data in (("b.jpg", b"0"), ("a\\1.jpg", b"2"), ("a/1.jpg", b"1")):
        memory.pipe_file(f"/finial-test/{name}", data)

    found = local_data("memory://finial-test/", cache_dir=tmp_path, progress=Quiet())

    assert {path.name: path.read_bytes() for path in found.path.rglob("*.jpg")} == {"b.jpg": b"0", "1.jpg": b"1"}
    assert [one.name for one in found.left_out] == ["a/1.jpg"]


def test_a_folder_may_become_a_file_and_a_file_a_folder(tmp_path: Path, memory: "AbstractFileSystem") -> None:
    def fetched(*names: str) -> set[str]:
        for name in names:
            memory.pipe_file(f"/finial-test/{name}", b"1")
        folder = local_data("memory://finial-test/", cache_dir=tmp_path, progress=Quiet()).path
        memory.rm("/finial-test", recursive=True)
        memory.pipe_file("/finial-test/rest", b"1")
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    assert fetched("a/b/1.jpg") == {"a/b/1.jpg"}
    assert fetched("a") == {"a", "rest"}
    assert fetched("a/1.jpg") == {"a/1.jpg", "rest"}


def test_a_run_that_waits_for_another_says_so(tmp_path: Path) -> None:
    """Up to a day, which would look like a run that hangs."""
    told = threading.Event()
    mirror = Mirror(tmp_path / "home", origin="s3://bucket")

    def wait() -> None:
        with Mirror(tmp_path / "home", origin="s3://bucket").held(told.set):
            pass

    waiting = threading.Thread(target=wait)
    with mirror.held(lambda: pytest.fail("nobody fetches")):
        waiting.start()
        assert told.wait(timeout=60)
    waiting.join(timeout=60)

    assert not waiting.is_alive()
