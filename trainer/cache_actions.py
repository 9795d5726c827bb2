"""The `cache` verb: list what is kept, verify that it is whole, prune what is not worth keeping."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainer.action_result import ActionResult, columns
from trainer.cache_contents import CacheEntry, DamagedFile, find_damaged, list_abandoned, read_contents
from trainer.cache_pruning import Removal, plan_removals, remove
from trainer.feature_cache import PLAIN_VIEW
from trainer.progress import Progress
from trainer.settings import CacheSettings

_SHORT = 12


def list_all(settings: CacheSettings, _progress: Progress) -> ActionResult:
    """Everything that is kept: how large, of how many pictures, what it was made with, when it was last used."""
    entries = read_contents(settings.cache_dir)
    rows = [_row(entry) for entry in entries]
    total = sum(entry.size_bytes for entry in entries)
    text = f"{settings.cache_dir}: {len(entries)} entries, {_megabytes(total)}."
    if rows:
        text = f"{columns([tuple(_HEADS), *(_cells(row) for row in rows)])}\n{text}"
    if abandoned := list_abandoned(settings.cache_dir):
        text += f" {len(abandoned)} unfinished files or folders of runs that were killed; `cache prune` removes them."
    values = {"cache_dir": str(settings.cache_dir), "size_bytes": total, "entries": rows, "unfinished": len(abandoned)}
    return ActionResult(text, values)


def verify(settings: CacheSettings, progress: Progress) -> ActionResult:
    """Compare every file with the hash that it carries; `damaged` names those that are not what they promise."""
    entries = read_contents(settings.cache_dir)
    damaged: list[DamagedFile] = []
    files = sum(len(entry.files) for entry in entries)
    with progress.phase("verify", total=files) as phase:
        for entry in entries:
            for damage in find_damaged(entry):
                phase.advance()
                if damage is not None:
                    damaged.append(damage)
    size = sum(entry.size_bytes for entry in entries)
    text = f"{settings.cache_dir}: {files} files, {_megabytes(size)}, {len(damaged)} damaged."
    lines = [f"{one.path}: damaged, {one.detail}" for one in damaged]
    found = [{"path": str(one.path), "detail": one.detail} for one in damaged]
    return ActionResult("\n".join([*lines, text]), {"files": files, "size_bytes": size, "damaged": found})


def prune(settings: CacheSettings, progress: Progress) -> ActionResult:
    """Remove what is damaged, unfinished, not used for `--older-than`, or named by `--fingerprint`."""
    files = sum(len(entry.files) for entry in read_contents(settings.cache_dir))
    with progress.phase("verify", total=files) as phase:
        removals = plan_removals(
            settings.cache_dir,
            older_than_s=settings.older_than_s,
            fingerprint=settings.fingerprint,
            checked=phase.advance,
        )
    if not settings.dry_run:
        remove(removals, settings.cache_dir)
    return _told(settings.cache_dir, removals, dry_run=settings.dry_run)


def _told(cache_dir: Path, removals: Sequence[Removal], *, dry_run: bool) -> ActionResult:
    freed = sum(one.size_bytes for one in removals)
    doing, done = ("would remove", "would be freed") if dry_run else ("removed", "freed")
    lines = [f"{doing} {one.path} ({one.reason}, {_megabytes(one.size_bytes)})" for one in removals]
    lines.append(f"{cache_dir}: {_megabytes(freed)} {done}.")
    found = [{"path": str(one.path), "reason": one.reason, "size_bytes": one.size_bytes} for one in removals]
    return ActionResult("\n".join(lines), {"removed": found, "freed_bytes": freed, "dry_run": dry_run})


_HEADS = ("kind", "fingerprint", "pictures", "size", "last used", "made with")


def _row(entry: CacheEntry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "fingerprint": entry.name,
        "path": str(entry.path),
        "parts": len(entry.files),
        "pictures": entry.count_pictures(),
        "size_bytes": entry.size_bytes,
        "last_used": datetime.fromtimestamp(entry.last_used, UTC).isoformat(timespec="seconds"),
        "description": entry.description,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    pictures = "" if row["pictures"] is None else f"{row['pictures']:,}"
    size, day = _megabytes(row["size_bytes"]), row["last_used"][:10]
    return (row["kind"], row["fingerprint"][:_SHORT], pictures, size, day, _made_with(row["description"]))


def _made_with(description: dict[str, Any]) -> str:
    """The facts that a person tells entries apart by; a folder may hold any or none of them."""
    spec = description.get("spec") or {}
    at_least = description.get("decode_at_least")
    precision, view, graph = (str(description.get(key) or "") for key in ("precision", "view", "graph"))
    facts = [
        description.get("data"),
        description.get("backbone"),
        f"{spec.get('height')} x {spec.get('width')}, {spec.get('fit')} from {spec.get('resize')}" if spec else None,
        precision if precision != "float32" else None,
        view if view != PLAIN_VIEW else None,
        f"graph {graph[:8]}" if graph else None,  # stages and mirror image are part of it
        description.get("engine"),
        f"decoded at {at_least[0]} x {at_least[1]} or more" if at_least else None,
    ]
    return ", ".join(str(fact) for fact in facts if fact)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
