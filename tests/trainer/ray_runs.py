"""Runs of `--engine ray` and of the local engine over the same tiny graph, and what they leave in the cache."""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from tests.trainer.ray_nodes import Nodes
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.featurize import Features, featurize
from trainer.manifest import Sample
from trainer.progress import Progress
from trainer.ray_settings import RayOptions

GRAPH = tiny_graph()


def run(
    samples: list[Sample], cache_dir: Path, nodes: Nodes, *, cache: str | None = None, progress: Progress | None = None
) -> Features:
    """On the cluster."""
    ray = RayOptions(address=nodes.address, cache=cache)
    return featurize(samples, GRAPH, TINY_SPEC, cache_dir=cache_dir, engine="ray", ray=ray, progress=progress)


def locally(samples: list[Sample], cache_dir: Path) -> Features:
    """On this machine."""
    return featurize(samples, GRAPH, TINY_SPEC, cache_dir=cache_dir, threads=2, provider="cpu")


def stored(cache_dir: Path, what: str = "features") -> Counter[tuple[str, ...]]:
    """How often each picture, or view of one, is in the parts of a cache."""
    key = ("digest", "view") if what == "features" else ("digest",)
    found: Counter[tuple[str, ...]] = Counter()
    for part in sorted((cache_dir / what).rglob("part-*.parquet")):
        rows = pq.read_table(part)
        found.update(zip(*(rows.column(name).to_pylist() for name in key), strict=True))
    return found
