"""Do the drift signals raise alarms by chance, and do they notice drift that was planted?

    python -m bench.drift                                                     simulated labels alone
    python -m bench.drift KNOWN STRANGERS --weights mobilenet_v2.pth          and a real model

Of KNOWN, one half is learned from; the other half is the traffic, drawn in windows. Planted are pictures of STRANGERS,
and the doubled share of one label. Each line has the share of windows whose signal is above 0.05, as alerts are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.arguments import data_arguments
from bench.rows import read_rows
from service.drift import FAMILIAR_BELOW, label_drift, novelty_drift
from service.prediction_counts import NOVELTY_EDGES
from shared.bundle import ReferenceInfo
from trainer.metrics import predicted_classes
from trainer.novelty import fit_novelty
from trainer.reference import reference_of
from trainer.samples import Split
from trainer.split import make_folds
from trainer.training import Training, measure

ALARM = 0.05
DRAWS = 2000
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
    known, strangers = (read_rows(data, arguments) for data in arguments.data)
    traffic = learn(known, strangers, threads=arguments.threads)
    print(f"{arguments.data[0].name} (strangers: {arguments.data[1].name}): {traffic.reference}")
    for pictures in (200, 500, 1000, 2000):
        if pictures <= len(traffic.labels):
            watch(traffic, pictures, draw)


def simulate(draw: np.random.Generator) -> None:
    """Labels without drift, a reference of 200 or 1,500 pictures."""
    for name, weights in _SPREADS.items():
        shares = weights / weights.sum()
        for pictures in (200, 1000, 2000, 5000):
            for known in (200, 1500):
                found = np.array(
                    [
                        label_drift(
                            draw.multinomial(pictures, shares), draw.multinomial(known, shares), effective=known
                        )
                        for _ in range(DRAWS)
                    ]
                )
                print(
                    f"{name:<20} window {pictures:>5}  reference {known:>5}  above 0: {(found > 0).mean():7.2%}  "
                    f"above {ALARM}: {(found > ALARM).mean():6.2%}  greatest {found.max():.3f}"
                )


@dataclass(frozen=True)
class Traffic:
    """Pictures that the model has not seen: class indices and novelty, of its own kind and of strangers."""

    reference: ReferenceInfo
    labels: Ints
    novelty: Floats
    strange_labels: Ints
    strange_novelty: Floats


def learn(known: Training, strangers: Training, *, threads: int) -> Traffic:
    """Learn from one half of the groups; see the other one, and the strangers."""
    own = make_folds(known.targets, known.groups, 2, 0) == 0
    half = _taken(known, np.flatnonzero(own))
    measured = measure(half, seed=0, threads=threads)
    fit = fit_novelty(half.features, half.targets, half.groups, seed=0)
    reference = reference_of(half, measured, measured.fit, fit, test_is_alike=True)
    if reference is None or fit.novelty is None:
        raise SystemExit(f"too few pictures: {fit.reason}")

    def seen(features: NDArray[np.float32]) -> tuple[Ints, Floats]:
        predicted = predicted_classes(measured.fit.probabilities(features))
        return predicted, fit.novelty.of(features).astype(np.float64)  # type: ignore[union-attr]

    return Traffic(reference, *seen(known.features[~own]), *seen(strangers.features))


def watch(traffic: Traffic, pictures: int, draw: np.random.Generator) -> None:
    """Windows of so many pictures: as they are, with a label doubled, with more and more strangers."""
    n, often = len(traffic.labels), int(np.bincount(traffic.labels).argmax())
    _tell(
        f"window {pictures:>5}, as it is", [_signals(traffic, draw.permutation(n)[:pictures], []) for _ in range(200)]
    )
    weights = np.where(traffic.labels == often, 2.0, 1.0)
    share = float((traffic.labels == often).mean())
    moved = 2 * share / (1 + share) - share
    doubled = [_signals(traffic, draw.choice(n, pictures, p=weights / weights.sum()), []) for _ in range(200)]
    _tell(f"window {pictures:>5}, one label twice as likely ({moved:.1%} moved)", doubled)
    for part in (0.05, 0.1, 0.2, 0.5):
        strange = round(part * pictures)
        mixed = [
            _signals(
                traffic, draw.permutation(n)[: pictures - strange], draw.choice(len(traffic.strange_labels), strange)
            )
            for _ in range(200)
        ]
        _tell(f"window {pictures:>5}, {part:.0%} strangers", mixed)


def _signals(traffic: Traffic, own: Ints, strange: Ints | Sequence[int]) -> tuple[float, float]:
    strange = np.array(strange, dtype=np.int64)
    labels = np.concatenate([traffic.labels[own], traffic.strange_labels[strange]])
    novelty = np.concatenate([traffic.novelty[own], traffic.strange_novelty[strange]])
    reference = np.array(traffic.reference.counts)
    up_to = np.array([(novelty <= edge).sum() for edge in _EDGES])
    return (
        label_drift(np.bincount(labels, minlength=len(reference)), reference, effective=traffic.reference.effective),
        novelty_drift(up_to, _EDGES, pictures=len(novelty), effective=traffic.reference.novelty_effective or 1.0),
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
        features=rows.features[which],
        targets=rows.targets[which],
        groups=tuple(rows.groups[row] for row in chosen),
        splits=train * len(chosen),
    )


if __name__ == "__main__":
    main()
