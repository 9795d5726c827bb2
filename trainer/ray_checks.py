"""What a worker answers is looked at before it is believed: a disk that it does not share is no bad picture."""

import os
from collections.abc import Sequence

from shared.files import sha256_of
from trainer.errors.clusters import WorkerCannotCompute, WorkersDiffer, WorkerWithoutFiles
from trainer.picture_rows import CANNOT_READ, CHANGED
from trainer.ray_lots import LotResult
from trainer.samples import Sample

_SHARE_CACHE = (
    "Put the cache on a disk that all nodes share, under one path (--cache-dir), or name an address that all may write "
    "to: --ray-cache s3://bucket/features."
)
_SHARE_DATA = (
    "Put the pictures on a disk that all nodes share, under one path. Those of an address such as s3:// lie in the "
    "cache's folder, so let all nodes share that: --cache-dir."
)


def require_done(result: LotResult, samples: Sequence[Sample], cache_dir: str) -> None:
    """The lot was computed, and what its worker could not read, or found changed, is so on this machine as well.

    Raises:
        WorkersDiffer, WorkerWithoutFiles, WorkerCannotCompute: it was not.
    """
    node, trouble = result.node, result.trouble
    if trouble is not None and trouble.kind == "differs":
        raise WorkersDiffer(node, trouble.detail)
    if trouble is not None and trouble.kind == "sees no cache":
        raise WorkerWithoutFiles(node, cache_dir, "there is no such folder, or another one", _SHARE_CACHE)
    if trouble is not None:
        raise WorkerCannotCompute(node, trouble.detail)
    for sample in samples:
        reason = result.refused.get(sample.digest, "")
        if reason.startswith(CANNOT_READ) and is_here(sample):
            raise WorkerWithoutFiles(node, sample.location, reason, _SHARE_DATA)
        if reason == CHANGED and is_unchanged_here(sample):
            raise WorkerWithoutFiles(
                node, sample.location, "it has another file there, such as an old copy", _SHARE_DATA
            )


def is_here(sample: Sample) -> bool:
    """Whether this machine can read a picture's file."""
    return os.access(sample.path, os.R_OK)


def is_unchanged_here(sample: Sample) -> bool:
    """Whether a picture's file on this machine is still the one that was listed."""
    try:
        return sha256_of(sample.path.read_bytes()) == sample.digest
    except OSError:
        return False
