"""Do scores mean what they say? Calibration error of the default probe, and what chance leaves where they are true.

    python -m bench.calibration DATA... --weights mobilenet_v2.pth

DATA is a folder or a table of labels. Everything is the trainer's own, as in a run with `--split 1,0,0` and seed 0.
Errors are out of fold: of the plain logits, and with the temperature, which is chosen without the rows it is measured
on. Beside them stands that of models whose scores are exactly true, on as many pictures in such groups: the mean, and
what 95 of 100 stay below. The aim is at most 3 %, or within a point of that mean.
"""

from dataclasses import replace

from bench.arguments import data_arguments
from bench.rows import tell_each
from trainer.calibration import Calibration
from trainer.samples import Split
from trainer.training import Training, measure

AIM, NEAR_PERFECT = 0.03, 0.01


def main() -> None:
    """Print one line a data set, and one JSON object at the end."""
    arguments = data_arguments(__doc__).parse_args()

    def measured(rows: Training) -> tuple[str, object]:
        found = calibration_of(rows, threads=arguments.threads)
        return line_of(found, len(rows.labels)), found and found.as_json()

    tell_each(arguments, measured)


def calibration_of(rows: Training, *, threads: int) -> Calibration | None:
    """Of all rows, also those that the data holds out; None where a label has too few groups for folds."""
    train: Split = "train"
    everything = replace(rows, splits=(train,) * len(rows.samples))
    return measure(everything, seed=0, threads=threads).calibration


def line_of(found: Calibration | None, labels: int) -> str:
    """What is printed of one data set."""
    if found is None:
        return "a label has too few groups for folds: nothing is out of fold"
    return (
        f"n {found.n:>5}  K {labels:>3}  temperature {found.temperature:.2f}  "
        f"before {found.before:.1%}  after {found.after:.1%}  "
        f"perfect {found.perfect:.1%}, {found.perfect_95:.1%}  {'met' if is_met(found) else 'MISSED'}"
    )


def is_met(found: Calibration) -> bool:
    """Whether the error is at most 3 %, or within a point of what perfect models show in the mean."""
    return found.after <= max(AIM, found.perfect + NEAR_PERFECT)


if __name__ == "__main__":
    main()
