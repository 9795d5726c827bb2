"""How a head is fitted, where its bundle goes, and a run that repeats an earlier one."""

from collections.abc import Sequence
from pathlib import Path

from trainer.errors import UsageError


class SgdDiverged(UsageError):
    """The SGD head's numbers grew beyond all bounds."""

    def __init__(self, epoch: int) -> None:
        super().__init__(
            f"--head sgd: in epoch {epoch + 1} the head's numbers are no numbers any more. The steps are too large: "
            "lower --learning-rate, or let it grow slowly with --warmup-epochs 5."
        )


class MlnetOptionsInvalid(UsageError):
    """The file with ML.NET's options has one that ML.NET has not, or cannot be read."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"--mlnet-options {path}: {detail}. docs/coming-from-mlnet.md lists every option; mend the file, "
            "or leave --mlnet-options out."
        )


class ModelsDirNotWritable(UsageError):
    """Bundles cannot be published where they should be."""

    def __init__(self, folder: Path, detail: str) -> None:
        super().__init__(
            f"{folder}: bundles cannot be published here ({detail}). Name another folder with --models-dir, or make "
            "this one writable. Nothing was computed."
        )


class ReplayWeightsMissing(UsageError):
    """The weights that an earlier run used are not those that were found."""

    def __init__(self, bundle: Path, *, backbone: str, source: str, sha256: str, found: Exception | str) -> None:
        super().__init__(
            f"{bundle}: it was trained with weights of {backbone} ({source}) whose SHA-256 is {sha256}; {found} "
            "Name the file that has it with --weights FILE."
        )


class ReplayRefused(UsageError):
    """What an earlier run sets, and what was given beside it, do not go together."""

    def __init__(self, bundle: Path, detail: str, *, from_bundle: Sequence[str]) -> None:
        taken = f" From the bundle: {', '.join(from_bundle)}." if from_bundle else ""
        super().__init__(
            f"--from {bundle}: {detail}.{taken} Give another value beside it, or leave out what does not go with it."
        )
