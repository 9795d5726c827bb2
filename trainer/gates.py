"""What must hold before a bundle is published. A failed gate leaves everything as it was."""

from pathlib import Path

from shared.bundle import read_bundle
from shared.errors import BundleError, SessionError
from shared.golden import check_golden
from shared.session import open_session
from trainer.errors.gates import AccuracyTooLow, BundleFailsItsCheck, NothingToMeasure
from trainer.progress import Progress
from trainer.training import Measured

GATES = frozenset({"min_accuracy", "not_worse"})
"""Settings that say how a run publishes, not how its model is made: no bundle records them, no repeat obeys them."""


def check_accuracy(measured: Measured, wanted: float | None) -> None:
    """The lower bound of the accuracy's 95 % interval reaches `wanted`; None asks for nothing.

    Measured on the test split, or, where there is none, by cross-validation.

    Raises:
        AccuracyTooLow: it does not.
        NothingToMeasure: there is no number to compare.
    """
    if wanted is None:
        return
    evaluation = measured.test or measured.cross_validated
    if evaluation is None:
        raise NothingToMeasure
    low = evaluation.accuracy_interval[0]
    if low < wanted:
        raise AccuracyTooLow(low=low, accuracy=evaluation.accuracy, wanted=wanted, n=evaluation.n)


def check_bundle(folder: Path, progress: Progress) -> None:
    """A sealed folder passes what the service checks: whole, safe to open, golden answers given.

    Raises:
        BundleFailsItsCheck: it does not.
    """
    try:
        bundle = read_bundle(folder)
        warnings = check_golden(bundle, open_session(bundle.read_model(), provider="cpu", threads=1))
    except (BundleError, SessionError) as error:
        raise BundleFailsItsCheck(str(error)) from error
    for warning in warnings:
        progress.warn(warning)
