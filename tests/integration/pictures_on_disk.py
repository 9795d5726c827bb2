"""Small labelled folders, drawn on the spot: stripes and dots in noise, easy but not trivial."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

LABELS = ("dots", "stripes")


def draw(label: str, number: int, *, size: int = 96) -> Image.Image:
    """One picture; the same arguments give the same pixels."""
    random = np.random.default_rng([LABELS.index(label), number])
    ground = random.integers(90, 160, 3)
    image = Image.fromarray((ground + random.normal(0, 12, (size, size, 3))).clip(0, 255).astype(np.uint8))
    pen, ink = ImageDraw.Draw(image), tuple(int(value) for value in random.integers(0, 70, 3))
    if label == "stripes":
        for x in range(int(random.integers(0, 12)), size, int(random.integers(9, 15))):
            pen.line([(x, 0), (x + 20, size)], fill=ink, width=3)
    else:
        for x, y in random.integers(5, size - 5, (25, 2)):
            pen.ellipse([int(x) - 4, int(y) - 4, int(x) + 4, int(y) + 4], fill=ink)
    return image


def write_folder(folder: Path, *, per_class: int = 15, first: int = 0, size: int = 96) -> Path:
    """`folder/<label>/<number>.png` for every label."""
    for label in LABELS:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + per_class):
            draw(label, number, size=size).save(folder / label / f"{number:03d}.png")
    return folder
