"""A procedural concrete surface: what cracked and uncracked sample pictures have in common. numpy and Pillow only.

Every function draws into or returns float32 arrays of shape (H, W), values around 0 to 1; lengths are in px of a
256 px picture and scale with its size. All randomness comes from the generator that is passed in.
"""

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]

_REFERENCE_PX = 256
_MARGIN = 4
"""Cells of the coarsest octave beyond the picture, so that no two pictures need lie alike on the grid."""


def fractal_noise(rng: Generator, size: int, *, coarsest: int, finest: int, persistence: float) -> Plane:
    """Noise of several octaves with mean 0 and standard deviation 1.

    Args:
        rng: source of randomness.
        size: side of the plane in px.
        coarsest: cells along a side in the first octave; doubled until `finest`.
        finest: most cells along a side.
        persistence: strength of an octave relative to the one before; near 1 is rough, near 0 is smooth.
    """
    cells, strength = coarsest, 1.0
    total = _random_grid(rng, cells + _MARGIN)
    while 2 * cells <= min(finest, size):
        cells, strength = 2 * cells, strength * persistence
        total = _resized(total, 2 * len(total)) + strength * _random_grid(rng, 2 * len(total))
    seen = len(total) * coarsest / (coarsest + _MARGIN)
    left, top = rng.uniform(0, len(total) - seen, 2)
    plane = _resized(total, size, box=(left, top, left + seen, top + seen))
    normal: Plane = (plane - plane.mean()) / max(float(plane.std()), 1e-6)
    return normal


def draw_surface(rng: Generator, size: int) -> Plane:
    """Brightness of bare concrete before light falls on it: cement, boards, joints, stains, pores, scratches."""
    surface = _cement(rng, size)
    _draw_formwork(rng, surface)
    _draw_joints(rng, surface)
    _draw_stains(rng, surface)
    _draw_drips(rng, surface)
    _draw_scratches(rng, surface)
    _draw_pores(rng, surface)
    return surface


def light(rng: Generator, size: int) -> Plane:
    """How much light falls on each place: a slope, a soft spot and the edge of a shadow, in some pictures."""
    across, down = _grid(size)
    angle = rng.uniform(0, 2 * math.pi)
    slope = (across - 0.5) * math.cos(angle) + (down - 0.5) * math.sin(angle)
    plane = 1 + rng.uniform(0, 0.5) * slope
    at_x, at_y = rng.uniform(-0.2, 1.2, 2)
    plane += rng.uniform(-0.25, 0.25) * np.exp(-((across - at_x) ** 2 + (down - at_y) ** 2) / rng.uniform(0.1, 0.5))
    if rng.random() < 0.25:
        soft = rng.uniform(0.01, 0.08)
        edge = slope + 0.02 * _smooth_noise(rng, size, 5) - rng.uniform(-0.4, 0.4)
        plane *= 1 - rng.uniform(0.1, 0.35) / (1 + np.exp(np.clip(-edge / soft, -30, 30)))
    return np.maximum(plane, 0.25).astype(np.float32)


def _cement(rng: Generator, size: int) -> Plane:
    base = rng.uniform(0.38, 0.72)
    cloudy = fractal_noise(rng, size, coarsest=2, finest=16, persistence=rng.uniform(0.4, 0.8))
    grain = fractal_noise(rng, size, coarsest=32, finest=256, persistence=rng.uniform(0.6, 1.1))
    return (base + rng.uniform(0.01, 0.05) * cloudy + rng.uniform(0.01, 0.05) * grain).astype(np.float32)


def _draw_formwork(rng: Generator, surface: Plane) -> None:
    """Marks of the boards that the concrete was poured between: parallel ridges, each board a shade of its own."""
    if rng.random() < 0.55:
        return
    size = len(surface)
    along = _along(rng, size, straight=rng.random() < 0.8)
    width = rng.uniform(0.15, 0.4)
    boards = along / width + rng.uniform(0, 1)
    shades = rng.normal(0, rng.uniform(0.005, 0.04), 64).astype(np.float32)
    surface += shades[np.floor(boards).astype(int) % 64]
    to_edge = np.abs(boards - np.round(boards)) * width * size
    ridge = rng.uniform(-0.2, 0.15)
    surface += ridge * np.exp(-((to_edge / _px(rng.uniform(0.6, 2.0), size)) ** 2)) * _patchy(rng, size)


def _draw_joints(rng: Generator, surface: Plane) -> None:
    """Straight gaps between two pours or slabs: a dark line with a lit lip."""
    size = len(surface)
    for _ in range(rng.choice([0, 1, 2], p=[0.6, 0.3, 0.1])):
        along = _along(rng, size, straight=rng.random() < 0.7) - rng.uniform(-0.3, 0.8)
        wobble = rng.uniform(0, 0.003) * _smooth_noise(rng, size, 6)
        distance = (along + wobble) * size
        half_width = _px(rng.uniform(1.2, 3.5), size)
        surface *= 1 - rng.uniform(0.2, 0.7) * np.exp(-((distance / half_width) ** 4)) * _patchy(rng, size)
        lip = (distance - 2 * half_width) / half_width
        surface += rng.uniform(0, 0.08) * np.exp(-(lip**2))


def _draw_stains(rng: Generator, surface: Plane) -> None:
    """Damp or dusty patches with soft or sharp borders."""
    size = len(surface)
    for _ in range(rng.integers(0, 4)):
        cloud = fractal_noise(rng, size, coarsest=int(rng.integers(2, 6)), finest=48, persistence=0.55)
        softness = rng.uniform(0.05, 0.6)
        patch = 1 / (1 + np.exp(np.clip(-(cloud - rng.uniform(0.4, 1.6)) / softness, -30, 30)))
        surface += rng.uniform(-0.16, 0.08) * patch


def _draw_drips(rng: Generator, surface: Plane) -> None:
    """Streaks that water left on its way down."""
    size = len(surface)
    across, down = _grid(size)
    for _ in range(rng.choice([0, 2, 5], p=[0.65, 0.2, 0.15])):
        sway = rng.uniform(0, 0.02) * np.sin(down * rng.uniform(3, 15) + rng.uniform(0, 6))
        distance = (across + sway - rng.uniform(0, 1)) * size / _px(rng.uniform(1.5, 9), size)
        length = np.clip((rng.uniform(0.3, 1.3) - down) * 4, 0, 1)
        surface += rng.uniform(-0.14, 0.06) * np.exp(-(distance**2)) * length


def _draw_scratches(rng: Generator, surface: Plane) -> None:
    """Straight, even, thin marks of tools, light or dark."""
    size = len(surface)
    across, down = _grid(size)
    for _ in range(rng.choice([0, 1, 3, 6], p=[0.5, 0.25, 0.15, 0.1])):
        angle, at_x, at_y = rng.uniform(0, math.pi), *rng.uniform(0, 1, 2)
        aside = (across - at_x) * math.sin(angle) - (down - at_y) * math.cos(angle)
        forward = (across - at_x) * math.cos(angle) + (down - at_y) * math.sin(angle)
        aside += rng.uniform(-0.3, 0.3) * forward**2
        ends = np.clip((rng.uniform(0.05, 0.6) - np.abs(forward)) * 12, 0, 1)
        line = np.exp(-((aside * size / _px(rng.uniform(0.5, 1.4), size)) ** 2))
        surface += rng.choice([-1, 1], p=[0.6, 0.4]) * rng.uniform(0.05, 0.25) * line * ends


def _draw_pores(rng: Generator, surface: Plane) -> None:
    """Holes that air bubbles left: dark, with one lit rim, a few large ones among many small."""
    size = len(surface)
    shadow_angle = rng.uniform(0, 2 * math.pi)
    for _ in range(int(rng.gamma(0.9, 28))):
        radius = _px(min(0.7 * (1 + rng.pareto(2.2)), 7.0), size)
        at_x, at_y = rng.uniform(0, size, 2)
        reach = math.ceil(radius * 2.5) + 1
        left, top = max(0, int(at_x) - reach), max(0, int(at_y) - reach)
        patch = surface[top : int(at_y) + reach, left : int(at_x) + reach]
        rows, columns = np.indices(patch.shape, dtype=np.float32)
        dx, dy = (columns + left - at_x) / radius, (rows + top - at_y) / (radius * rng.uniform(0.6, 1))
        distance = np.hypot(dx, dy)
        hole = 1 / (1 + np.exp(np.clip((distance - 1) * 2.5 * min(radius, 3), -30, 30)))
        lit = dx * math.cos(shadow_angle) + dy * math.sin(shadow_angle)
        rim = np.exp(-(((distance - 1.2) / 0.35) ** 2)) * np.maximum(lit, 0)
        patch += rng.uniform(0.03, 0.12) * rim - rng.uniform(0.08, 0.42) * hole


def _along(rng: Generator, size: int, *, straight: bool) -> Plane:
    """Distance from a line through the picture, in sides; straight means nearly upright or level."""
    across, down = _grid(size)
    angle = rng.choice([0, math.pi / 2]) + rng.normal(0, 0.03) if straight else rng.uniform(0, math.pi)
    return (across * math.cos(angle) + down * math.sin(angle)).astype(np.float32)


def _patchy(rng: Generator, size: int) -> Plane:
    """Factors around 0.75, so that no line is of one strength from end to end."""
    factors: Plane = np.clip(0.75 + 0.2 * _smooth_noise(rng, size, 9), 0, 1.2)
    return factors


def _smooth_noise(rng: Generator, size: int, cells: int) -> Plane:
    """One octave, with mean 0 and standard deviation 1."""
    return fractal_noise(rng, size, coarsest=cells, finest=cells, persistence=0)


def _random_grid(rng: Generator, cells: int) -> Plane:
    return rng.standard_normal((cells, cells), dtype=np.float32)


def _resized(plane: Plane, size: int, box: tuple[float, float, float, float] | None = None) -> Plane:
    resized = Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC, box=box)
    return np.asarray(resized, dtype=np.float32)


def _grid(size: int) -> tuple[Plane, Plane]:
    """Position across and down, each from 0 to 1."""
    ticks = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return ticks[None, :], ticks[:, None]


def _px(length: float, size: int) -> float:
    return length * size / _REFERENCE_PX
