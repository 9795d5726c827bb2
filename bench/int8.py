"""What int8 costs and gives: accuracy of the default probe against float32's, fold by fold, and speed beside float32's.

    python -m bench.int8 DATA... --weights mobilenet_v2.pth

Everything is the trainer's own: manifest, audit, graphs, features, groups, folds, head. Scales are those of up to 128
of all pictures. Accuracy is that of nested 5 folds x 5 seeds, the same for both. Speed is in the thread's own time,
both in turn: of a picture from its bytes to its features, decoding included (the target: 1.4), and of the graphs alone.
"""

import argparse
import time
from dataclasses import dataclass
from itertools import groupby
from statistics import mean, stdev

import numpy as np

from bench.arguments import data_arguments
from bench.rows import graph_of, tell_each
from shared.cpu_features import read_cpu
from shared.decode import TRAINER_LIMITS, decode
from shared.preprocess import PreprocessSpec, preprocess
from shared.session import open_session
from trainer.cross_validation import CrossValidation, cross_validate
from trainer.featurize import featurize
from trainer.golden_pictures import choose_golden
from trainer.int8_graph import int8_graph
from trainer.parity import relative_differences
from trainer.progress import Quiet
from trainer.sample_bytes import read_sample
from trainer.speed import time_in_turn, time_single_requests
from trainer.training import Training

FOLDS, SEEDS, PICTURES = 5, range(5), 16
_HOW_MANY_ROUNDS = 64
_FLOAT, _INT8 = "float32", "int8"


@dataclass(frozen=True)
class Int8Against:
    """int8 beside float32.

    Attributes:
        accuracy: of each, in [0, 1].
        difference: of int8's accuracy from float32's, mean over the folds.
        deviation: of that difference from seed to seed.
        features_differ_by: median over the pictures of the relative norm of the features' difference.
        pictures_per_s: of each, decoding included, on one thread.
        runs_per_s: of each graph alone.
    """

    accuracy: dict[str, float]
    difference: float
    deviation: float
    features_differ_by: float
    pictures_per_s: dict[str, float]
    runs_per_s: dict[str, float]

    def as_json(self) -> dict[str, object]:
        """Plain values that any JSON reader takes."""
        return dict(vars(self))

    def line(self) -> str:
        """What a person reads, in percent, points and times float32's speed."""
        of_picture, of_graph = (each[_INT8] / each[_FLOAT] for each in (self.pictures_per_s, self.runs_per_s))
        return (
            f"{100 * self.accuracy[_FLOAT]:.1f} % -> {100 * self.accuracy[_INT8]:.1f} %, "
            f"{100 * self.difference:+.1f} points (sd over seeds {100 * self.deviation:.1f})  "
            f"{self.pictures_per_s[_FLOAT]:.0f} -> {self.pictures_per_s[_INT8]:.0f} pictures/s, x {of_picture:.2f}  "
            f"graph alone x {of_graph:.2f}  features differ by {self.features_differ_by:.3f}"
        )


def main() -> None:
    """Print one line a data set, and one JSON object at the end."""
    arguments = data_arguments(__doc__).parse_args()

    def measured(rows: Training) -> tuple[str, object]:
        found = measure(rows, arguments)
        return found.line(), found.as_json()

    tell_each(arguments, measured)


def measure(rows: Training, arguments: argparse.Namespace) -> Int8Against:
    """Both precisions on the same rows; see `bench.arguments.data_arguments`."""
    entry, graph = graph_of(arguments)
    cache, threads = arguments.cache_dir, arguments.threads
    in_int8 = int8_graph(graph, entry.spec, rows.samples, cache_dir=cache, cpu=read_cpu(), progress=Quiet())
    features = featurize(rows.samples, in_int8, entry.spec, cache_dir=cache, threads=threads, progress=Quiet()).values
    before, after = (
        cross_validate(values, rows.targets, rows.groups, rows.labels, folds=FOLDS, seeds=SEEDS, threads=threads)
        for values in (rows.values, features)
    )
    by_seed = differences(before, after)
    graphs = {_FLOAT: graph, _INT8: in_int8}
    pictures = [read_sample(sample) for sample in choose_golden(rows.samples, PICTURES)]
    return Int8Against(
        accuracy={_FLOAT: before.accuracy.mean, _INT8: after.accuracy.mean},
        difference=mean(by_seed),
        deviation=stdev(by_seed),
        features_differ_by=float(np.median(relative_differences(rows.values, features))),
        pictures_per_s=_per_s(
            time_single_requests(
                {name: (one, entry.spec) for name, one in graphs.items()}, pictures, rounds=_HOW_MANY_ROUNDS
            )
        ),
        runs_per_s=_per_s(_time_graphs(graphs, entry.spec, pictures)),
    )


def differences(before: CrossValidation, after: CrossValidation) -> list[float]:
    """Of accuracy, paired by fold: the mean of each seed."""
    paired = zip(before.results, after.results, strict=True)
    each = [(one.seed, other.accuracy - one.accuracy) for one, other in paired]
    return [mean(difference for _, difference in some) for _, some in groupby(each, key=lambda pair: pair[0])]


def _time_graphs(graphs: dict[str, bytes], spec: PreprocessSpec, pictures: list[bytes]) -> dict[str, float]:
    sessions = {name: open_session(graph, provider="cpu", threads=1) for name, graph in graphs.items()}
    images = [
        preprocess(decode(one, at_least=spec.decode_at_least, limits=TRAINER_LIMITS), spec)[None] for one in pictures
    ]
    jobs = {
        name: lambda number, one=one: one.run(images[number % len(images)], one.output_names)
        for name, one in sessions.items()
    }
    return time_in_turn(jobs, rounds=_HOW_MANY_ROUNDS, kinds=len(images), clock=time.thread_time)


def _per_s(seconds: dict[str, float]) -> dict[str, float]:
    return {name: 1 / value for name, value in seconds.items()}


if __name__ == "__main__":
    main()
