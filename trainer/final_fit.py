"""The head to publish, once the measured one is known: fitted again on everything, or the measured one itself."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainer.head import HeadFit
from trainer.sgd_options import SgdOptions
from trainer.training import Measured, Training


def final_fit(
    training: Training,
    measured: Measured,
    on: Literal["all", "train"],
    *,
    seed: int,
    threads: int,
    balance: bool = False,
    sgd: SgdOptions | None = None,
) -> HeadFit:
    """The head to publish: on every split with all that was chosen, or the measured one itself.

    Args:
        training: with the features of the recipe that was chosen.
        measured: what was chosen, and on which rows.
        on: the splits to fit on; "train" keeps the measured head.
        seed, threads, balance, sgd: as of `measure`.
    """
    if on == "train" or not len(measured.test_rows):
        return measured.fit
    everything = np.arange(len(training.samples))
    return training.fit(
        everything, seed=seed, threads=threads, kind=measured.fit.kind, balance=balance, sgd=sgd, like=measured.fit
    )


def rows_of_final(training: Training, measured: Measured, final: HeadFit) -> NDArray[np.int64]:
    """The rows that the published head was fitted on."""
    return training.rows("train", "validation") if final is measured.fit else np.arange(len(training.samples))
