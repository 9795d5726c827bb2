"""Bulk predictions on disk: a journal while the work goes on, a .csv or .parquet table when it is done.

The journal `.<name>.partial` holds one JSON line a picture, so that an interrupted run goes on where it stopped;
the table itself appears whole, at the end. A line counts for the file it was made from: size, mtime and inode are
compared, as in the stat cache, so that a run that goes on over a million pictures does not read them all again.
"""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shared.files import write_atomically

COLUMNS = ("file", "label", "score", "novelty", "unfamiliar", "actual", "problem")
_STATE = "state"
_BEFORE_NOVELTY = ("file", "label", "score", "actual", "problem")


def is_prediction_table(path: Path) -> bool:
    """Whether a file starts with the header that a table of predictions has, saved by whatever program."""
    try:
        with path.open("rb") as file:
            first = file.readline(1000).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False
    return tuple(re.split(r"[,;\t]", first.strip().replace('"', ""))) in (COLUMNS, _BEFORE_NOVELTY)


def state_of(path: Path) -> str | None:
    """What changes when a file does: size in bytes, mtime in ns and inode; None when it cannot be asked."""
    try:
        found = path.stat()
    except OSError:
        return None
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"


class PredictionTable:
    """The table being written to `out`, with the rows of an interrupted run of the same bundle taken over.

    Rows that tell a problem are not: the picture may have been mended, or the disk may be there again.

    Args:
        out: ends in .csv or .parquet; replaced when the run finishes.
        content_sha256: of the bundle; a journal of another one is discarded.
    """

    def __init__(self, out: Path, *, content_sha256: str) -> None:
        out.parent.mkdir(parents=True, exist_ok=True)
        self._out = out
        self._journal_path = out.with_name(f".{out.name}.partial")
        self._header = {"content_sha256": content_sha256}
        self._done = _read_journal(self._journal_path, self._header)
        _rewrite_journal(self._journal_path, self._header, self._done)
        self._journal = self._journal_path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()

    def has(self, file: str, state: str | None) -> bool:
        """Whether the picture `file` was predicted already, when its `state_of` was the same."""
        return state is not None and file in self._done and self._done[file][_STATE] == state

    def add(self, record: Mapping[str, Any], state: str | None) -> None:
        """Note one picture, a value for each of COLUMNS; it is safe from a kill once the next one is noted.

        `state` is its `state_of` from before it was read, so that a change while reading shows.
        """
        row = {**record, _STATE: state}
        self._done[record["file"]] = row
        self._journal.write(json.dumps(row) + "\n")
        self._journal.flush()

    def finish(self, *, order: Sequence[str]) -> None:
        """Write the whole table, rows in this order of files, and drop the journal."""
        rows = [{column: self._done[file][column] for column in COLUMNS} for file in order]
        write_atomically(self._out, _to_parquet(rows) if self._out.suffix == ".parquet" else _to_csv(rows))
        self._journal_path.unlink()


def _read_journal(path: Path, header: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Finished rows by file; a last line that was cut off by a kill is not one, nor is a problem."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    records = [record for line in lines if (record := _parse(line)) is not None]
    if not records or records[0] != header:
        return {}
    rows = [record for record in records[1:] if set(record) == {*COLUMNS, _STATE}]
    return {row["file"]: row for row in rows if row["problem"] is None}


def _parse(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _rewrite_journal(path: Path, header: dict[str, str], done: dict[str, dict[str, Any]]) -> None:
    write_atomically(path, "".join(json.dumps(record) + "\n" for record in (header, *done.values())).encode())


def _to_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _to_parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"score": pa.float32(), "novelty": pa.float32(), "unfamiliar": pa.bool_()}
    fields = [(name, types.get(name, pa.string())) for name in COLUMNS]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(fields)), buffer)
    return buffer.getvalue()
