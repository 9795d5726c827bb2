"""Novelty as nodes of the served graph: features in, a number from 0 to 1 out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.bundle import FEATURES, NOVELTY
from trainer.mahalanobis import SMALLEST_NORM, Mahalanobis
from trainer.novelty import TAIL, Novelty, NoveltyScale

Node = tuple[str, list[str], list[str]]
"""Operator, inputs, outputs."""
Constants = dict[str, NDArray[Any]]


def novelty_nodes(novelty: Novelty) -> tuple[list[Node], Constants]:
    """The nodes in order, and the constants that they read; the operations are those of `Novelty.of`."""
    distance, of_distance = _distance_nodes(novelty.near)
    scale, of_scale = _scale_nodes(novelty.scale)
    nodes = [
        (operator, [_full(name) for name in inputs], [_full(name) for name in outputs])
        for operator, inputs, outputs in (*distance, *scale)
    ]
    constants = {_full(name): np.asarray(value, np.float32) for name, value in (of_distance | of_scale).items()}
    return nodes, constants | {_full("axis"): np.array([1], np.int64)}


def _full(name: str) -> str:
    return name if name in (FEATURES, NOVELTY) else f"novelty.{name}"


def _distance_nodes(near: Mahalanobis) -> tuple[list[Node], Constants]:
    """From features (N, D) to `distance` (N, 1)."""
    constants: Constants = {
        "smallest": np.array(SMALLEST_NORM),
        "directions": near.directions,
        "weight": near.weight,
        "bias": near.bias,
        "times": near.times[None],
    }
    return [
        ("ReduceL2", [FEATURES, "axis"], ["length"]),
        ("Max", ["length", "smallest"], ["divisor"]),
        ("Div", [FEATURES, "divisor"], ["row"]),
        ("Gemm", ["row", "weight", "bias"], ["of_classes"]),
        ("MatMul", ["row", "directions"], ["along"]),
        ("ReduceSumSquare", ["along", "axis"], ["too_much"]),
        ("Mul", ["too_much", "times"], ["too_much_of_classes"]),
        ("Sub", ["of_classes", "too_much_of_classes"], ["to_classes"]),
        ("ReduceMin", ["to_classes", "axis"], ["nearest"]),
        ("Relu", ["nearest"], ["squared"]),
        ("Sqrt", ["squared"], ["distance"]),
    ], constants


def _scale_nodes(scale: NoveltyScale) -> tuple[list[Node], Constants]:
    """From `distance` (N, 1) to novelty (N,): how much of each stretch between knots is behind, and the tail.

    `behind` (N, J + 1) is each stretch's part in [0, 1] times what it is worth; one more part is always whole and worth
    the tail, of which exp(-beyond) is `left`.
    """
    starts = np.concatenate([[0.0], scale.knots[:-1]])
    widths = scale.knots - starts
    constants: Constants = {
        "zero": np.zeros(()),
        "one": np.ones(()),
        "per_width": np.append(1 / widths, 0.0)[None],
        "begin": np.append(-starts / widths, 1.0),
        "worth": np.append(np.diff(scale.levels, prepend=0.0), TAIL),
        "per_tail": np.array([[-1 / scale.tail]]),
        "q95": np.array([scale.knots[-1] / scale.tail]),
        "share": np.array([TAIL]),
    }
    return [
        ("Gemm", ["distance", "per_width", "begin"], ["parts"]),
        ("Clip", ["parts", "zero", "one"], ["behind"]),
        ("MatMul", ["behind", "worth"], ["most"]),
        ("Gemm", ["distance", "per_tail", "q95"], ["below"]),
        ("Min", ["below", "zero"], ["beyond"]),
        ("Exp", ["beyond"], ["left"]),
        ("MatMul", ["left", "share"], ["missing"]),
        ("Sub", ["most", "missing"], ["sum"]),
        ("Min", ["sum", "one"], [NOVELTY]),
    ], constants
