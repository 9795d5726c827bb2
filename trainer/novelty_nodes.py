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
        "zero": np.zeros(()),
        "smallest": np.array(SMALLEST_NORM),
        "directions": near.directions,
        "weight": near.weight,
        "bias": near.bias,
        "rest": np.array(near.rest),
    }
    return [
        ("Mul", [FEATURES, FEATURES], ["squares"]),
        ("ReduceSum", ["squares", "axis"], ["length_squared"]),
        ("Sqrt", ["length_squared"], ["length"]),
        ("Max", ["length", "smallest"], ["divisor"]),
        ("Div", [FEATURES, "divisor"], ["row"]),
        ("Gemm", ["row", "weight", "bias"], ["of_classes"]),
        ("ReduceMin", ["of_classes", "axis"], ["nearest"]),
        ("Mul", ["row", "row"], ["row_squares"]),
        ("ReduceSum", ["row_squares", "axis"], ["row_length_squared"]),
        ("Mul", ["row_length_squared", "rest"], ["everywhere"]),
        ("MatMul", ["row", "directions"], ["along"]),
        ("Mul", ["along", "along"], ["along_squares"]),
        ("ReduceSum", ["along_squares", "axis"], ["too_much"]),
        ("Add", ["nearest", "everywhere"], ["far"]),
        ("Sub", ["far", "too_much"], ["signed"]),
        ("Max", ["signed", "zero"], ["squared"]),
        ("Sqrt", ["squared"], ["distance"]),
    ], constants


def _scale_nodes(scale: NoveltyScale) -> tuple[list[Node], Constants]:
    """From `distance` (N, 1) to novelty (N,): what lies in each stretch between knots times its slope, and the tail."""
    starts = np.concatenate([[0.0], scale.knots[:-1]])
    widths = scale.knots - starts
    constants: Constants = {
        "one": np.ones(()),
        "starts": starts,
        "widths": widths,
        "slopes": np.diff(scale.levels, prepend=0.0) / widths,
        "q95": scale.knots[-1],
        "tail": np.array(scale.tail),
        "share": np.array([TAIL]),
    }
    return [
        ("Sub", ["distance", "starts"], ["behind"]),
        ("Max", ["behind", "zero"], ["passed"]),
        ("Min", ["passed", "widths"], ["within"]),
        ("MatMul", ["within", "slopes"], ["body"]),
        ("Sub", ["distance", "q95"], ["over"]),
        ("Max", ["over", "zero"], ["beyond"]),
        ("Div", ["beyond", "tail"], ["tails"]),
        ("Neg", ["tails"], ["fall"]),
        ("Exp", ["fall"], ["left"]),
        ("Sub", ["one", "left"], ["gained"]),
        ("MatMul", ["gained", "share"], ["end"]),
        ("Add", ["body", "end"], ["sum"]),
        ("Min", ["sum", "one"], [NOVELTY]),
    ], constants
