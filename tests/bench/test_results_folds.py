"""docs/results.md: a cell that was ended goes on with the outer folds that it lacks, none of them of other rules."""

from dataclasses import replace
from pathlib import Path

import pytest

import bench.results_folds
from bench.results import measure_folds
from bench.results_folds import KeptFold, KeptFolds, fingerprint_of
from shared.preprocess import PreprocessSpec
from tests.trainer.blobs import make_blobs
from trainer.feature_library import FeatureLibrary
from trainer.progress import Quiet
from trainer.recipe import FeatureChoice, FeatureRows, Recipe, plain_rows
from trainer.recipe_search import Candidate, Plan
from trainer.run_backbone import RunBackbone
from trainer.samples import Sample
from trainer.settings import TrainSettings
from trainer.training import Training

FOLD = KeptFold(seed=1, fold=3, recipe="probe", accuracy=0.875, log_loss=0.5, seconds=1.5)


def make_training() -> Training:
    features, targets, groups = make_blobs(60, features=6, classes=2)
    samples = tuple(
        Sample(f"{row}.png", f"{row}.png", "ab"[target], str(row), None) for row, target in enumerate(targets)
    )
    return Training(samples, ("a", "b"), features, targets, tuple(groups), ("train",) * 60)


class Interrupted(Exception):
    """As if the run were ended."""


def plan_of(training: Training, *, until: int) -> tuple[Plan, list[Recipe]]:
    """The probe; rows are asked for three times in each outer fold, and the run ends after so many times."""
    asked: list[Recipe] = []

    def rows_of(recipe: Recipe) -> FeatureRows:
        if len(asked) == until:
            raise Interrupted
        asked.append(recipe)
        return plain_rows(training.features)

    return Plan((Candidate(Recipe(FeatureChoice(PreprocessSpec())), "probe"),), rows_of), asked


def test_a_cell_that_was_ended_goes_on_with_the_folds_that_it_lacks(tmp_path: Path) -> None:
    training, kept = make_training(), KeptFolds(tmp_path / "folds", "a")
    whole = measure_folds(plan_of(training, until=99)[0], training, KeptFolds(tmp_path, "b"), seeds=2, threads=1)

    with pytest.raises(Interrupted):
        measure_folds(plan_of(training, until=9)[0], training, kept, seeds=2, threads=1)
    assert list(kept.read()) == [(0, 0), (0, 1), (0, 2)]
    plan, asked = plan_of(training, until=99)
    folds, found = measure_folds(plan, training, kept, seeds=2, threads=1)

    assert len(asked) == 3 * 7, "three folds of ten were there"
    assert folds == 5 and len(found) == 10
    assert [replace(one, seconds=0) for one in found] == [replace(one, seconds=0) for one in whole[1]]


def test_folds_are_read_as_they_were_written_but_for_a_line_that_was_cut_off(tmp_path: Path) -> None:
    kept = KeptFolds(tmp_path, "a")
    kept.add(FOLD)
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write('{"seed": 1, "fold": 3, "share": 0.5}\n{"seed": 1, "fo')
    kept.add(replace(FOLD, fold=4))

    assert kept.read() == {(1, 3): FOLD, (1, 4): replace(FOLD, fold=4)}


def test_a_cell_that_is_whole_leaves_no_folds(tmp_path: Path) -> None:
    """Else `--again` would measure nothing."""
    kept = KeptFolds(tmp_path, "a")
    kept.add(FOLD)

    kept.forget()

    assert kept.read() == {} and not list(tmp_path.iterdir())
    kept.forget()


def test_only_folds_of_the_same_pictures_features_settings_and_rules_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    training = make_training()
    first = training.samples[0]

    def fingerprint(
        of: Training = training, graph: bytes = b"graph", recipe: str = "probe", folds: int = 5, **options: object
    ) -> str:
        settings = TrainSettings.model_validate({"data": "pets"} | options)
        backbone = RunBackbone.__new__(RunBackbone)
        object.__setattr__(backbone, "graph", graph)
        return fingerprint_of(of, FeatureLibrary(backbone, of.samples, settings, Quiet()), recipe, folds=folds)

    as_it_was = fingerprint()
    others = [
        fingerprint(replace(training, samples=(replace(first, digest="other"), *training.samples[1:]))),
        fingerprint(replace(training, groups=("other", *training.groups[1:]))),
        fingerprint(replace(training, features=training.features + 1)),
        fingerprint(replace(training, targets=1 - training.targets)),
        fingerprint(graph=b"other"),
        fingerprint(recipe="SGD"),
        fingerprint(folds=4),
        fingerprint(search=True),
        fingerprint(threads=3),
    ]
    monkeypatch.setattr(bench.results_folds, "RULES", bench.results_folds.RULES + 1)
    others.append(fingerprint())

    assert len({as_it_was, *others}) == 1 + len(others)
    monkeypatch.undo()
    assert fingerprint(data="elsewhere", cache_dir="elsewhere") == as_it_was
