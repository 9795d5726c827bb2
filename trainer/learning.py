"""Learning, as `train` does it: from usable pictures and their features to a measured head and the one to publish."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from trainer.audit import Audit
from trainer.data_findings import find_in_data, tell_worth_a_look
from trainer.feature_library import FeatureLibrary
from trainer.featurize import Features
from trainer.final_fit import final_fit
from trainer.findings import Finding
from trainer.gates import check_accuracy
from trainer.head import HeadFit
from trainer.label_audit import judge_measured
from trainer.likeness_telling import compare_pictures, tell_likeness
from trainer.live_metrics import OnMetrics
from trainer.moves import tell_moves
from trainer.near_duplicates import Likeness
from trainer.nested_folds import nested_folds
from trainer.not_worse import Comparison, check_not_worse
from trainer.precision import PrecisionChoice, Recorded, plan_in, settle_precision
from trainer.progress import Progress
from trainer.recipe import Recipe
from trainer.recipe_plan import make_plan
from trainer.recipe_search import Plan
from trainer.recipe_telling import tell_searched
from trainer.run_backbone import RunBackbone
from trainer.settings import TrainSettings
from trainer.training import Measured, Training, arrange, measure, require_learnable
from trainer.twins import Usable, keep_apart


@dataclass(frozen=True)
class Learned:
    """What came of it.

    Attributes:
        likeness: near duplicates among the samples of the manifest.
        training: the samples in canonical order, with groups and splits, and the features of the recipe.
        library: where any other features of the samples are to be had.
        recipe: that was chosen.
        precision: what its backbone computes in, and why.
        measured: the head that never saw the test split, and its numbers.
        final: the head to publish.
        compared: with the current version, for `--not-worse`; None where nobody asked, or nothing is current.
    """

    likeness: Likeness
    training: Training
    library: FeatureLibrary
    recipe: Recipe
    precision: PrecisionChoice
    measured: Measured
    final: HeadFit
    compared: Comparison | None


def find_usable(audit: Audit, features: Features, progress: Progress) -> Usable:
    """Compare pictures, and leave out what a named test set has too; `features` has a row for each audited sample.

    Raises:
        BadData: what is left cannot be learned from.
    """
    likeness = compare_pictures(audit.manifest, features.statistics, progress)
    return keep_apart(Usable(audit, features, likeness), progress)


def learn(
    usable: Usable,
    backbone: RunBackbone,
    settings: TrainSettings,
    progress: Progress,
    on_metrics: OnMetrics | None,
    *,
    recorded: Recorded | None = None,
) -> Learned:
    """Group, split, choose a recipe, fit and measure, then fit again on everything.

    Args:
        usable: what is learned from, with features of the backbone's base choice.
        backbone: gives other features, where the settings leave it open which to take.
        settings: of the run.
        progress: shows it.
        on_metrics: told of each step of the head.
        recorded: the precision that the run which is repeated chose, and for what.

    Raises:
        QuantisationFailed: int8 was asked for, and the backbone cannot have it.
        LabelNotInTrain: a label would be tested without having been learned.
        GateFailed: the accuracy is below what was asked for, or below the current version's.
    """
    training = _arrange(usable, settings, progress)
    calibration = [training.samples[row] for row in training.rows("train").tolist()]
    square = usable.features.statistics.all_square
    library = FeatureLibrary(backbone, training.samples, settings, progress, on_metrics, calibration, square)
    plan = make_plan(library, training, settings)
    measure_plan = _measuring(training, settings, progress, on_metrics)
    measured = measure_plan(plan)
    tell_searched(measured.searched, progress)
    measured, precision = settle_precision(
        settings.precision, training, plan, measured, library, measure_plan, recorded=recorded
    )
    recipe = measured.searched.recipe
    if measured.fit.note:
        progress.warn(measured.fit.note)
    compared = _pass_gates(training, measured, settings, progress)
    if settings.folds:
        is_test_named = usable.audit.manifest.test is not None
        in_precision = plan_in(precision.taken, plan)
        nested = nested_folds(training, in_precision, settings, progress, is_test_named=is_test_named)
        measured = replace(measured, folds=nested)
    training = training.having(plan.rows_of(recipe))
    final = _fit_final(training, measured, settings, progress)
    return Learned(usable.likeness, training, library, recipe, precision, measured, final, compared)


def _measuring(
    training: Training, settings: TrainSettings, progress: Progress, on_metrics: OnMetrics | None
) -> Callable[[Plan], Measured]:
    """Measures any plan as the settings say."""
    return lambda plan: measure(
        training,
        seed=settings.seed,
        threads=settings.thread_count,
        plan=plan,
        balance=settings.balance,
        sgd=settings.sgd_options,
        progress=progress,
        on_metrics=on_metrics,
    )


def _fit_final(training: Training, measured: Measured, settings: TrainSettings, progress: Progress) -> HeadFit:
    with progress.phase("fit final head"):
        return final_fit(
            training,
            measured,
            settings.final_fit,
            seed=settings.seed,
            threads=settings.thread_count,
            balance=settings.balance,
            sgd=settings.sgd_options,
        )


def _pass_gates(
    training: Training, measured: Measured, settings: TrainSettings, progress: Progress
) -> Comparison | None:
    """What need not wait for nested folds: they say more of the recipe, and no gate asks them."""
    check_accuracy(measured, settings.min_accuracy)
    model = settings.models_dir / settings.model_name
    return check_not_worse(training, measured, model, progress) if settings.not_worse else None


def look_through(usable: Usable, learned: Learned, progress: Progress) -> tuple[Finding, ...]:
    """Everything that was found in the data; what a person should look at is said."""
    audit, features = usable.audit, usable.features
    unreadable = (*audit.manifest.unreadable, *features.unreadable)
    with progress.phase("look through pictures"):
        judged = judge_measured(learned.training, learned.measured)
        findings = find_in_data(audit, unreadable, features.statistics, learned.likeness, learned.training, judged)
    tell_worth_a_look(findings, progress)
    return findings


def _arrange(usable: Usable, settings: TrainSettings, progress: Progress) -> Training:
    audit, features, likeness = usable.audit, usable.features, usable.likeness
    training = arrange(audit.manifest, features.rows, alike=likeness.groups, shares=settings.split, seed=settings.seed)
    tell_likeness(likeness, audit.manifest.samples, training, progress)
    require_learnable(training)
    model_folder = settings.models_dir / settings.model_name
    tell_moves(training, model=model_folder, seed=settings.seed, shares=settings.split, progress=progress)
    return training
