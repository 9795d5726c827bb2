"""Procedural cracks: branching random walks whose width varies, with a soft dark core; and marks that are no cracks.

numpy and Pillow only.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from trainer.concrete import Plane, fractal_noise

_OVERSAMPLING = 4
_STEP = 1 / 96
_MOST_BRANCHES = 6

Stroke = tuple[float, float, float, float, float]
"""From x, y to x, y, in sides of the picture, and the width in px of a 256 px picture."""


def draw_cracks(rng: Generator, size: int) -> Plane:
    """How much of the light one or two cracks swallow at each place, shape (size, size), 0 to 1."""
    swallowed = np.zeros((size, size), dtype=np.float32)
    for _ in range(1 + (rng.random() < 0.25)):
        x, y, heading = _start_at_edge(rng)
        strokes = _walk(
            *(rng, x, y, heading), width=rng.uniform(1.2, 2.8), length=rng.uniform(0.8, 1.5), branches=_MOST_BRANCHES
        )
        swallowed = np.maximum(swallowed, _swallowed(rng, list(strokes), size))
    return swallowed


def draw_marks(rng: Generator, size: int) -> Plane:
    """The same for marks that are no cracks: as dark and as wide, but smooth, even and unbranched, like saw cuts."""
    swallowed = np.zeros((size, size), dtype=np.float32)
    for _ in range(rng.integers(1, 4)):
        x, y, heading = _start_at_edge(rng)
        if rng.random() < 0.5:
            x, y = rng.uniform(0, 1, 2)
        strokes = _bend(rng, x, y, heading, width=rng.uniform(1, 2.4), length=rng.uniform(0.4, 1.4))
        swallowed = np.maximum(swallowed, _swallowed(rng, list(strokes), size))
    return swallowed


def _start_at_edge(rng: Generator) -> tuple[float, float, float]:
    """A place on an edge of the picture, x and y, and a heading into it."""
    side = int(rng.integers(4))
    place = rng.uniform(0.15, 0.85)
    x, y = ((0.0, place), (place, 0.0), (1.0, place), (place, 1.0))[side]
    return x, y, side * math.pi / 2 + rng.normal(0, 0.4)


def _bend(rng: Generator, x: float, y: float, heading: float, *, width: float, length: float) -> Iterator[Stroke]:
    """Steps of a smooth line."""
    turn = rng.normal(0, 0.012)
    for _ in range(int(length / _STEP)):
        heading += turn
        to_x, to_y = x + _STEP * math.cos(heading), y + _STEP * math.sin(heading)
        yield x, y, to_x, to_y, width
        x, y = to_x, to_y


def _walk(
    rng: Generator, x: float, y: float, heading: float, *, width: float, length: float, branches: int
) -> Iterator[Stroke]:
    """Steps of one crack and of those that branch off; it narrows towards its end and keeps its general heading."""
    steps = max(3, int(length / _STEP))
    roughness = rng.uniform(0.18, 0.5)
    general, swell = heading, 1.0
    for step in range(steps):
        heading += 0.22 * (general - heading) + rng.normal(0, roughness)
        swell = float(np.clip(swell + rng.normal(0, 0.12), 0.45, 1.7))
        to_x, to_y = x + _STEP * math.cos(heading), y + _STEP * math.sin(heading)
        here = width * swell * (1 - 0.7 * step / steps)
        yield x, y, to_x, to_y, here
        x, y = to_x, to_y
        if branches and rng.random() < 0.035:
            branches -= 1
            turn = rng.choice([-1, 1]) * rng.uniform(0.4, 1.1)
            rest = length * (1 - step / steps) * rng.uniform(0.3, 0.8)
            yield from _walk(rng, x, y, heading + turn, width=0.75 * here, length=rest, branches=branches // 2)


def _swallowed(rng: Generator, strokes: list[Stroke], size: int) -> Plane:
    """Strokes as something dark with soft borders, not equally deep everywhere, and dirt around it."""
    core = _coverage(strokes, size)
    ragged = np.clip(0.85 + 0.25 * fractal_noise(rng, size, coarsest=8, finest=32, persistence=0.8), 0.2, 1.1)
    depth, dirt = rng.uniform(0.4, 0.75), rng.uniform(0, 0.25)
    dark = depth * ragged * _blurred(core, rng.uniform(0.3, 0.7)) + dirt * _blurred(core, rng.uniform(2, 5))
    swallowed: Plane = np.clip(dark, 0, 0.9)
    return swallowed


def _coverage(strokes: list[Stroke], size: int) -> Image.Image:
    """How much of each pixel the strokes cover, 0 to 255."""
    fine = size * _OVERSAMPLING
    canvas = Image.new("L", (fine, fine))
    draw = ImageDraw.Draw(canvas)
    for x, y, to_x, to_y, width in strokes:
        pixels = max(1.0, width * fine / 256)
        draw.line((x * fine, y * fine, to_x * fine, to_y * fine), fill=255, width=round(pixels))
        radius = pixels / 2
        draw.ellipse((to_x * fine - radius, to_y * fine - radius, to_x * fine + radius, to_y * fine + radius), fill=255)
    return canvas.reduce(_OVERSAMPLING)


def _blurred(core: Image.Image, radius_px: float) -> Plane:
    """`core` as 0 to 1, blurred by a radius in px of a 256 px picture."""
    blurred = core.filter(ImageFilter.GaussianBlur(radius_px * core.width / 256))
    return np.asarray(blurred, dtype=np.float32) * np.float32(1 / 255)
