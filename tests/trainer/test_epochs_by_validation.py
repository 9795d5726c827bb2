"""`--epochs-by validation` reaches the fit: of the model, and of each nested fold."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shared.preprocess import PreprocessSpec
from tests.trainer.blobs import make_blobs
from trainer.cross_validation import CrossValidation, cross_validate
from trainer.head import HeadFit
from trainer.nested_folds import nested_folds
from trainer.progress import Quiet
from trainer.recipe import FeatureChoice, Recipe, plain_rows
from trainer.recipe_search import Candidate, Plan
from trainer.samples import Sample
from trainer.settings import TrainSettings
from trainer.training import Training, measure

FEATURES, TARGETS, GROUPS = make_blobs(120, features=20, classes=2, distance=0.4)
LABELS = ("ant", "bee")
VALIDATION = np.arange(60, 90)
SPLITS = ("train",) * 60 + ("validation",) * 30 + ("test",) * 30
SAMPLES = tuple(Sample(f"{row}.png", f"{row}.png", LABELS[TARGETS[row]], GROUPS[row], None) for row in range(120))
PLAN = Plan((Candidate(Recipe(FeatureChoice(PreprocessSpec()), "sgd"), "sgd"),), lambda _recipe: plain_rows(FEATURES))
SETTINGS = TrainSettings.model_validate(
    {
        "data": "unread",
        "name": "a",
        "head": "sgd",
        "epochs_by": "validation",
        "epochs": 40,
        "learning_rate": 0.03,
        "folds": 3,
        "threads": 1,
        "seed": 0,
    }
)


def training(targets: NDArray[np.int64] = TARGETS) -> Training:
    return Training(SAMPLES, LABELS, FEATURES, targets, tuple(GROUPS), SPLITS)


def turned(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """With the labels of these rows the wrong way round."""
    targets = TARGETS.copy()
    targets[rows] = 1 - targets[rows]
    return targets


def fitted(targets: NDArray[np.int64]) -> HeadFit:
    return measure(training(targets), seed=0, threads=1, plan=PLAN, sgd=SETTINGS.sgd_options).fit


def test_the_validation_split_decides_on_the_epochs_of_the_model() -> None:
    """What is learned makes turned labels of that split only worse."""
    usual, contrary = fitted(TARGETS), fitted(turned(VALIDATION))

    assert contrary.epochs == 1 < usual.epochs
    watched = [step.accuracy * len(VALIDATION) for step in usual.history if step.dataset == "validation"]
    assert np.allclose(watched, np.round(watched)), "accuracy is that of so many pictures"


def test_it_decides_in_nested_folds_too() -> None:
    def expected(validation: NDArray[np.int64] | None) -> CrossValidation:
        shared = {"folds": 3, "seeds": (0,), "threads": 1, "sgd": SETTINGS.sgd_options}
        return cross_validate(PLAN, TARGETS, GROUPS, LABELS, validation=validation, **shared)  # type: ignore[arg-type]

    found = nested_folds(training(), PLAN, SETTINGS, Quiet())

    assert found.results == expected(VALIDATION).results
    assert found.results != expected(None).results


def test_a_named_test_set_leaves_the_validation_split_what_it_is() -> None:
    """Folds are then made of the first 90 pictures alone, whose numbers stay."""
    found = nested_folds(training(), PLAN, SETTINGS, Quiet(), is_test_named=True)

    shorter = replace(PLAN, rows_of=lambda _recipe: plain_rows(FEATURES[:90]))
    expected = cross_validate(
        shorter,
        TARGETS[:90],
        GROUPS[:90],
        LABELS,
        folds=3,
        seeds=(0,),
        threads=1,
        sgd=SETTINGS.sgd_options,
        validation=VALIDATION,
    )
    assert found.results == expected.results
