"""Do the drift signals raise alarms by chance, and do they notice drift that was planted?

    python -m bench.drift                                                     simulated labels alone
    python -m bench.drift KNOWN OTHER --weights mobilenet_v2.pth              and a real model

Of KNOWN, one half is learned from; of the other half windows are drawn, with replacement: the traffic. It comes as
independent pictures, and as scenes that are each sent several times. Planted are pictures of OTHER, and the doubled
share of one label. Each line has the share of windows whose signal is above 0.05, as alerts are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.arguments import data_arguments
from bench.rows import read_rows
from service.drift import FAMILIAR_BELOW, label_drift, novelty_drift
from service.prediction_counts import NOVELTY_EDGES
from service.recent_pictures import BLOCK_PICTURES, stretch_blocks
from shared.bundle import ReferenceInfo
from shared.effective_count import totals_of
from trainer.metrics import predicted_classes
from trainer.novelty import fit_novelty
from trainer.reference import reference_of
from trainer.samples import Split
from trainer.split import make_folds
from trainer.training import Training, measure

ALARM = 0.05
DRAWS, REAL_DRAWS = 400, 200
WINDOWS = (200, 500, 1000, 2000)
EACH = (1, 5, 20, 50, 100)
_SPREADS = {
    "2 labels, even": np.full(2, 0.5),
    "2 labels, 95:5": np.array([0.95, 0.05]),
    "10 labels, even": np.full(10, 0.1),
    "101 labels, even": np.full(101, 1 / 101),
    "101 labels, 1/rank": 1 / np.arange(1, 102),
}
_EDGES = np.array([edge for edge in NOVELTY_EDGES if edge <= FAMILIAR_BELOW])

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def main() -> None:
    """Print the tables."""
    parser = data_arguments(__doc__)
    next(action for action in parser._actions if action.dest == "data").nargs = "*"
    arguments = parser.parse_args()
    draw = np.random.default_rng(0)
    if not arguments.data:
        simulate(draw)
        return
    known, other = (read_rows(data, arguments) for data in arguments.data)
    traffic = learn(known, other, threads=arguments.threads)
    print(f"{arguments.data[0].name} (unfamiliar: {arguments.data[1].name}): {traffic.reference}")
    print(f"{len(traffic.own[0])} pictures of traffic to draw from; larger windows are left out")
    for pictures in WINDOWS:
        if pictures <= len(traffic.own[0]):
            watch(traffic, pictures, draw)


def simulate(draw: np.random.Generator) -> None:
    """Labels and novelty without drift, a reference of 200 or 1,500 pictures."""
    for name, weights in _SPREADS.items():
        for pictures in WINDOWS:
            for known in (200, 1500):
                for each in (each for each in EACH if each < pictures):
                    found = [_simulated(weights / weights.sum(), pictures, known, each, draw) for _ in range(DRAWS)]
                    label, novelty = np.array(found).T
                    print(
                        f"{name:<18} window {pictures:>4}, reference {known:>4}, each scene {each:>3} times  "
                        f"label: {_shares(label)}   novelty: {_shares(novelty)}",
                        flush=True,
                    )


def _simulated(weights: Floats, pictures: int, known: int, each: int, draw: np.random.Generator) -> tuple[float, float]:
    scenes = np.repeat(np.arange(pictures // each), each)
    labels = draw.choice(len(weights), pictures // each, p=weights)[scenes]
    reference = draw.multinomial(known, weights)
    by_label = _by_stretch(labels, len(weights))
    by_novelty = _by_stretch(_bins(draw.uniform(size=pictures // each))[scenes], len(_EDGES) + 1)
    return (
        label_drift(by_label, reference, effective=known).at_least,
        novelty_drift(by_novelty, _EDGES, effective=known).at_least,
    )


def _shares(found: Floats) -> str:
    return f"above 0 {(found > 0).mean():6.1%}, above {ALARM} {(found > ALARM).mean():6.1%}, greatest {found.max():.3f}"


def _by_stretch(values: Ints, count: int) -> Ints:
    """Pictures by stretch and value, as the service's window has them."""
    blocks = np.arange(len(values)) // BLOCK_PICTURES
    totals = totals_of(values, blocks // stretch_blocks(int(blocks[-1]) + 1))
    return np.pad(totals, ((0, 0), (0, count - totals.shape[1])))


def _bins(novelty: Floats) -> Ints:
    return np.searchsorted(_EDGES, novelty)


Answers = tuple[Ints, Floats]
"""Class index and novelty of some pictures."""


@dataclass(frozen=True)
class Traffic:
    """What a model says about pictures that it has not seen: of its own kind, and of another."""

    reference: ReferenceInfo
    own: Answers
    other: Answers


def learn(known: Training, other: Training, *, threads: int) -> Traffic:
    """Learn from one half of the groups; see the other one, and what is unlike it."""
    own = make_folds(known.targets, known.groups, 2, 0) == 0
    half = _taken(known, np.flatnonzero(own))
    measured = measure(half, seed=0, threads=threads)
    fit = fit_novelty(half.features, half.targets, half.groups, seed=0)
    reference = reference_of(half, measured, measured.fit, fit, test_is_alike=True)
    if reference is None or fit.novelty is None:
        raise SystemExit(f"too few pictures: {fit.reason}")

    def seen(features: NDArray[np.float32]) -> Answers:
        predicted = predicted_classes(measured.fit.probabilities(features))
        return predicted, fit.novelty.of(features).astype(np.float64)  # type: ignore[union-attr]

    return Traffic(reference, seen(known.values[~own]), seen(other.values))


def watch(traffic: Traffic, pictures: int, draw: np.random.Generator) -> None:
    """Windows of so many pictures: as they are, with scenes sent again, a label doubled, unfamiliar pictures."""
    labels, n = traffic.own[0], len(traffic.own[0])
    for each in EACH[:-1]:
        found = [_signals(traffic, draw.integers(n, size=pictures // each), each=each) for _ in range(REAL_DRAWS)]
        _tell(f"window {pictures:>5}, each scene {each} times", found)
    weights = np.where(labels == np.bincount(labels).argmax(), 2.0, 1.0)
    share = weights.sum() / n - 1
    doubled = [_signals(traffic, draw.choice(n, pictures, p=weights / weights.sum())) for _ in range(REAL_DRAWS)]
    _tell(f"window {pictures:>5}, one label twice as likely ({2 * share / (1 + share) - share:.1%} moved)", doubled)
    for part in (0.05, 0.1, 0.2, 0.5):
        mixed = [_signals(traffic, _mixed(traffic, pictures, part, draw)) for _ in range(REAL_DRAWS)]
        _tell(f"window {pictures:>5}, {part:.0%} unfamiliar", mixed)


def _mixed(traffic: Traffic, pictures: int, part: float, draw: np.random.Generator) -> Ints:
    """Rows of own pictures, and behind them of the others, in any order."""
    n, other = len(traffic.own[0]), round(part * pictures)
    rows = [draw.integers(n, size=pictures - other), n + draw.integers(len(traffic.other[0]), size=other)]
    return draw.permutation(np.concatenate(rows))


def _signals(traffic: Traffic, rows: Ints, *, each: int = 1) -> tuple[float, float]:
    labels, novelty = (np.concatenate(both)[rows] for both in zip(traffic.own, traffic.other, strict=True))
    reference = np.array(traffic.reference.counts)
    by_label = _by_stretch(np.repeat(labels, each), len(reference))
    by_novelty = _by_stretch(np.repeat(_bins(novelty), each), len(_EDGES) + 1)
    return (
        label_drift(by_label, reference, effective=traffic.reference.effective).at_least,
        novelty_drift(by_novelty, _EDGES, effective=traffic.reference.novelty_effective or 1.0).at_least,
    )


def _tell(what: str, found: Sequence[tuple[float, float]]) -> None:
    label, novelty = np.array(found).T
    print(
        f"{what:<58} label: {np.mean(label > ALARM):6.1%} alarms, median {np.median(label):.3f}   "
        f"novelty: {np.mean(novelty > ALARM):6.1%}, median {np.median(novelty):.3f}"
    )


def _taken(rows: Training, which: Ints) -> Training:
    chosen = which.tolist()
    train: tuple[Split, ...] = ("train",)
    return Training(
        samples=tuple(rows.samples[row] for row in chosen),
        labels=rows.labels,
        features=rows.values[which],
        targets=rows.targets[which],
        groups=tuple(rows.groups[row] for row in chosen),
        splits=train * len(chosen),
    )


if __name__ == "__main__":
    main()
