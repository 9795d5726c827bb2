"""The head that ML.NET's ImageClassificationTrainer fits, on the same pictures and folds as ours.

    python -m bench.mlnet_head DATA... --weights mobilenet_v2.pth

ML.NET cannot run here (its TensorFlow is not to be had), so this is its head written anew from its source, with its
defaults: softmax regression on the 1,000 scores of the ImageNet classifier, which is what its frozen graph gives;
weights begin at a truncated normal of 0.001; batches of 10 in an order that is shuffled once; plain gradient descent
at 0.01, times 0.94 every second epoch; 200 epochs. Two ways are measured, and the better one counts for ML.NET:

- as it comes: a tenth of the pictures is held out, early stopping on their accuracy (patience 20, min_delta 0.01), the
  weights of the last epoch are kept;
- all 200 epochs on all pictures, without early stopping.

In its favour: it gets our decoding, resizing and normalisation instead of its own (its resize does not smooth, it
stretches, and its MobileNet gets pixels of [0, 1] where [-1, 1] is meant), means over pictures instead of batches, and
1,000 classes instead of 1,001.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from bench.arguments import data_arguments
from bench.results_cells import interval_of
from bench.rows import read_rows
from trainer.backbones import build_classifier, choose_backbone, find_weights
from trainer.evaluation import evaluate
from trainer.folds import most_folds
from trainer.split import make_folds

if TYPE_CHECKING:
    from trainer.backbones import BackboneEntry, Weights

EPOCHS, BATCH, RATE, DECAY, DECAY_EPOCHS = 200, 10, 0.01, 0.94, 2
PATIENCE, MIN_DELTA, HELD_OUT = 20, 0.01, 0.1
FOLDS = 5


@dataclass(frozen=True)
class MlnetResult:
    """One way of fitting, over all folds and seeds.

    Attributes:
        accuracies, log_losses: one for each seed and fold; in [0, 1], in nats.
        folds: of each seed.
        seconds: of all fits.
    """

    accuracies: tuple[float, ...]
    log_losses: tuple[float, ...]
    folds: int
    seconds: float

    @property
    def accuracy(self) -> float:
        """Mean over folds and seeds."""
        return float(np.mean(self.accuracies))


def imagenet_scores(features: NDArray[np.float32], entry: "BackboneEntry", weights: "Weights") -> NDArray[np.float32]:
    """What the weights' own last layer makes of penultimate features (N, D): shape (N, 1000)."""
    layer = build_classifier(entry, weights).get_submodule(entry.last_layer)
    weight, bias = (layer.get_parameter(name).numpy() for name in ("weight", "bias"))
    return np.asarray(features @ weight.T + bias, dtype=np.float32)


class MlnetHeads:
    """P heads side by side, each on rows of its own, in ML.NET's manner."""

    def __init__(
        self,
        scores: NDArray[np.float32],
        targets: NDArray[np.int64],
        orders: Sequence[NDArray[np.int64]],
        rng: np.random.Generator,
    ) -> None:
        """Start; `orders` has the rows that each head learns from, in the order that it always does."""
        self._orders, self._scores, self._targets = orders, torch.tensor(scores), torch.tensor(targets)
        class_count = int(targets.max()) + 1
        start = rng.normal(0, 0.001, (len(orders), scores.shape[1], class_count)).clip(-0.002, 0.002)
        self._weight = torch.tensor(start, dtype=torch.float32)
        self._bias = torch.zeros(len(orders), 1, class_count)

    def run_epoch(self, epoch: int, active: NDArray[np.bool_]) -> None:
        """One pass of those heads that are still active, in the same order as always."""
        rate = RATE * DECAY ** (epoch // DECAY_EPOCHS)
        for start in range(0, max(map(len, self._orders)), BATCH):
            parts = [order[start : start + BATCH] for order in self._orders]
            longest = max(map(len, parts))
            rows = np.stack([np.pad(part, (0, longest - len(part)), mode="constant") for part in parts])
            counts = np.array([[len(part)] for part in parts])
            shares = (np.arange(longest) < counts) / np.maximum(counts, 1) * active[:, None]
            index = torch.tensor(rows)
            features = self._scores[index]
            residual = torch.baddbmm(self._bias, features, self._weight).softmax(-1)
            places = self._targets[index][..., None]
            residual.scatter_add_(-1, places, torch.full_like(residual[..., :1], -1.0))
            residual.mul_(torch.tensor(shares, dtype=torch.float32)[..., None])
            self._weight.baddbmm_(features.mT, residual, alpha=-rate)
            self._bias.sub_(residual.sum(1, keepdim=True), alpha=rate)

    def probabilities(self, head: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of some rows under one head, shape (rows, K)."""
        logits = self._scores[torch.tensor(rows)] @ self._weight[head] + self._bias[head]
        return np.asarray(logits.double().softmax(-1).numpy())


def measure_mlnet(
    scores: NDArray[np.float32],
    targets: NDArray[np.int64],
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    seeds: Sequence[int],
    early_stopping: bool,
) -> MlnetResult:
    """Hold out each fold once per seed, fit on the rest, and measure on the fold; the folds are those of our heads."""
    folds, measured = most_folds(targets, groups, FOLDS, seeds), []
    started = time.perf_counter()
    for seed in seeds:
        fold_of = make_folds(targets, groups, folds, seed)
        probabilities = _predict_held_out(scores, targets, fold_of, early_stopping=early_stopping, seed=seed)
        measured += [evaluate(probabilities[fold_of == k], targets[fold_of == k], labels) for k in range(folds)]
    seconds = time.perf_counter() - started
    return MlnetResult(
        accuracies=tuple(one.accuracy for one in measured),
        log_losses=tuple(one.log_loss for one in measured),
        folds=folds,
        seconds=seconds,
    )


def _predict_held_out(
    scores: NDArray[np.float32],
    targets: NDArray[np.int64],
    fold_of: NDArray[np.int64],
    *,
    early_stopping: bool,
    seed: int,
) -> NDArray[np.float64]:
    """Probabilities of every row under the head that did not see its fold, shape (N, K)."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(np.flatnonzero(fold_of != fold)) for fold in range(fold_of.max() + 1)]
    watched = [order[: int(HELD_OUT * len(order))] if early_stopping else order[:0] for order in orders]
    learned = [order[len(some) :] for order, some in zip(orders, watched, strict=True)]
    heads = MlnetHeads(scores, targets, learned, rng)
    rules = [Rule() for _ in orders]
    for epoch in range(EPOCHS):
        heads.run_epoch(epoch, np.array([not rule.over for rule in rules]))
        for head, (rule, rows) in enumerate(zip(rules, watched, strict=True)):
            if len(rows) and not rule.over:
                rule.see(float((heads.probabilities(head, rows).argmax(1) == targets[rows]).mean()))
        if all(rule.over for rule in rules):
            break
    found = np.zeros((len(targets), int(targets.max()) + 1))
    for fold in range(len(orders)):
        held = np.flatnonzero(fold_of == fold)
        found[held] = heads.probabilities(fold, held)
    return found


class Rule:
    """ML.NET's early stopping on accuracy, with its default numbers."""

    def __init__(self) -> None:
        self.over, self._best, self._waited = False, 0.0, 0

    def see(self, accuracy: float) -> None:
        """One more epoch."""
        improves = accuracy - self._best >= MIN_DELTA
        self._best, self._waited = (accuracy, 0) if improves else (self._best, self._waited + 1)
        self.over = self._waited >= PATIENCE


def main() -> None:
    """Print two lines a data set, and one JSON object at the end."""
    arguments = data_arguments(__doc__).parse_args()
    entry, reason = choose_backbone(arguments.backbone, arguments.weights)
    weights = find_weights(entry, arguments.weights, download=False)
    print(reason)
    found: dict[str, dict[str, object]] = {}
    for data in arguments.data:
        rows = read_rows(data, arguments)
        scores = imagenet_scores(rows.values, entry, weights)
        for early_stopping in (True, False):
            result = measure_mlnet(
                scores, rows.targets, rows.groups, rows.labels, seeds=range(5), early_stopping=early_stopping
            )
            way = "as it comes" if early_stopping else f"{EPOCHS} epochs"
            low, high = interval_of(result.accuracies, folds=result.folds, groups=len(set(rows.groups)))
            print(
                f"{data.name:<24} {way:<12} {result.accuracy:.4f}  [{low:.4f}, {high:.4f}]  "
                f"log loss {np.mean(result.log_losses):.4f}  {result.seconds:6.1f} s",
                flush=True,
            )
            found.setdefault(data.name, {})[way] = asdict(result)
    print(json.dumps({"backbone": entry.name, "results": found}))


if __name__ == "__main__":
    main()
