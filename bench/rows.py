"""What the trainer would learn from: samples of a folder with features, targets and groups, as its audit has them."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from trainer.audit import audit_manifest
from trainer.backbones import choose_backbone, find_weights
from trainer.catalogue import BackboneEntry
from trainer.featurize import featurize
from trainer.graph import backbone_graph
from trainer.manifest import read_manifest
from trainer.near_duplicates import find_near_duplicates
from trainer.training import Training, arrange, targets_of


def read_rows(data: Path, arguments: argparse.Namespace) -> Training:
    """The usable samples in canonical order, exact and near duplicates in one group; see `bench.arguments`."""
    cache = arguments.cache_dir
    entry, graph = graph_of(arguments)
    manifest = audit_manifest(read_manifest(data, cache_dir=cache)).manifest
    features = featurize(manifest.samples, graph, entry.spec, cache_dir=cache, threads=arguments.threads)
    usable = manifest.of_rows(features.readable)
    alike = find_near_duplicates(features.statistics, targets_of(usable)).groups
    return arrange(usable, features.values, alike=alike, shares=(1.0, 0.0, 0.0), seed=0)


def graph_of(arguments: argparse.Namespace) -> tuple[BackboneEntry, bytes]:
    """The backbone that is named, and its graph; see `bench.arguments`."""
    entry, _ = choose_backbone(arguments.backbone, arguments.weights)
    found = find_weights(entry, arguments.weights, download=False)
    return entry, backbone_graph(entry, found, entry.spec, arguments.cache_dir)


def tell_each(arguments: argparse.Namespace, measure: Callable[[Training], tuple[str, object]]) -> None:
    """Measure every data set that is named; print one line of each, and one JSON object at the end.

    Args:
        arguments: see `bench.arguments.data_arguments`.
        measure: gives what the line says, and what goes into the object.
    """
    entry, reason = choose_backbone(arguments.backbone, arguments.weights)
    print(reason)
    found = {}
    for data in arguments.data:
        line, found[name_of(data)] = measure(read_rows(data, arguments))
        print(f"{name_of(data):<36} {line}", flush=True)
    print(json.dumps({"backbone": entry.name, "results": found}))


def name_of(data: Path) -> str:
    """The folder's name; of a table that and its own."""
    return f"{data.parent.name}/{data.name}" if data.is_file() else data.name
