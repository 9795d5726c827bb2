"""The outer folds of a cell of docs/results.md that is not whole yet, kept one by one: a long cell can go on."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from trainer.feature_library import FeatureLibrary
from trainer.training import Training

RULES = 1
"""Raise it when a fit, a choice or a default changes: folds that were measured by other rules are then left alone."""

_DECIDES_NOTHING = frozenset({"data", "labels", "cache_dir", "models_dir", "weights", "weights_url", "name", "config"})
"""Where things lie. What is in them counts by its digest. Of the other options those count that are not at their
default, so that a new option leaves folds as they are."""


@dataclass(frozen=True)
class KeptFold:
    """What was measured on one outer fold.

    Attributes:
        seed, fold: which.
        recipe: that was chosen without it.
        accuracy: in [0, 1].
        log_loss: in nats.
        seconds: processor seconds of the fit, all choices included, on features that are there.
    """

    seed: int
    fold: int
    recipe: str
    accuracy: float
    log_loss: float
    seconds: float


class KeptFolds:
    """A file with a line for each outer fold of one cell; a line that was cut off is passed over."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        """The folds of the cell with this fingerprint; the folder need not be there."""
        self._path = folder / f"{fingerprint}.jsonl"

    def read(self) -> dict[tuple[int, int], KeptFold]:
        """By seed and fold."""
        if not self._path.exists():
            return {}
        found = {}
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                one = KeptFold(**json.loads(line))
            except (ValueError, TypeError):  # cut off, or written with other fields
                continue
            found[one.seed, one.fold] = one
        return found

    def add(self, fold: KeptFold) -> None:
        """Write one more line; one that was cut off before it is ended."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        cut_off = self._path.exists() and not self._path.read_bytes().endswith(b"\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" * cut_off + json.dumps(asdict(fold)) + "\n")

    def forget(self) -> None:
        """Remove the file: the cell is whole, and measuring it anew is to measure all of it."""
        self._path.unlink(missing_ok=True)


def fingerprint_of(training: Training, library: FeatureLibrary, recipe: str, *, folds: int) -> str:
    """SHA-256 over all that decides what comes of a fold: pictures, features, backbone, settings, folds and rules."""
    settings = library.settings.model_dump(mode="json", exclude=set(_DECIDES_NOTHING), exclude_defaults=True)
    rows = zip(training.samples, training.groups, training.targets.tolist(), strict=True)
    what = {
        "rules": RULES,
        "recipe": recipe,
        "folds": folds,
        "settings": settings,
        "labels": training.labels,
        "rows": [(sample.digest, group, target) for sample, group, target in rows],
        "features": hashlib.sha256(training.values.tobytes()).hexdigest(),
        "backbone": hashlib.sha256(library.backbone.graph).hexdigest(),
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
