"""The backbone's graph: exported once for its weights, proven equal to torch, and cached."""

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path

from shared.preprocess import PreprocessSpec
from trainer.backbones import BackboneEntry, Weights
from trainer.graph_store import kept_graph, stored_graph
from trainer.progress import Progress, Quiet

EXPORT_S = 10
"""About how long an export takes, in seconds."""

EXPORTER_REVISION = 1
"""Raised whenever the same module may give another graph with the same packages; part of the cached graph's key."""

_TOOLS = ("torch", "torchvision", "onnx", "onnxscript", "onnx-ir")


def backbone_graph(
    entry: BackboneEntry,
    weights: Weights,
    spec: PreprocessSpec,
    cache_dir: Path,
    *,
    taps: Sequence[str] = (),
    mirror: bool = False,
    progress: Progress | None = None,
) -> bytes:
    """The backbone's canonical graph, from the cache or exported and proven equal to torch.

    It is kept as <cache>/graphs/<key>-<SHA-256 of the file>.onnx; the key covers the backbone, its weights, the size
    and normalisation of the spec, taps and mirror, the exporter and the versions of the packages it stands on. How
    pictures are brought to the size is not in the graph, nor in the key. A damaged file is removed and exported again.

    Args:
        entry, weights, spec: what is exported, and for which pixels.
        cache_dir: holds the graphs.
        taps, mirror: as in `build_chosen`.
        progress: told of an export.

    Raises:
        TapUnusable: a tapped stage is not there, or gives no maps.
        WeightsDoNotFit, WeightsUnreadable, WeightsDamaged: as `build_backbone`, when an export is needed.
        ExportFailed: the backbone has no such graph.
        ParityFailed: the graph does not give what torch gives.
        CacheNotWritable: it cannot be stored.
    """
    shown = progress or Quiet()

    def make() -> bytes:
        shown.say(
            f"Exporting {entry.name} to ONNX; this is done once for these weights, and takes about {EXPORT_S} s.",
            backbone=entry.name,
        )
        with shown.phase("export"):
            return _export(entry, weights, spec, taps=taps, mirror=mirror)

    return kept_graph(cache_dir, _key(entry, weights, spec, taps=taps, mirror=mirror), make)


def find_graph(
    entry: BackboneEntry,
    weights: Weights,
    spec: PreprocessSpec,
    cache_dir: Path,
    *,
    taps: Sequence[str] = (),
    mirror: bool = False,
) -> bytes | None:
    """What `backbone_graph` would find in the cache; None where it would have to export."""
    return stored_graph(cache_dir, _key(entry, weights, spec, taps=taps, mirror=mirror))


def _export(
    entry: BackboneEntry, weights: Weights, spec: PreprocessSpec, *, taps: Sequence[str], mirror: bool
) -> bytes:
    from trainer.chosen_module import build_chosen
    from trainer.export import export_backbone
    from trainer.parity import prove_parity

    module = build_chosen(entry, weights, taps=taps, mirror=mirror)
    graph = export_backbone(module, spec)
    prove_parity(module, graph, spec)
    return graph


def _key(entry: BackboneEntry, weights: Weights, spec: PreprocessSpec, *, taps: Sequence[str], mirror: bool) -> str:
    versions = {tool: importlib.metadata.version(tool) for tool in _TOOLS}
    pixels = spec.model_dump(mode="json", include={"height", "width", "mean", "std"})
    what = [entry.name, weights.sha256, pixels, list(taps), mirror, versions, EXPORTER_REVISION]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
