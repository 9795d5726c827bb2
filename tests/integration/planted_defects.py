"""A real data set with defects of our own in it, so that what an audit finds can be counted."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Planted:
    """What was done, by names relative to the folder.

    Attributes:
        folder: SPLIT/LABEL/picture, with the defects.
        exact: pairs of byte-identical pictures.
        near: pairs of a picture in train and a variant of it in test.
        flipped: pictures that were moved to another label.
        broken: truncated and empty files.
    """

    folder: Path
    exact: frozenset[frozenset[str]]
    near: frozenset[frozenset[str]]
    flipped: frozenset[str]
    broken: frozenset[str]


def lay_out(pictures: Sequence[tuple[Path, str]], folder: Path) -> list[Path]:
    """Copy pictures of (path, label) to SPLIT/LABEL/number.extension, two of three in train; their new places."""
    placed = []
    for number, (path, label) in enumerate(sorted(pictures)):
        place = folder / SPLITS[number % 3 == 2] / label / f"{number:04d}{path.suffix.lower()}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        placed.append(place)
    return placed


def plant(
    clean: Path, folder: Path, *, seed: int = 0, copies: int = 20, flips: float = 0.05, broken: int = 6
) -> Planted:
    """A copy of a folder that `lay_out` made, with defects in it; no picture has two of them.

    Args:
        clean: the folder without defects.
        folder: a new one.
        seed: another seed, other victims.
        copies: exact duplicates, half of them across the splits, and as many near duplicates across the splits.
        flips: the share of pictures that get another label.
        broken: half of them truncated, half of them empty.
    """
    shutil.copytree(clean, folder)
    random = np.random.default_rng(seed)
    order = [Path(name) for name in random.permutation(sorted(map(str, folder.rglob("*.*")))).tolist()]
    labels = sorted({path.parent.name for path in order})
    of_train = [path for path in order if path.parts[-3] == "train"]
    near, rest = of_train[:copies], [path for path in order if path not in set(of_train[:copies])]
    flip_count = round(flips * len(order))
    exact, flipped, damaged = rest[:copies], rest[copies:][:flip_count], rest[copies + flip_count :][:broken]
    return Planted(
        folder=folder,
        exact=frozenset(_pair(folder, path, _copy(path, across=k % 2 == 0)) for k, path in enumerate(exact)),
        near=frozenset(_pair(folder, path, _variant(path, k)) for k, path in enumerate(near)),
        flipped=frozenset(_name(folder, _flip(path, labels, random)) for path in flipped),
        broken=frozenset(_name(folder, _damage(path, empty=k % 2 == 0)) for k, path in enumerate(damaged)),
    )


def _pair(folder: Path, first: Path, second: Path) -> frozenset[str]:
    return frozenset({_name(folder, first), _name(folder, second)})


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _beside(path: Path, kind: str, split: str) -> Path:
    place = path.parents[2] / split / path.parent.name / f"{path.stem}-{kind}{path.suffix}"
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _copy(path: Path, *, across: bool) -> Path:
    own = path.parts[-3]
    place = _beside(path, "copy", SPLITS[1 - SPLITS.index(own)] if across else own)
    shutil.copyfile(path, place)
    return place


def _variant(path: Path, number: int) -> Path:
    """Resized, encoded again, brightened, or all of it."""
    image = Image.open(path).convert("RGB")
    quality, kind = 90, number % 4
    if kind in (0, 3):
        image = image.resize((image.width * 6 // 10, image.height * 6 // 10), Image.Resampling.BICUBIC)
    if kind in (1, 3):
        quality = 55
    if kind in (2, 3):
        image = ImageEnhance.Brightness(image).enhance(1.25)
    place = _beside(path, "variant", "test").with_suffix(".jpg")
    image.save(place, "JPEG", quality=quality)
    return place


def _flip(path: Path, labels: Sequence[str], random: np.random.Generator) -> Path:
    others = [label for label in labels if label != path.parent.name]
    place = path.parents[1] / others[int(random.integers(len(others)))] / path.name
    place.parent.mkdir(exist_ok=True)
    return path.rename(place)


def _damage(path: Path, *, empty: bool) -> Path:
    path.write_bytes(b"" if empty else path.read_bytes()[: path.stat().st_size // 2])
    return path
