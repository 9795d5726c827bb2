"""One part of the feature cache: a parquet file of rows, named after its own SHA-256.

The name proves the content, so a reader need not trust whoever wrote it: this run, another, or a worker far away.
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.files import sha256_of, write_atomically
from trainer.errors import FeaturePartDamaged

_NAME = re.compile(r"part-([0-9a-f]{64})\.parquet")
_TEMPORARY_PREFIX = ".part-"  # write_atomically hides what is not finished behind a dot


@dataclass(frozen=True)
class FeatureRows:
    """Rows of features.

    Attributes:
        digests: SHA-256 of each picture's bytes.
        views: which view of it each row is.
        features: shape (N, D), float32.
    """

    digests: tuple[str, ...]
    views: tuple[str, ...]
    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.digests)


def list_parts(folder: Path) -> list[Path]:
    """The parts in a folder, sorted; none if there is no such folder."""
    return sorted(path for path in folder.glob("part-*.parquet") if _NAME.fullmatch(path.name))


def list_unfinished(folder: Path) -> list[Path]:
    """Files in a folder that are being written, or were when a run was killed."""
    return sorted(folder.glob(f"{_TEMPORARY_PREFIX}*"))


def write_part(folder: Path, rows: FeatureRows) -> Path:
    """Write rows as one part: whole under a temporary name, then renamed.

    Raises:
        OSError: the folder cannot be written.
    """
    data = _encode(rows)
    path = folder / f"part-{sha256_of(data)}.parquet"
    write_atomically(path, data)
    return path


def read_part(path: Path, feature_size: int) -> FeatureRows:
    """Read a part and prove it whole: hash of the file, schema, row count.

    Raises:
        FeaturePartDamaged: it is not what was written.
        OSError: it cannot be read.
    """
    name = _NAME.fullmatch(path.name)
    data = path.read_bytes()
    # Page checksums alone would miss damage in the footer.
    if name is None or sha256_of(data) != name[1]:
        raise FeaturePartDamaged(path, "its bytes are not those its name promises")
    try:
        return _decode(data, feature_size)
    except Exception as error:  # whatever pyarrow trips over in a file that it did not write
        raise FeaturePartDamaged(path, str(error) or type(error).__name__) from error


def _encode(rows: FeatureRows) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = rows.features.shape[1]
    flat = pa.array(np.ascontiguousarray(rows.features).reshape(-1), type=pa.float32())
    columns = [
        pa.array(rows.digests, type=pa.string()),
        pa.array(rows.views, type=pa.string()),
        pa.FixedSizeListArray.from_arrays(flat, size),
    ]
    file = io.BytesIO()
    # Float features hardly compress, and a dictionary of distinct values would only grow the file.
    pq.write_table(pa.table(columns, schema=_schema(size)), file, compression="none", use_dictionary=False)
    return file.getvalue()


def _decode(data: bytes, feature_size: int) -> FeatureRows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data))
    schema = _schema(feature_size)
    if not file.schema_arrow.equals(schema, check_metadata=False):
        raise ValueError(f"its columns are {_columns(file.schema_arrow)}, expected {_columns(schema)}")
    table = file.read(use_threads=False).combine_chunks()
    if table.num_rows != file.metadata.num_rows or any(column.null_count for column in table.columns):
        raise ValueError(f"{table.num_rows} whole rows, its footer promises {file.metadata.num_rows}")
    digests, views = (tuple(table.column(name).to_pylist()) for name in ("digest", "view"))
    features = [chunk.flatten().to_numpy() for chunk in table.column("features").chunks]
    flat = np.concatenate(features) if features else np.empty(0, np.float32)
    return FeatureRows(digests=digests, views=views, features=flat.reshape(len(digests), feature_size))


def _schema(feature_size: int) -> Any:
    import pyarrow as pa

    features = pa.list_(pa.field("element", pa.float32()), feature_size)
    return pa.schema([("digest", pa.string()), ("view", pa.string()), ("features", features)])


def _columns(schema: Any) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)
