"""Does novelty notice pictures that do not belong? AUROC of one data set against others, beside max-softmax.

    python -m bench.novelty KNOWN UNRELATED... --weights mobilenet_v2.pth

Five folds: distances and a probe are fitted on four fifths of KNOWN; the last fifth is known, all pictures of the
other folders are not. Max-softmax is 1 - the best score of the probe, at its fixed strength. Beside them stands what
share of the pictures is above each threshold that the docs name, of novelty fitted on all of KNOWN; that of KNOWN
itself is out of fold. The last line says what share of the backbone's time novelty takes.
"""

import argparse
import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession, SessionOptions

from bench.arguments import data_arguments
from bench.rows import read_rows
from shared.bundle import FEATURES, INPUT_NAME, NOVELTY
from trainer.backbones import choose_backbone, find_weights
from trainer.export import OPSET
from trainer.graph import backbone_graph
from trainer.linear_probe import fit_linear_probe
from trainer.mahalanobis import fit_mahalanobis, unit_rows
from trainer.novelty import FOLDS, Novelty, fit_novelty
from trainer.novelty_nodes import novelty_nodes
from trainer.ranking import roc_auc
from trainer.split import make_folds
from trainer.training import Training

THRESHOLDS = (0.99, 0.98, 0.95)
_STRENGTH = 0.3
_RUNS = 200


def main() -> None:
    """Print one line for each set that does not belong, what novelty costs, and one JSON object at the end."""
    arguments = data_arguments(__doc__).parse_args()
    known, *unrelated = arguments.data
    rows = read_rows(known, arguments)
    others = {data.name: read_rows(data, arguments).values for data in unrelated}
    found = aurocs(rows, others, threads=arguments.threads)
    fit = fit_novelty(rows.features, rows.targets, rows.groups, seed=0)
    if fit.novelty is None:
        raise SystemExit(f"{known.name}: {fit.reason}")
    for name, features in others.items():
        found[name] |= shares_above(fit.novelty.of(features))
        print(f"{known.name} against {name:<22}{_line_of(found[name])}")
    false_alarms = shares_above(fit.novelty.scale.of(fit.distances))
    print(f"{known.name} itself, out of fold:{_line_of(false_alarms)}")
    cost = added_time(fit.novelty, arguments)
    print(f"novelty takes {cost:.2%} of the backbone's time")
    print(json.dumps({"known": known.name, "against": found, "false_alarms": false_alarms, "share_of_time": cost}))


def shares_above(novelty: NDArray[np.float32]) -> dict[str, float]:
    """What share of the pictures is called unfamiliar, by threshold."""
    return {f"above {threshold}": float((novelty > threshold).mean()) for threshold in THRESHOLDS}


def aurocs(rows: Training, others: dict[str, NDArray[np.float32]], *, threads: int) -> dict[str, dict[str, float]]:
    """Mean over five folds, of the distance and of max-softmax, for each of the other sets of features."""
    fold_of = make_folds(rows.targets, rows.groups, FOLDS, 0)
    found: dict[str, dict[str, list[float]]] = {name: {"novelty": [], "max_softmax": []} for name in others}
    for fold in range(FOLDS):
        learned, held = np.flatnonzero(fold_of != fold), fold_of == fold
        near = fit_mahalanobis(unit_rows(rows.values[learned]), rows.targets[learned])
        probe = fit_linear_probe(
            rows.values[learned],
            rows.targets[learned],
            [rows.groups[row] for row in learned.tolist()],
            class_count=len(rows.labels),
            seed=0,
            threads=threads,
            l2=_STRENGTH,
        )
        for name, features in others.items():
            found[name]["novelty"].append(_auroc(near.distances(rows.values[held]), near.distances(features)))
            unsure = [1 - probe.probabilities(one).max(axis=1) for one in (rows.values[held], features)]
            found[name]["max_softmax"].append(_auroc(*unsure))
    return {name: {key: float(np.mean(values)) for key, values in one.items()} for name, one in found.items()}


def added_time(novelty: Novelty, arguments: argparse.Namespace) -> float:
    """Seconds of the novelty nodes alone over those of the backbone; one picture, one thread, fastest of many runs."""
    entry, _ = choose_backbone(arguments.backbone, arguments.weights)
    weights = find_weights(entry, arguments.weights, download=False)
    backbone = InferenceSession(backbone_graph(entry, weights, entry.spec, arguments.cache_dir), _one_thread())
    alone = InferenceSession(_alone(novelty), _one_thread())
    pixels = np.random.default_rng(0).integers(0, 256, (1, entry.spec.height, entry.spec.width, 3), np.uint8)
    features = np.random.default_rng(0).random((1, len(novelty.near.directions)), np.float32)
    return _fastest(alone, {FEATURES: features}) / _fastest(backbone, {INPUT_NAME: pixels})


def _line_of(numbers: Mapping[str, float]) -> str:
    return "".join(f"  {name} {value:.4f}" for name, value in numbers.items())


def _alone(novelty: Novelty) -> bytes:
    nodes, constants = novelty_nodes(novelty)
    graph = helper.make_graph(
        [helper.make_node(*node) for node in nodes],
        "novelty",
        [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["N", len(novelty.near.directions)])],
        [helper.make_tensor_value_info(NOVELTY, TensorProto.FLOAT, ["N"])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    return bytes(model.SerializeToString())


def _one_thread() -> SessionOptions:
    options = SessionOptions()
    options.intra_op_num_threads = 1
    return options


def _fastest(session: InferenceSession, inputs: dict[str, NDArray[Any]]) -> float:
    seconds = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        session.run(None, inputs)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _auroc(known: NDArray[np.float32], unknown: NDArray[np.float32]) -> float:
    area = roc_auc(np.concatenate([known, unknown]), np.arange(len(known) + len(unknown)) >= len(known))
    return float("nan") if area is None else area


if __name__ == "__main__":
    main()
