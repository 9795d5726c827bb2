"""Removes from the cache what is damaged, abandoned, not used for long, or named. What is gone is computed again."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.cache_contents import CacheEntry, find_damaged, list_abandoned, read_contents
from trainer.data_folder import aside, list_data
from trainer.errors.caches import FingerprintNotFound


@dataclass(frozen=True)
class Removal:
    """Something to be removed: a file, or a fingerprint's folder with all in it."""

    path: Path
    reason: str
    size_bytes: int


def plan_removals(
    cache_dir: Path,
    *,
    older_than_s: float | None = None,
    fingerprint: str | None = None,
    now: float | None = None,
    checked: Callable[[], None] = lambda: None,
) -> list[Removal]:
    """What is to be removed; nothing is touched.

    Args:
        cache_dir: the cache folder.
        older_than_s: also what no run has used for that long.
        fingerprint: only what this names: its first letters are enough if they name one entry.
        now: in seconds since 1970; default: now.
        checked: called for each file that was looked at.

    Raises:
        FingerprintNotFound: it names nothing, or several entries.
    """
    entries = read_contents(cache_dir)
    if fingerprint is not None:
        return [_whole(_named(entries, fingerprint), "named by --fingerprint")]
    removals = [Removal(path, "unfinished", _size(path)) for path in list_abandoned(cache_dir)]
    moment = time.time() if now is None else now
    for entry in entries:
        unused_s = moment - entry.last_used
        if older_than_s is not None and unused_s > older_than_s:
            removals.append(_whole(entry, f"not used for {unused_s / 86400:.0f} days"))
        else:
            removals.extend(_damaged(entry, checked))
    return removals


def remove(
    removals: Sequence[Removal], cache_dir: Path, *, remove_folder: Callable[[Path], None] = shutil.rmtree
) -> None:
    """Remove what was planned; what is gone already is as good. Data loses its name first.

    Args:
        removals: from `plan_removals`.
        cache_dir: of the same cache.
        remove_folder: removes a folder with all in it.

    Raises:
        OSError: something cannot be removed.
    """
    data = frozenset(list_data(cache_dir))
    for one in removals:
        if one.path in data:
            remove_folder(aside(one.path))
        elif one.path.is_dir():
            remove_folder(one.path)
        else:
            one.path.unlink(missing_ok=True)


def _damaged(entry: CacheEntry, checked: Callable[[], None]) -> Iterator[Removal]:
    for damage in find_damaged(entry):
        checked()
        if damage is not None:
            size_bytes = entry.size_bytes if damage.path == entry.path else damage.path.stat().st_size
            yield Removal(damage.path, f"damaged: {damage.detail}", size_bytes)


def _size(path: Path) -> int:
    return sum(one.stat().st_size for one in (path, *path.rglob("*")) if one.is_file())


def _whole(entry: CacheEntry, reason: str) -> Removal:
    return Removal(entry.path, reason, entry.size_bytes)


def _named(entries: Sequence[CacheEntry], fingerprint: str) -> CacheEntry:
    found = [entry for entry in entries if entry.name.startswith(fingerprint)]
    if len(found) != 1:
        raise FingerprintNotFound(fingerprint, [entry.name for entry in found or entries], found=len(found))
    return found[0]
