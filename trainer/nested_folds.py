"""The numbers of `--folds`: of the whole recipe, chosen anew in each fold from the pictures that heads learn from."""

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from trainer.cross_validation import CrossValidation, cross_validate
from trainer.progress import Progress
from trainer.recipe import Recipe, RowsToFit
from trainer.recipe_search import Plan
from trainer.settings import TrainSettings
from trainer.training import Training


def nested_folds(
    training: Training, plan: Plan, settings: TrainSettings, progress: Progress, *, is_test_named: bool = False
) -> CrossValidation:
    """Hold out each fold once; in each all is chosen anew but the backbone and its precision.

    Args:
        training: the pictures.
        plan: recipes to choose from.
        settings: how many folds, and what all fits of the run share.
        progress: shows the folds as they are done.
        is_test_named: no head learns from the test split; else folds are made of all pictures.
    """
    rows = np.arange(len(training.samples))
    if is_test_named:
        rows = training.rows("train", "validation")
        plan = replace(plan, rows_of=partial(_taken, plan, rows))
    return cross_validate(
        plan,
        training.targets[rows],
        [training.groups[row] for row in rows.tolist()],
        training.labels,
        folds=settings.folds,
        seeds=(settings.seed,),
        threads=settings.thread_count,
        balance=settings.balance,
        sgd=settings.sgd_options,
        validation=np.flatnonzero(np.isin(rows, training.rows("validation"))),
        progress=progress,
    )


def _taken(plan: Plan, rows: NDArray[np.int64], recipe: Recipe) -> RowsToFit:
    """Some rows of those that the plan has for a recipe."""
    return plan.rows_of(recipe).take(rows)
