"""service/remote_store.py and its rooms: models are fetched from a web server, whatever that server does."""

import errno
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.http_files import HttpFiles
from service.remote_store import RemoteStore, open_remote_store
from service.store_errors import CacheTooSmall, StoreClosed, StoreUnreachable
from shared.bundle import METADATA_FILE, MODEL_FILE, Bundle, read_bundle
from shared.errors import BundleCorrupted, BundleError, BundleIncomplete, BundleInvalid, ModelMissing
from shared.files import sha256_of
from shared.remote import open_place
from tests.service.bundles import publish_bundle
from tests.service.waiting import until
from tests.service.web_server import Fault, Site, web_site

pytest.importorskip("aiohttp", reason="reading https:// needs aiohttp, which is not installed here")

NAME = "colours"


@pytest.fixture
def site(models_dir: Path) -> Iterator[Site]:
    with web_site(Site(models_dir)) as site:
        yield site


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def store_of(site: Site, cache: Path, *, timeout_s: float = 30.0, keep: int = 3) -> RemoteStore:
    return open_remote_store(site.url, cache_dir=cache, keep=keep, timeout_s=timeout_s)


@pytest.fixture
def store(site: Site, cache: Path) -> RemoteStore:
    return store_of(site, cache)


def kept(cache: Path) -> list[str]:
    """Whatever lies in the cache besides locks."""
    return sorted(path.name for path in cache.glob("models/*/*/*") if path.name != ".lock")


def rewrite(bundle: Bundle, change: Callable[[dict[str, object]], None]) -> None:
    """bundle.json as somebody wrote it who knows how to make its digest."""
    fields = json.loads((bundle.path / METADATA_FILE).read_bytes())
    fields.pop("metadata_sha256")
    change(fields)
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    (bundle.path / METADATA_FILE).write_text(json.dumps({"metadata_sha256": sha256_of(canonical)} | fields))


def test_a_version_is_fetched_once_and_is_what_was_published(
    bundle: Bundle, site: Site, store: RemoteStore, cache: Path
) -> None:
    assert store.current(NAME) == bundle.version
    for _ in range(2):
        path = store.obtain(NAME, bundle.version)

    assert read_bundle(path).metadata == bundle.metadata
    assert path.name == bundle.version
    assert site.statuses(f"/{MODEL_FILE}") == [200]
    assert kept(cache) == [bundle.version]


@pytest.mark.parametrize(("tells", "statuses"), [("etag", [200, 304, 200]), ("date", [200, 304, 200])])
def test_current_is_asked_for_only_if_it_changed_where_the_server_tells(
    tells: str, statuses: list[int], bundle: Bundle, site: Site, store: RemoteStore
) -> None:
    site.tells = tells  # type: ignore[assignment]
    assert [store.current(NAME), store.current(NAME)] == [bundle.version] * 2
    later = publish_bundle(site.folder)
    os.utime(site.folder / NAME / "current", (2_000_000_000, 2_000_000_000))

    assert store.current(NAME) == later.version
    assert site.statuses("/current") == statuses


def test_where_the_server_tells_nothing_it_is_asked_plainly(bundle: Bundle, site: Site, store: RemoteStore) -> None:
    site.tells = "nothing"
    store.current(NAME)
    later = publish_bundle(site.folder)

    assert store.current(NAME) == later.version
    assert site.statuses("/current") == [200, 200]


def test_a_server_whose_tag_changes_without_the_file_is_believed_by_content(
    bundle: Bundle, site: Site, store: RemoteStore
) -> None:
    """Several servers behind one name often disagree on tags."""
    store.current(NAME)
    site.tells = "date"

    assert store.current(NAME) == bundle.version
    assert site.statuses("/current") == [200, 200]


def test_versions_of_the_same_second_are_told_apart_where_only_dates_are_told(
    bundle: Bundle, site: Site, store: RemoteStore
) -> None:
    site.tells = "date"
    other = publish_bundle(site.folder, labels=("red", "green"))
    for each in (bundle, other):
        os.utime(each.path / METADATA_FILE, (2_000_000_000, 2_000_000_000))

    assert store.content(NAME, bundle.version) == bundle.metadata.content_sha256
    assert store.content(NAME, other.version) == other.metadata.content_sha256


FAULTS: list[tuple[Fault, str, type[Exception], str]] = [
    ("500", MODEL_FILE, StoreUnreachable, "the server answers 500"),
    ("403", MODEL_FILE, StoreUnreachable, "the server answers 403"),
    ("hangs", MODEL_FILE, StoreUnreachable, "no answer within 0.3 s"),
    ("hangs", METADATA_FILE, StoreUnreachable, "no answer within 0.3 s"),
    ("truncates", MODEL_FILE, StoreUnreachable, "cannot be read"),
    ("short", MODEL_FILE, BundleIncomplete, "bytes came, bundle.json says"),
    ("long", MODEL_FILE, BundleIncomplete, "more than"),
    ("endless", MODEL_FILE, BundleIncomplete, "more than"),
    ("endless", METADATA_FILE, BundleInvalid, "more than"),
    ("500", METADATA_FILE, StoreUnreachable, "the server answers 500"),
    ("truncates", METADATA_FILE, StoreUnreachable, "cannot be read"),
    ("short", METADATA_FILE, BundleInvalid, "it tells no content hash"),
]


@pytest.mark.parametrize(("fault", "end", "error", "told"), FAULTS)
def test_whatever_the_server_does_is_told_leaves_nothing_behind_and_is_over_when_it_is_mended(
    fault: Fault, end: str, error: type[Exception], told: str, bundle: Bundle, site: Site, cache: Path
) -> None:
    store = store_of(site, cache, timeout_s=0.3 if fault == "hangs" else 30)
    site.faults[end] = fault
    with pytest.raises(error, match=told):
        store.obtain(NAME, bundle.version)
    assert kept(cache) == []

    site.faults.clear()
    mended = store_of(site, cache) if fault == "hangs" else store  # one that waits longer: machines are slow at times
    assert mended.obtain(NAME, bundle.version).name == bundle.version


def test_a_server_that_drips_is_given_up(bundle: Bundle, site: Site, cache: Path) -> None:
    """Each byte comes in time, and all together never would."""
    store = store_of(site, cache, timeout_s=0.5)
    site.faults[MODEL_FILE] = "drips"

    with pytest.raises(StoreUnreachable, match="a slower one than is of use"):
        store.obtain(NAME, bundle.version)
    assert kept(cache) == []


def test_a_server_that_is_not_there_is_told(cache: Path) -> None:
    store = open_remote_store("http://127.0.0.1:9/models?sig=SECRET", cache_dir=cache, keep=3, timeout_s=1.0)

    with pytest.raises(StoreUnreachable, match="Cannot connect to host") as failed:
        store.current(NAME)
    assert "SECRET" not in str(failed.value)


@pytest.mark.parametrize("content", ["", "latest", "../../../etc", "x" * 2000])
def test_a_current_that_names_no_version_is_told(content: str, bundle: Bundle, site: Site, store: RemoteStore) -> None:
    (site.folder / NAME / "current").write_text(content)

    with pytest.raises(BundleInvalid, match=r"is not a version|more than 1,024 bytes"):
        store.current(NAME)


def test_what_is_not_there_is_missing_and_not_an_outage(bundle: Bundle, site: Site, store: RemoteStore) -> None:
    with pytest.raises(ModelMissing):
        store.current("cats")
    with pytest.raises(ModelMissing):
        store.obtain(NAME, "20260101T000000000Z-00000000")

    (bundle.path / "labels.txt").unlink()
    with pytest.raises(BundleIncomplete, match=r"labels\.txt"):
        store.obtain(NAME, bundle.version)


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside", ".hidden", "a//b"])
def test_a_path_that_leaves_the_folder_is_refused_before_anything_is_fetched(
    name: str, bundle: Bundle, site: Site, store: RemoteStore, cache: Path
) -> None:
    def add(fields: dict[str, object]) -> None:
        fields["files"] = {name: {"sha256": "0" * 64, "size_bytes": 3}, **fields["files"]}  # type: ignore[dict-item]

    rewrite(bundle, add)
    site.asked.clear()
    with pytest.raises(BundleInvalid, match="files"):
        store.obtain(NAME, bundle.version)

    assert {path.rpartition("/")[2] for path, _ in site.asked} == {METADATA_FILE}
    assert kept(cache) == []


def test_more_than_the_disk_holds_is_refused_before_anything_is_fetched(
    bundle: Bundle, site: Site, store: RemoteStore
) -> None:
    def enlarge(fields: dict[str, object]) -> None:
        fields["files"][MODEL_FILE]["size_bytes"] = 10**18  # type: ignore[index]

    rewrite(bundle, enlarge)
    with pytest.raises(CacheTooSmall, match="it has 1,000,000,000,000,00"):
        store.obtain(NAME, bundle.version)
    assert site.statuses(MODEL_FILE) == []


def test_a_file_of_another_content_is_refused(bundle: Bundle, site: Site, store: RemoteStore, cache: Path) -> None:
    data = bytearray((bundle.path / MODEL_FILE).read_bytes())
    data[-1] ^= 1
    (bundle.path / MODEL_FILE).write_bytes(data)

    with pytest.raises(BundleCorrupted, match=re.escape(f"{site.url}/{NAME}/{bundle.version}/{MODEL_FILE}")):
        store.obtain(NAME, bundle.version)
    assert kept(cache) == []


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing", "no list"])
def test_a_copy_that_was_damaged_is_fetched_again(
    damage: str, bundle: Bundle, site: Site, store: RemoteStore, cache: Path
) -> None:
    path = store.obtain(NAME, bundle.version)
    file = path / (METADATA_FILE if damage == "no list" else MODEL_FILE)
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if damage == "flipped" else content[:-5])
    if damage in ("missing", "no list"):
        file.unlink()

    assert read_bundle(store.obtain(NAME, bundle.version)).metadata == bundle.metadata
    assert site.statuses(MODEL_FILE) == [200, 200]
    assert kept(cache) == [bundle.version]


def test_a_version_that_was_published_again_with_other_content_is_fetched_again(
    bundle: Bundle, site: Site, store: RemoteStore
) -> None:
    """Nobody should; whoever starts then must not serve the old one by its copy."""
    store.obtain(NAME, bundle.version)
    other = publish_bundle(site.folder, labels=("red", "green"))
    bundle.path.rename(site.folder / "aside")
    other.path.rename(bundle.path)

    assert read_bundle(store.obtain(NAME, bundle.version)).metadata.labels == ("red", "green")


def test_a_whole_copy_will_do_while_nobody_answers(bundle: Bundle, site: Site, cache: Path) -> None:
    """A replica that starts while its bucket is away serves what it served last."""
    store = store_of(site, cache)
    store.obtain(NAME, bundle.version)
    store.remember(NAME, bundle.version)
    site.faults[""] = "500"
    again = store_of(site, cache)

    assert again.remembered() == {NAME: bundle.version}
    assert read_bundle(again.obtain(NAME, bundle.version)).metadata == bundle.metadata


def test_few_versions_are_kept_and_the_one_that_is_served_always(site: Site, cache: Path) -> None:
    store, versions = store_of(site, cache, keep=2), [publish_bundle(site.folder).version for _ in range(5)]
    for number, version in enumerate(versions):
        os.utime(store.obtain(NAME, version), (number, number))
        if number == 0:
            store.remember(NAME, version)

    assert kept(cache) == sorted(["current", versions[0], *versions[-2:]])
    store.forget(NAME)
    assert kept(cache) == []


def test_what_a_killed_process_left_is_removed(bundle: Bundle, site: Site, cache: Path) -> None:
    """tests/integration/test_remote_models.py kills one."""
    store = store_of(site, cache)
    parent = store.obtain(NAME, bundle.version).parent
    for name in (".fetching-0123", ".removed-4567"):
        (parent / name).mkdir()
        (parent / name / MODEL_FILE).write_bytes(b"half")
    (parent / ".current.89ab").write_bytes(b"half")
    store.obtain(NAME, bundle.version)

    assert kept(cache) == [bundle.version]


def test_two_processes_that_share_a_cache_fetch_once(bundle: Bundle, site: Site, cache: Path) -> None:
    """Workers of one service see a new version in the same second. Locks of files hold between threads, too."""
    threads = [
        threading.Thread(target=lambda: store_of(site, cache).obtain(NAME, bundle.version), daemon=True)
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert site.statuses(MODEL_FILE) == [200]
    assert kept(cache) == [bundle.version]


@pytest.mark.parametrize("fault", ["drips", "hangs"])
def test_closing_ends_a_fetch_that_is_under_way_and_those_that_wait_for_it(
    fault: Fault, bundle: Bundle, site: Site, cache: Path
) -> None:
    site.faults[MODEL_FILE] = fault
    stores, ended = [store_of(site, cache, timeout_s=600) for _ in range(2)], []

    def obtain(store: RemoteStore) -> None:
        try:
            store.obtain(NAME, bundle.version)
        except (StoreClosed, BundleError) as error:
            ended.append(type(error))

    threads = [threading.Thread(target=obtain, args=(store,), daemon=True) for store in stores]
    for thread in threads:
        thread.start()
    until(lambda: site.statuses(MODEL_FILE))
    for store in stores:
        store.close()
    for thread in threads:
        thread.join(60)

    assert ended == [StoreClosed, StoreClosed]
    assert kept(cache) == []


def test_a_signature_in_the_address_is_part_of_every_request_and_of_no_path(
    bundle: Bundle, site: Site, cache: Path
) -> None:
    store = open_remote_store(f"{site.url}/?sig=a%2Fb", cache_dir=cache, keep=3, timeout_s=5)

    assert store.current(NAME) == bundle.version
    assert store.obtain(NAME, bundle.version).is_dir()
    assert "sig" not in store.origin
    assert kept(cache) == [bundle.version]


def http_files(site: Site, *, timeout_s: float = 30.0) -> HttpFiles:
    return HttpFiles(open_place(site.url, patience_s=timeout_s), timeout_s=timeout_s)


def test_a_disk_that_is_full_is_not_told_as_a_server_that_does_not_answer(bundle: Bundle, site: Site) -> None:
    def take(_piece: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as raised:
        http_files(site).fetch(f"{NAME}/current", take, size_bytes=100)
    assert not isinstance(raised.value, StoreUnreachable)


def test_a_disk_that_is_slow_holds_up_no_other_file_and_is_not_the_servers_fault(bundle: Bundle, site: Site) -> None:
    files, writing, written = http_files(site, timeout_s=0.3), threading.Event(), threading.Event()
    taken: list[bytes] = []

    def take(piece: bytes) -> None:
        writing.set()
        written.wait(30)
        taken.append(piece)

    size_bytes = bundle.model_path.stat().st_size
    path = f"{NAME}/{bundle.version}/{MODEL_FILE}"
    thread = threading.Thread(target=lambda: files.fetch(path, take, size_bytes=size_bytes))
    thread.start()
    assert writing.wait(30)
    for _ in range(4):  # longer than the server may take for the other one
        assert files.read(f"{NAME}/current", limit=100).decode().strip() == bundle.version
        writing.clear()
        assert not writing.wait(0.15)
    written.set()
    thread.join()

    assert b"".join(taken) == bundle.model_path.read_bytes()
