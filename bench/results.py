"""Every recipe on every labelled data set, and the page docs/results.md made of it.

    python -m bench.results DATASETS --weights mobilenet_v2.pth --squeezenet squeezenet1_1.pth

DATASETS is the folder that holds the data sets. Each cell is nested: 5 folds x 5 seeds (fewer seeds on the large sets),
everything that is chosen is chosen inside each outer fold, and copies never straddle folds. A cell is written to
<cache>/results.jsonl when it is done, each outer fold of it to <cache>/results-folds/ when that is; the same command
goes on where it was interrupted, and writes the page, which knows whole cells only, after each of them. `--again
probe,sgd` measures those recipes anew, `--only` measures no others, `--page-only` measures nothing.
"""

import argparse
import hashlib
import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.mlnet_head import imagenet_scores, measure_mlnet
from bench.results_cells import Cell, add_cell, counts, read_cells
from bench.results_folds import KeptFold, KeptFolds, fingerprint_of
from bench.results_page import write_page
from bench.results_sets import BEST, DATA_SETS, MLNET, RECIPES, VIEWS, DataSet
from trainer.cross_validation import hold_out, possible_folds
from trainer.feature_library import FeatureLibrary
from trainer.fitting import FitOptions
from trainer.intake import leave_out_unreadable, read_audited
from trainer.likeness_telling import compare_pictures
from trainer.progress import Quiet
from trainer.recipe import Recipe, RowsToFit
from trainer.recipe_plan import make_plan
from trainer.recipe_search import Plan
from trainer.run_backbone import open_backbone
from trainer.settings import TrainSettings
from trainer.split import make_folds
from trainer.training import Training, arrange

FOLDS = 5
PLAIN: dict[str, Any] = {"head": "probe", "views": 0}
OPTIONS: dict[str, dict[str, Any]] = {
    "probe + views": {"head": "probe", "views": VIEWS},
    BEST: {"search": True},
    "SGD": {"head": "sgd", "views": 0},
    "nano": {**PLAIN, "backbone": "nano"},
}
"""Of `train`, by recipe; PLAIN for the others."""

Arguments = argparse.Namespace


def main() -> None:
    """Measure what is missing, cell by cell, and write the page."""
    arguments = _parser().parse_args()
    kept = arguments.cache_dir / "results.jsonl"
    again = set(arguments.again)
    for data_set in DATA_SETS:
        for recipe in RECIPES:
            done = (data_set.name, recipe) in read_cells(kept) and recipe not in again
            wanted = recipe in (arguments.only or RECIPES) and data_set.name in (arguments.data or [data_set.name])
            if done or arguments.page_only or not wanted or data_set.left_out:
                continue
            print(f"{data_set.name}: {recipe} ...", flush=True)
            cell = measure_cell(data_set, recipe, arguments, kept)
            print(f"  {cell.accuracy:.4f}  log loss {cell.log_loss:.4f}  {cell.seconds:.2f} s a fit", flush=True)
            write_page(arguments.page, read_cells(kept))
    write_page(arguments.page, read_cells(kept))


def measure_cell(data_set: DataSet, recipe: str, arguments: Arguments, cells: Path) -> Cell:
    """One recipe on one data set, kept in the file `cells`; folds that a run which was ended measured are taken."""
    training, library = prepare(arguments.data_sets / data_set.name, data_set, recipe, arguments)
    if recipe == MLNET:
        cell = _measure_mlnet(data_set, training, library)
        add_cell(cells, cell)
        return cell
    kept = KeptFolds(arguments.cache_dir / "results-folds", fingerprint_of(training, library, recipe, folds=FOLDS))
    folds, found = measure_folds(
        _plan(recipe, training, library), training, kept, seeds=data_set.seeds, threads=arguments.threads
    )
    taken = [one.recipe for one in found] if recipe == BEST else []
    accuracies, losses = ([getattr(one, name) for one in found] for name in ("accuracy", "log_loss"))
    seconds = sum(one.seconds for one in found)
    cell = _make(data_set, recipe, training, accuracies, losses, folds, seconds, taken)
    add_cell(cells, cell)
    kept.forget()
    return cell


def measure_folds(
    plan: Plan, training: Training, kept: KeptFolds, *, seeds: int, threads: int
) -> tuple[int, list[KeptFold]]:
    """How many folds each seed has, and what was measured on each, by seed and fold; each is kept once it is done."""
    targets, groups, labels = training.targets, training.groups, training.labels
    folds = possible_folds(targets, groups, labels, folds=FOLDS, seeds=range(seeds))
    timed, reading = _timed(plan)
    found = kept.read()
    for seed in range(seeds):
        fold_of = make_folds(targets, groups, folds, seed)
        for fold in range(folds):
            if (seed, fold) in found:
                continue
            started, read_before = time.process_time(), sum(reading)
            result = hold_out(timed, targets, groups, fold_of, fold, FitOptions(len(labels), seed, threads)).result
            seconds = time.process_time() - started - (sum(reading) - read_before)
            found[seed, fold] = one = KeptFold(seed, fold, result.recipe, result.accuracy, result.log_loss, seconds)
            kept.add(one)
    return folds, [found[seed, fold] for seed in range(seeds) for fold in range(folds)]


def prepare(folder: Path, data_set: DataSet, recipe: str, arguments: Arguments) -> tuple[Training, FeatureLibrary]:
    """Read, featurise and group as `train` does with the options of the recipe."""
    weights = {"nano": None, "SqueezeNet": arguments.squeezenet}.get(recipe, arguments.weights)
    settings = TrainSettings.model_validate(
        {
            "data": folder,
            "labels": str(folder / data_set.labels) if data_set.labels else "auto",
            "split": (1.0, 0.0, 0.0),
            "weights": weights,
            "cache_dir": arguments.cache_dir,
            "threads": arguments.threads,
        }
        | OPTIONS.get(recipe, PLAIN)
    )
    quiet = Quiet()
    audit = read_audited(settings, quiet)
    backbone = open_backbone(settings, quiet)
    features = backbone.featurize(audit.manifest.samples, settings, quiet)
    audit = leave_out_unreadable(audit, features, max_bad=settings.max_bad, progress=quiet)
    alike = compare_pictures(audit.manifest, features.statistics, quiet).groups
    training = arrange(audit.manifest, features.values, alike=alike, shares=settings.split, seed=settings.seed)
    library = FeatureLibrary(backbone, training.samples, settings, quiet, calibration=training.samples)
    return training, library


def _plan(recipe: str, training: Training, library: FeatureLibrary) -> Plan:
    """What `train` would try; int8 by itself, where `train` would first measure whether it is worth it."""
    plan = make_plan(library, training, library.settings)
    if recipe != "int8":
        return plan
    (candidate,) = plan.candidates
    features = replace(candidate.recipe.features, precision="int8")
    in_int8 = replace(candidate, recipe=replace(candidate.recipe, features=features), name=recipe)
    return replace(plan, candidates=(in_int8,))


def _timed(plan: Plan) -> tuple[Plan, list[float]]:
    """The same plan, and the processor seconds that its rows took: featurising and reading is not fitting."""
    seconds: list[float] = []

    def rows_of(recipe: Recipe) -> RowsToFit:
        started = time.process_time()
        rows = plan.rows_of(recipe)
        seconds.append(time.process_time() - started)
        return rows

    return replace(plan, rows_of=rows_of), seconds


def _measure_mlnet(data_set: DataSet, training: Training, library: FeatureLibrary) -> Cell:
    """The better of its two ways, by accuracy on the held-out folds themselves: hindsight, in its favour."""
    scores = imagenet_scores(training.values, library.entry, library.backbone.weights)
    of_both = []
    for early_stopping, way in ((True, "as it comes"), (False, "200 epochs")):
        started = time.process_time()
        found = measure_mlnet(
            scores,
            training.targets,
            training.groups,
            training.labels,
            seeds=range(data_set.seeds),
            early_stopping=early_stopping,
        )
        of_both.append((found, way, time.process_time() - started))
    found, way, seconds = max(of_both, key=lambda one: one[0].accuracy)
    return _make(data_set, MLNET, training, found.accuracies, found.log_losses, found.folds, seconds, [way])


def _make(
    data_set: DataSet,
    recipe: str,
    training: Training,
    accuracies: Sequence[float],
    log_losses: Sequence[float],
    folds: int,
    seconds: float,
    taken: list[str],
) -> Cell:
    rows = "".join(f"{one.digest} {group}\n" for one, group in zip(training.samples, training.groups, strict=True))
    return Cell(
        data=data_set.name,
        recipe=recipe,
        n=len(training.samples),
        labels=len(training.labels),
        groups=len(set(training.groups)),
        folds=folds,
        seeds=data_set.seeds,
        accuracies=tuple(accuracies),
        log_losses=tuple(log_losses),
        seconds=seconds / len(accuracies),
        taken=counts(taken),
        rows=hashlib.sha256(rows.encode()).hexdigest()[:16],
        machine=machine(),
    )


def machine() -> str:
    """The processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0]}, {len(models)} cores" if models else platform.processor() or "unknown"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_sets", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--squeezenet", type=Path, required=True)
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=_names, default=[], help="only these data sets, with commas between")
    parser.add_argument("--only", type=_names, default=[], help="only these recipes, with commas between")
    parser.add_argument("--again", type=_names, default=[], help="measure these recipes anew")
    parser.add_argument("--page", type=Path, default=Path("docs/results.md"))
    parser.add_argument("--page-only", action="store_true")
    return parser


def _names(text: str) -> list[str]:
    return text.split(",")


if __name__ == "__main__":
    main()
