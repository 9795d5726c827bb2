"""Data elsewhere: s3://, https:// and whatever else fsspec reads, fetched once and kept in the cache.

An archive is fetched when its ETag, date or size is another than last time. A folder, or a table with the pictures
that it lists, is mirrored: each file is fetched when it is new or changed, so that an interrupted run goes on where it
was. Where a server tells neither ETag nor date, a file cannot be known to be unchanged, and is fetched again.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from shared.addresses import shown
from shared.files import sha256_of, sha256_of_file, write_atomically
from shared.remote import RemotePlace, is_http, says_absent
from trainer.cache_description import describe
from trainer.data_folder import address_home
from trainer.data_source import LocalData, staging, unpack_once, unpacked
from trainer.errors.sources import DataUnreachable
from trainer.label_table import read_label_table
from trainer.locations import archive_suffix, last_name
from trainer.member_names import safe_name
from trainer.mirror import Mirror, RemoteFile
from trainer.picture_files import is_table
from trainer.progress import Phase, Progress
from trainer.remote_errors import open_data, reached
from trainer.samples import PassedOver
from trainer.unpacked_size import Allowance

_TELLS = frozenset(
    (
        *("etag", "e_tag", "content-md5", "md5hash", "generation"),
        *("last-modified", "lastmodified", "last_modified", "mtime", "modified", "updated", "created"),
    )
)
_AT_ONCE = 8


def fetch(location: str, *, cache_dir: Path, progress: Progress) -> LocalData:
    """The data on this machine; fetches what is not there yet.

    Raises:
        DataUnreachable, ExtraMissing: it cannot be had.
        BadData: an archive is damaged, encrypted, too large or unsafe.
        CacheNotWritable: there is no place for it.
    """
    with reached(location, cache_dir):
        place = open_data(location)
        info = {} if location.endswith("/") else place.files.info(place.path)
    home = address_home(sha256_of(location.encode()), cache_dir)
    if archive_suffix(last_name(location)):
        return _fetch_archive(place, info, home, cache_dir=cache_dir, progress=progress)
    mirror = Mirror(home, origin=shown(location))
    with mirror.held(lambda: progress.say(f"another run fetches {shown(location)}; this one waits for it to end")):
        describe(home, {"data": shown(location)})
        if not info or info.get("type") == "directory":
            with reached(location, cache_dir):
                listed, left_out = _list(place)
            _get_all(place, listed, mirror, progress)
            return LocalData(mirror.folder, mirror.folder, left_out)
        name = safe_name(last_name(location), origin=shown(location)) or "data"
        _get_all(place, [_remote_file(name, place.path, info)], mirror, progress, others_stay=True)
        if is_table(Path(name)):
            with reached(location, cache_dir):
                listed = [_remote_file(name, place.path, info), *_listed_in(mirror.folder / name, place)]
            _get_all(place, listed, mirror, progress)
        return LocalData(mirror.folder / name, mirror.folder)


def _fetch_archive(
    place: RemotePlace, info: Mapping[str, Any], home: Path, *, cache_dir: Path, progress: Progress
) -> LocalData:
    state, note = _state(info), home.with_suffix(".json")
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(note.read_bytes())
        if state is not None and known["state"] == state and (done := unpacked(known["digest"], cache_dir)):
            return done
    with staging(cache_dir) as beside:
        archive, size = beside / "archive", info.get("size")
        Allowance(beside, origin=shown(place.location)).bytes(size or 0)
        with progress.phase("fetch", total=size, unit="byte") as phase, reached(place.location, beside):
            _get(place, place.path, archive, Allowance(beside, origin=shown(place.location)), phase)
        _require_whole(archive, info, place.location)
        digest = sha256_of_file(archive)
        done = unpacked(digest, cache_dir) or unpack_once(
            archive, digest, place.location, cache_dir=cache_dir, progress=progress
        )
    note.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(note, json.dumps({"state": state, "digest": digest}).encode())
    return done


def _list(place: RemotePlace) -> tuple[list[RemoteFile], tuple[PassedOver, ...]]:
    """Every file below the address; hidden ones are left where they are, and of several of one name all but the first.

    The first is that whose path sorts first: which one is taken does not depend on what comes quicker.
    """
    found: Mapping[str, Mapping[str, Any]] = place.files.find(place.path, detail=True)
    listed: dict[str, RemoteFile] = {}
    left_out: list[PassedOver] = []
    for path, info in sorted(found.items()):
        name = _local_name(path, place)
        if name is None or any(part.startswith(".") for part in name.split("/")):
            continue
        if name in listed:
            left_out.append(PassedOver(name, "another file there has the same name, and was taken"))
        else:
            listed[name] = _remote_file(name, path, info)
    return list(listed.values()), tuple(left_out)


def _local_name(path: str, place: RemotePlace) -> str | None:
    relative = path.removeprefix(place.path.rstrip("/"))
    if is_http(place.location):
        relative = unquote(urlsplit(relative).path)
    return safe_name(relative.lstrip("/"), origin=shown(place.location))


def _listed_in(table: Path, place: RemotePlace) -> Iterator[RemoteFile]:
    """The pictures that a table lists, beside it; one that is not there is for the reading to miss."""
    beside = place.path.rpartition("/")[0]
    names = {safe_name(row.path, origin=shown(place.location)) for row in read_label_table(table)}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        wanted = sorted(name for name in names if name)
        for name, info in zip(wanted, threads.map(lambda one: _info(place, f"{beside}/{one}"), wanted), strict=True):
            if info is not None:
                yield _remote_file(name, f"{beside}/{name}", info)


def _info(place: RemotePlace, path: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = place.files.info(path)
    except FileNotFoundError as error:
        if not says_absent(error):
            raise
        return None
    return found


def _get_all(
    place: RemotePlace, listed: list[RemoteFile], mirror: Mirror, progress: Progress, *, others_stay: bool = False
) -> None:
    """Fetch what the mirror does not have yet."""

    def get(file: RemoteFile) -> None:
        with reached(place.location, mirror.folder):
            state = file.state or _state(place.files.info(file.path))
            if state is None or not mirror.has(file.name, state):
                with mirror.receive(file.name, state) as target:
                    _get(place, file.path, target, allowance)

    if not others_stay:
        mirror.drop_others({file.name for file in listed})
    wanted = [file for file in listed if file.state is None or not mirror.has(file.name, file.state)]
    mirror.require_room(sum(file.size or 0 for file in wanted), files=len(listed))
    allowance = mirror.allowance()
    if wanted:
        with progress.phase("fetch", total=len(wanted)) as phase, ThreadPoolExecutor(_AT_ONCE) as threads:
            try:
                for _ in threads.map(get, wanted):
                    phase.advance()
            finally:
                threads.shutdown(cancel_futures=True)


def _get(place: RemotePlace, path: str, target: Path, allowance: Allowance, phase: Phase | None = None) -> None:
    """Fetch one file; not more than there is room for, however much was announced."""
    from fsspec.callbacks import Callback

    class Counted(Callback):  # type: ignore[misc]  # fsspec has no types
        def relative_update(self, inc: int = 1) -> None:
            allowance.bytes(inc)
            if phase is not None:
                phase.advance(inc)

    place.files.get_file(path, str(target), callback=Counted())


def _require_whole(path: Path, info: Mapping[str, Any], location: str) -> None:
    expected, found = info.get("size"), path.stat().st_size
    if expected is not None and expected != found:
        raise DataUnreachable(shown(location), f"{found:,} bytes came, {expected:,} were announced")


def _remote_file(name: str, path: str, info: Mapping[str, Any]) -> RemoteFile:
    return RemoteFile(name, path, info.get("size"), _state(info))


def _state(info: Mapping[str, Any]) -> str | None:
    """What tells that a file is the same still; None where nothing but its size is known."""
    told = {key.lower(): str(value) for key, value in info.items() if key.lower() in _TELLS and value is not None}
    return json.dumps(told | {"size": info.get("size")}, sort_keys=True) if told else None
