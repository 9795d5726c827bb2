"""What torch computes for given pixels, kept in the cache: the parity gate asks for the same few in run after run."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.files import sha256_of
from shared.preprocess import PreprocessSpec
from trainer.cache_description import describe
from trainer.engines import TorchEngine
from trainer.errors.caches import CacheNotWritable
from trainer.feature_cache import PLAIN_VIEW, FeatureCache
from trainer.fingerprint import fingerprint_of, what_features_depend_on

if TYPE_CHECKING:
    from torch import nn


def torch_features(
    module: "Callable[[], nn.Module]", spec: PreprocessSpec, images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Features (N, D) of the eager module on the CPU, a picture at a time.

    Args:
        module: gives the module, normalised pictures (N, 3, H, W) to features.
        spec: its mean and std are applied.
        images: pixels (N, H, W, 3).
    """
    engine = TorchEngine(module, spec, provider="cpu")
    with engine.single_threaded():
        return np.concatenate([engine.run(image[None]) for image in images])


def known_torch_features(
    module: "Callable[[], nn.Module]",
    graph: bytes,
    spec: PreprocessSpec,
    images: NDArray[np.uint8],
    *,
    feature_size: int,
    cache_dir: Path,
    backbone: str,
) -> NDArray[np.float32]:
    """The same, from the cache where the same module was asked for the same pixels before.

    Building the module, and importing what builds it, takes seconds; a second training with the same golden pictures
    does without.

    Args:
        module: asked only when something must be computed.
        graph: what was exported from the module; it stands for architecture, weights and taps.
        spec: its mean and std are applied.
        images: pixels (N, H, W, 3).
        feature_size: D.
        cache_dir: holds the feature cache.
        backbone: its name, for whoever lists the cache.
    """
    identity = TorchEngine(module, spec, provider="cpu").identity
    what = what_features_depend_on(graph, spec, engine=f"{identity}, on stored pixels")
    cache = FeatureCache(cache_dir, fingerprint_of(what), feature_size)
    digests = [sha256_of(image.tobytes()) for image in images]
    different = dict(zip(digests, images, strict=True))
    values, found = cache.read(list(different))
    if lacking := [digest for digest, is_known in zip(different, found.tolist(), strict=True) if not is_known]:
        values[~found] = torch_features(module, spec, np.stack([different[digest] for digest in lacking]))
        _keep(cache, dict(zip(lacking, values[~found], strict=True)))
    describe(cache.folder, {"backbone": backbone, **what})
    row_of = dict(zip(different, values, strict=True))
    return np.stack([row_of[digest] for digest in digests])


def _keep(cache: FeatureCache, rows: dict[str, NDArray[np.float32]]) -> None:
    """Store what is finite; a cache that only can be read is no reason to fail."""
    with contextlib.suppress(CacheNotWritable), cache.writer() as writer:
        for digest, row in rows.items():
            if np.isfinite(row).all():
                writer.add(digest, PLAIN_VIEW, row)
