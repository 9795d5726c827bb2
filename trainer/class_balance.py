"""Labels with too few pictures to trust, or far fewer than others."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from trainer.finding_words import tell
from trainer.findings import Finding, Kind, Mention
from trainer.samples import Sample

FEW = 10
"""With fewer different pictures a fold holds out one or two of a label, and its numbers are chance."""

IMBALANCE = 10
"""The label that has most has more than this many times the pictures of one that is named."""


def find_imbalance(samples: Sequence[Sample], groups: Sequence[str]) -> tuple[Finding, ...]:
    """Labels with few pictures and labels with far fewer than the largest, the smallest first.

    Args:
        samples: N samples.
        groups: N group ids; copies in one group count as one picture where there are few.
    """
    different = Counter(label for label, _ in {(one.label, group) for one, group in zip(samples, groups, strict=True)})
    counts = Counter(sample.label for sample in samples)
    most = max(counts.values(), default=0)
    rare = {label: count for label, count in counts.items() if count * IMBALANCE < most}
    few = {label: count for label, count in different.items() if count < FEW}
    return (
        *tell(Kind.FEW_PICTURES, _smallest_first(few, "different pictures"), least=str(FEW)),
        *tell(Kind.IMBALANCE, _smallest_first(rare, "pictures"), most=f"{most:,}"),
    )


def _smallest_first(counts: Mapping[str, int], what: str) -> Iterator[Mention]:
    for label, count in sorted(counts.items(), key=lambda item: (item[1], item[0])):
        yield Mention((label,), f"{count:,} {what[:-1] if count == 1 else what}", float(count))
