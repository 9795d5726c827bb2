"""Graphs kept in the cache, each under a key of everything it was made from, and the digest of its own bytes."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from shared.files import sha256_of, write_atomically
from trainer.errors.caches import CacheNotWritable

GRAPHS_FOLDER = "graphs"


def kept_graph(cache_dir: Path, key: str, make: Callable[[], bytes]) -> bytes:
    """The graph of this key, made if it is not there; kept as <cache>/graphs/<key>-<SHA-256 of the file>.onnx.

    A file whose content is not what its name says is removed.

    Raises:
        CacheNotWritable: it cannot be stored. This is learned before it is made.
    """
    if (cached := stored_graph(cache_dir, key)) is not None:
        return cached
    folder = cache_dir / GRAPHS_FOLDER
    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    graph = make()
    with _writable(folder):
        write_atomically(folder / f"{key}-{sha256_of(graph)}.onnx", graph)
    return graph


def stored_graph(cache_dir: Path, key: str) -> bytes | None:
    """The stored graph of this key whose content is what its name says; any other of this key is removed."""
    for path in (cache_dir / GRAPHS_FOLDER).glob(f"{key}-*.onnx"):
        with contextlib.suppress(OSError):  # unreadable, or removed by another run: as if it were not there
            data = path.read_bytes()
            if path.stem == f"{key}-{sha256_of(data)}":
                with contextlib.suppress(OSError):  # in a read-only cache nobody prunes by age
                    os.utime(path)
                return data
            path.unlink()
    return None


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheNotWritable(folder, str(error)) from error
