"""Near duplicates: how many planted copies are found in labelled folders, what else is reported, and how long it takes.

    python -m bench.near_duplicates DATA... [--plantings 5] [--pictures 5000 20000]

Into each folder's pictures 20 exact and 20 near copies are planted, under given splits and labels drawn by lot. A near
copy is resized to 0.5 to 0.8 (every second one back again), brightened by 1.1 to 1.3 and encoded as JPEG of quality 40
to 70, all at once. Pairs that were not planted are printed by name, to be looked at: real data has copies of its own.
For the time, pictures are drawn by lot, one in fifty a copy.
"""

import argparse
import io
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from shared.decode import TRAINER_LIMITS, decode
from shared.files import sha256_of
from trainer.groups import find_groups
from trainer.likeness_threshold import plant
from trainer.manifest import Manifest, Sample, read_manifest
from trainer.near_duplicates import find_near_duplicates
from trainer.picture_statistics import GREY_SIDE, StatisticsTable, measure_picture
from trainer.training import targets_of

_PLANTED = 20
_DECODE_AT_LEAST = (160, 160)
_COPIES_IN = 50


def main() -> None:
    """Print one line a planting and one a size, and one JSON object at the end."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as cache_dir:
        found = {
            folder.name: [
                _plant_and_find(folder.name, read_manifest(folder, cache_dir=Path(cache_dir)), seed)
                for seed in range(arguments.plantings)
            ]
            for folder in arguments.data
        }
    print(json.dumps({"found": found, "seconds": {count: _time(count) for count in arguments.pictures}}))


def _plant_and_find(name: str, manifest: Manifest, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    originals = list(manifest.samples)
    chosen = [originals[row] for row in random.choice(len(originals), 2 * _PLANTED, replace=False)]
    contents = [sample.path.read_bytes() for sample in originals]
    copies = [
        sample.path.read_bytes() if number < _PLANTED else _changed(sample.path.read_bytes(), number, random)
        for number, sample in enumerate(chosen)
    ]
    planted = [
        _as_sample(sample, copy, number, manifest, random)
        for number, (sample, copy) in enumerate(zip(chosen, copies, strict=True))
    ]
    samples = [*originals, *planted]
    likeness = find_near_duplicates(
        _statistics([*contents, *copies], [one.digest for one in samples]),
        targets_of(replace(manifest, samples=tuple(samples))),
    )
    groups = dict(zip([one.name for one in samples], find_groups(samples, likeness.groups), strict=True))
    together = [groups[sample.name] == groups[copy.name] for sample, copy in zip(chosen, planted, strict=True)]
    expected = {frozenset((sample.digest, copy.digest)) for sample, copy in zip(chosen, planted, strict=True)}
    others = [
        f"{samples[pair.first].name} = {samples[pair.second].name} ({pair.correlation})"
        for pair in likeness.pairs
        if frozenset((samples[pair.first].digest, samples[pair.second].digest)) not in expected
    ]
    result = {
        "exact": sum(together[:_PLANTED]),
        "near": sum(together[_PLANTED:]),
        "threshold": likeness.threshold,
        "pairs": len(likeness.pairs),
        "others": others,
    }
    print(name, seed, json.dumps(result), flush=True)
    return result


def _as_sample(
    original: Sample, content: bytes, number: int, manifest: Manifest, random: np.random.Generator
) -> Sample:
    split = ("train", "test")[int(random.integers(2))]
    # The same bytes under two labels would be left out before anything is compared.
    label = original.label if number < _PLANTED else manifest.labels[int(random.integers(len(manifest.labels)))]
    return replace(original, name=f"planted/{number}", label=label, split=split, digest=sha256_of(content))  # type: ignore[arg-type]


def _changed(content: bytes, number: int, random: np.random.Generator) -> bytes:
    image = decode(content, limits=TRAINER_LIMITS)
    share = random.uniform(0.5, 0.8)
    small = image.resize((round(image.width * share), round(image.height * share)), Image.Resampling.BICUBIC)
    resized = small.resize(image.size, Image.Resampling.BICUBIC) if number % 2 else small
    stored = io.BytesIO()
    brightened = ImageEnhance.Brightness(resized).enhance(random.uniform(1.1, 1.3))
    brightened.save(stored, "JPEG", quality=int(random.integers(40, 71)))
    return stored.getvalue()


def _statistics(contents: Sequence[bytes], digests: Sequence[str]) -> StatisticsTable:
    rows = [
        measure_picture(content, decode(content, at_least=_DECODE_AT_LEAST, limits=TRAINER_LIMITS))
        for content in contents
    ]
    return StatisticsTable.from_rows(digests, rows)


def _time(count: int) -> float:
    """CPU seconds of all threads."""
    grey = _draw(count)
    digests = [sha256_of(f"{row}".encode()) for row in range(count)]
    statistics = replace(StatisticsTable.of_zeros(digests), grey=grey)
    started = time.process_time()
    likeness = find_near_duplicates(statistics, np.arange(count) % 10)
    seconds = time.process_time() - started
    print(f"{count:>7} pictures: {seconds:6.2f} s CPU, {len(likeness.groups)} groups", flush=True)
    return round(seconds, 2)


def _draw(count: int) -> NDArray[np.uint8]:
    """Different pictures with amplitudes that fall with frequency, one in fifty a copy of another."""
    random = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(GREY_SIDE)[:, None], np.fft.fftfreq(GREY_SIDE)[None]) * GREY_SIDE
    grey = np.empty((count, GREY_SIDE, GREY_SIDE), dtype=np.uint8)
    for start in range(0, count, 1000):
        part = grey[start : start + 1000]
        waves = np.fft.ifft2(np.fft.fft2(random.normal(size=part.shape)) / np.maximum(frequency, 1)).real
        part[:] = (128 + 40 * waves / waves.std(axis=(1, 2), keepdims=True)).round().clip(0, 255)
    copies = count // _COPIES_IN
    grey[-copies:] = plant(grey[:copies])
    return grey


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path)
    parser.add_argument("--plantings", type=int, default=5)
    parser.add_argument("--pictures", nargs="*", type=int, default=[5000, 20000])
    return parser.parse_args()


if __name__ == "__main__":
    main()
