"""`python -m recipes.nano.judge DATA... [--backbone NAME[=WEIGHTS]]...`: what a backbone's frozen features are worth.

For every data set the pipeline's own road is taken (manifest, decoding, graph, groups, splits, head) with five seeds of
the split; the table shows the mean test accuracy with its 95 % interval, how fast pictures are featurised, and how
large the weights are. `--backbone handmade` judges histograms of gradients and colours in the same way.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.nano.contenders import Contender, prepare, read_contender
from trainer.manifest import Manifest, read_manifest
from trainer.progress import Progress
from trainer.training import arrange

SHARES = (0.7, 0.15, 0.15)
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Student's t for a 95 % interval of the mean of this many runs."""

_TIMED_PICTURES, _TIMED_ROUNDS = 16, 7


def judge(manifest: Manifest, features: NDArray[np.float32], *, seeds: int, threads: int) -> list[float]:
    """Test accuracy of the default head, once a seed. Splits that the data itself gives are set aside."""
    free = replace(manifest, samples=tuple(replace(sample, split=None) for sample in manifest.samples))
    accuracies = []
    for seed in range(seeds):
        training = arrange(free, features, shares=SHARES, seed=seed)
        head = training.fit(training.rows("train", "validation"), seed=seed, threads=threads).head
        test = training.rows("test")
        found = head.logits(training.features[test]).argmax(axis=1)
        accuracies.append(float((found == training.targets[test]).mean()))
    return accuracies


def judge_contender(one: Contender, manifest: Manifest, *, cache_dir: Path, seeds: int, threads: int) -> list[float]:
    """Test accuracies on one data set, of the pictures that can be read."""
    values, readable = one.of_samples(manifest.samples, cache_dir, threads)
    usable = replace(manifest, samples=tuple(manifest.samples[row] for row in readable))
    return judge(usable, values, seeds=seeds, threads=threads)


def mean_and_interval(values: Sequence[float]) -> str:
    """`0.912 ± 0.011`: the mean and half of its 95 % interval, over the runs."""
    half = T_95[len(values)] * statistics.stdev(values) / len(values) ** 0.5
    return f"{statistics.fmean(values):.3f} ± {half:.3f}"


def images_per_s(contenders: Sequence[Contender], encoded: Sequence[bytes], *, threads: int) -> list[float]:
    """Pictures featurised a second on `threads` threads, decoding included.

    Counted in processor time, which a neighbour on the machine disturbs less than the clock; rounds are interleaved
    and the best one counts.
    """
    works = [lambda data, one=one: one.of_pixels(prepare(data, one.spec)) for one in contenders]
    return _best_rates(works, [encoded] * len(contenders), threads)


def runs_per_s(contenders: Sequence[Contender], *, threads: int) -> list[float]:
    """The same from prepared pixels to features, without decoding."""
    rng = np.random.default_rng(0)
    pixels = [
        [rng.integers(0, 256, (one.spec.height, one.spec.width, 3), dtype=np.uint8)] * _TIMED_PICTURES
        for one in contenders
    ]
    return _best_rates([one.of_pixels for one in contenders], pixels, threads)


def _best_rates(
    works: Sequence[Callable[..., object]], inputs: Sequence[Sequence[object]], threads: int
) -> list[float]:
    best = [0.0] * len(works)
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_TIMED_ROUNDS):
            for place, (work, items) in enumerate(zip(works, inputs, strict=True)):
                work(items[0])
                started = time.process_time()
                list(pool.map(work, items))
                best[place] = max(best[place], threads * len(items) / (time.process_time() - started))
    return best


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m recipes.nano.judge")
    parser.add_argument("data", nargs="+", type=Path, help="folders of labelled pictures")
    parser.add_argument("--backbone", action="append", help="NAME, NAME=WEIGHTS or handmade; may be repeated [nano]")
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    parser.add_argument("--seeds", type=int, default=5, choices=sorted(T_95))
    parser.add_argument("--threads", type=int, default=2)
    settings = parser.parse_args(arguments)
    progress = Progress()
    contenders = [read_contender(one, settings.cache_dir) for one in settings.backbone or ["nano"]]
    rows = []
    how = {"cache_dir": settings.cache_dir, "seeds": settings.seeds, "threads": settings.threads}
    for data in settings.data:
        manifest = read_manifest(data, cache_dir=settings.cache_dir)
        cells = []
        for one in contenders:
            cells.append(mean_and_interval(judge_contender(one, manifest, **how)))
            progress.say(f"{data.name}, {one.name}: {cells[-1]}")
        rows.append((data.name, *cells))
    encoded = [sample.path.read_bytes() for sample in manifest.samples[:_TIMED_PICTURES]]
    for text, rates in (
        (f"images/s, featurising {data.name}", images_per_s(contenders, encoded, threads=settings.threads)),
        ("images/s, graph alone", runs_per_s(contenders, threads=settings.threads)),
    ):
        rows.append((text, *(f"{rate:.0f}" for rate in rates)))
    rows.append(("weights file, MB", *(f"{one.file_bytes / 1e6:.1f}" for one in contenders)))
    print_table(("data set", *(one.name for one in contenders)), rows)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown on stdout."""
    for row in (header, ["---"] * len(header), *rows):
        sys.stdout.write(f"| {' | '.join(row)} |\n")


if __name__ == "__main__":
    main()
