"""Backbones side by side: `compare` and `--backbone auto`."""

from collections.abc import Sequence
from pathlib import Path

from trainer.errors import UsageError


class SeveralUnusable(UsageError):
    """Several of the things that were named cannot be used."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(["Some of what was named cannot be used:", *problems]))


class NothingFastEnough(UsageError):
    """No backbone answers as fast as was asked for."""

    def __init__(self, max_latency_ms: float, *, fastest: str, latency_ms: float) -> None:
        super().__init__(
            f"--max-latency {max_latency_ms:g}ms: the fastest here is {fastest} with {latency_ms:.1f} ms a request. "
            "Allow more, take --precision int8, or give the weights of a smaller backbone."
        )


class NothingToCompare(UsageError):
    """`--backbone auto` and `compare` found no backbone that they could look at."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"nothing to compare: {detail}. Fetch weights (`python -m trainer backbones fetch NAME`), name a file with "
            "--weights FILE, or leave out the option that no backbone goes with."
        )


class ChartNotWritable(UsageError):
    """The chart of `compare` cannot be written where it should be."""

    def __init__(self, out: Path, detail: str) -> None:
        super().__init__(
            f"--out {out}: nothing can be written there ({detail}). Make the folder {out.parent}, or name another. "
            "Nothing was computed."
        )
