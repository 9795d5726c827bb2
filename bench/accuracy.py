"""Accuracy of the default probe on labelled folders: mean over 5 folds x 5 seeds with its 95 % interval.

    python -m bench.accuracy DATA... --weights mobilenet_v2.pth

Everything is the trainer's own: manifest, audit, graph, features, groups, folds, head. The L2 strength is chosen
inside each outer fold, and byte-identical pictures never straddle folds.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from trainer.audit import audit_manifest
from trainer.backbones import choose_backbone, find_weights
from trainer.cross_validation import cross_validate
from trainer.featurize import featurize
from trainer.graph import backbone_graph
from trainer.groups import find_groups
from trainer.manifest import read_manifest


def main() -> None:
    """Print one line a data set, and one JSON object at the end."""
    arguments = _arguments()
    entry, reason = choose_backbone(arguments.backbone, arguments.weights)
    graph = backbone_graph(
        entry, find_weights(entry, arguments.weights, download=False), entry.spec, arguments.cache_dir
    )
    print(reason)
    found = {}
    for data in arguments.data:
        started = time.perf_counter()
        manifest = audit_manifest(read_manifest(data, cache_dir=arguments.cache_dir)).manifest
        samples = sorted(manifest.samples, key=lambda sample: (sample.digest, sample.label, sample.name))
        features = featurize(samples, graph, entry.spec, cache_dir=arguments.cache_dir, threads=arguments.threads)
        usable = [samples[row] for row in features.readable]
        result = cross_validate(
            features.values,
            np.array([manifest.labels.index(sample.label) for sample in usable], dtype=np.int64),
            find_groups(usable),
            manifest.labels,
            folds=5,
            seeds=range(5),
            threads=arguments.threads,
        )
        (low, high), mean = result.accuracy.interval, result.accuracy.mean
        seconds = time.perf_counter() - started
        print(f"{data.name:<24} {mean:.4f}  [{low:.4f}, {high:.4f}]  n {len(usable):>5}  {seconds:6.1f} s", flush=True)
        found[data.name] = {"accuracy": mean, "interval": [low, high], "n": len(usable)}
    print(json.dumps({"backbone": entry.name, "results": found}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--backbone")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
