"""`python -m recipes.nano.judge DATA... [--backbone NAME[=WEIGHTS]]...`: what a backbone's frozen features are worth.

For every data set the pipeline's own road is taken (manifest, decoding, graph, groups, splits, head) with five seeds of
the split; the table shows the mean test accuracy with its 95 % interval, how fast pictures are featurised, and how
large the weights are. `--backbone handmade` judges histograms of gradients and colours in the same way.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.nano.contenders import Contender, read_contender
from recipes.nano.timing import TIMED_PICTURES, images_per_s, runs_per_s
from trainer.manifest import Manifest, read_manifest
from trainer.progress import Progress
from trainer.rows import gather
from trainer.training import arrange

SHARES = (0.7, 0.15, 0.15)
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Student's t for a 95 % interval of the mean of this many runs."""


def judge(manifest: Manifest, features: NDArray[np.float32], *, seeds: int, threads: int) -> list[float]:
    """Test accuracy of the default head, once a seed. Splits that the data itself gives are set aside."""
    free = replace(manifest, samples=tuple(replace(sample, split=None) for sample in manifest.samples))
    accuracies = []
    for seed in range(seeds):
        training = arrange(free, features, shares=SHARES, seed=seed)
        head = training.fit(training.rows("train", "validation"), seed=seed, threads=threads).head
        test = training.rows("test")
        found = head.logits(gather(training.features, test)).argmax(axis=1)
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


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m recipes.nano.judge")
    parser.add_argument("data", nargs="+", type=Path, help="folders of labelled pictures")
    parser.add_argument("--backbone", action="append", help="NAME, NAME=WEIGHTS or handmade; may be repeated [nano]")
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    parser.add_argument("--seeds", type=int, default=5, choices=sorted(T_95))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--rounds",
        type=int,
        default=7,
        choices=range(1, 100),
        metavar="N",
        help="of timing, of which the best counts [7]",
    )
    parser.add_argument("--timed-on", type=Path, help="labelled pictures to time featurising with [the last of DATA]")
    settings = parser.parse_args(arguments)
    contenders = [read_contender(one, settings.cache_dir) for one in settings.backbone or ["nano"]]
    rows = [*_accuracies(contenders, settings), *_speeds(contenders, settings)]
    rows.append(("weights file, MB", *(f"{one.file_bytes / 1e6:.1f}" for one in contenders)))
    print_table(("data set", *(one.name for one in contenders)), rows)


def _accuracies(contenders: Sequence[Contender], settings: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    progress = Progress()
    how = {"cache_dir": settings.cache_dir, "seeds": settings.seeds, "threads": settings.threads}
    for data in settings.data:
        manifest = read_manifest(data, cache_dir=settings.cache_dir)
        cells = []
        for one in contenders:
            cells.append(mean_and_interval(judge_contender(one, manifest, **how)))
            progress.say(f"{data.name}, {one.name}: {cells[-1]}")
        yield (data.name, *cells)


def _speeds(contenders: Sequence[Contender], settings: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    data, how = settings.timed_on or settings.data[-1], {"threads": settings.threads, "rounds": settings.rounds}
    samples = read_manifest(data, cache_dir=settings.cache_dir).samples
    encoded = [sample.path.read_bytes() for sample in samples[:TIMED_PICTURES]]
    for text, rates in (
        (f"images/s, featurising {data.name}", images_per_s(contenders, encoded, **how)),
        ("images/s, graph alone", runs_per_s(contenders, **how)),
    ):
        yield (f"{text}, by processor time", *(f"{rate.by_processor:.0f}" for rate in rates))
        yield (f"{text}, by the clock", *(f"{rate.by_clock:.0f}" for rate in rates))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown on stdout."""
    for row in (header, ["---"] * len(header), *rows):
        sys.stdout.write(f"| {' | '.join(row)} |\n")


if __name__ == "__main__":
    main()
