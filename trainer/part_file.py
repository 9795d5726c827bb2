"""One part of a cache: a parquet file of rows, named after its own SHA-256.

The name proves the content, so a reader need not trust whoever wrote it: this run, another, or a worker far away.
"""

import contextlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from shared.files import sha256_of, write_atomically
from trainer.errors.caches import CachePartDamaged

if TYPE_CHECKING:
    import pyarrow as pa

FETCHED = ".fetched"
"""A file beside parts: names of those that came from elsewhere, since compaction replaces them here and not there."""

_NAME = re.compile(r"part-([0-9a-f]{64})\.parquet")
_ABANDONED = re.compile(r"\..+\.[0-9a-f]{16}")  # the temporary names of write_atomically
_ABANDONED_AFTER_S = 3600.0  # a file takes less than a second


def is_part_name(name: str) -> bool:
    """Whether a file of this name would be a part."""
    return _NAME.fullmatch(name) is not None


def list_parts(folder: Path) -> list[Path]:
    """The parts in a folder, sorted; none if there is no such folder."""
    return sorted(path for path in folder.glob("part-*.parquet") if is_part_name(path.name))


def list_abandoned(folder: Path) -> list[Path]:
    """What runs that were killed left half-written in a folder."""
    return [path for path in sorted(folder.glob(".*")) if _ABANDONED.fullmatch(path.name) and _is_old(path)]


def write_part(folder: Path, rows: "pa.Table") -> Path:
    """Write rows as one part: whole under a temporary name, then renamed.

    Raises:
        OSError: the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pa.BufferOutputStream()
    # Floats and pixels hardly compress, and a dictionary of distinct values would only grow the file.
    pq.write_table(rows, file, compression="none", use_dictionary=False)
    data = file.getvalue().to_pybytes()
    path = folder / f"part-{sha256_of(data)}.parquet"
    write_atomically(path, data)
    return path


def read_part(path: Path, schema: "pa.Schema") -> "pa.Table":
    """Read a part and prove it whole: hash of the file, schema, row count.

    Raises:
        CachePartDamaged: it is not what was written.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    # Page checksums alone would miss damage in the footer.
    if not _keeps_its_promise(path, data):
        raise CachePartDamaged(path, "its bytes are not those its name promises")
    try:
        return _decode(data, schema)
    except Exception as error:  # whatever pyarrow trips over in a file that it did not write
        raise CachePartDamaged(path, str(error) or type(error).__name__) from error


def digests_in(path: Path) -> list[str]:
    """The pictures that a part is about; the rest of it is neither read nor proved whole.

    Raises:
        CachePartDamaged: it cannot be understood.
        OSError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not by read_table: a thread of Arrow's that reads ahead may still be at work, or hold a file of Python's, as
        # the process ends, which then aborts or never does.
        with pq.ParquetFile(path, pre_buffer=False) as file:
            digests: list[str] = file.read(columns=["digest"], use_threads=False)["digest"].to_pylist()
    except (pa.ArrowException, KeyError) as error:
        raise CachePartDamaged(path, str(error)) from error
    return digests


def is_whole(path: Path) -> bool:
    """Whether the bytes of a part are those its name promises.

    Raises:
        OSError: it cannot be read.
    """
    return _keeps_its_promise(path, path.read_bytes())


def _is_old(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S
    return False


def _keeps_its_promise(path: Path, data: bytes) -> bool:
    name = _NAME.fullmatch(path.name)
    return name is not None and sha256_of(data) == name[1]


def _decode(data: bytes, schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data))
    if not file.schema_arrow.equals(schema, check_metadata=False):
        raise ValueError(f"its columns are {_columns(file.schema_arrow)}, expected {_columns(schema)}")
    table = file.read(use_threads=False).combine_chunks()
    if table.num_rows != file.metadata.num_rows or any(column.null_count for column in table.columns):
        raise ValueError(f"{table.num_rows} whole rows, its footer promises {file.metadata.num_rows}")
    return table


def _columns(schema: "pa.Schema") -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)
