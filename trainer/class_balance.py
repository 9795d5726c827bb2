"""Labels with too few pictures to trust, or far fewer than others."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from trainer.counting import counted
from trainer.finding_words import tell
from trainer.findings import Finding, Kind, Mention
from trainer.samples import Sample

FEW = 10
"""With fewer groups a fold holds out one or two of a label, and its numbers are chance."""

IMBALANCE = 10
"""The label that has most has more than this many times the pictures of one that is named."""


def find_imbalance(samples: Sequence[Sample], groups: Sequence[str]) -> tuple[Finding, ...]:
    """Labels with few pictures and labels with far fewer than the largest, the smallest first.

    Args:
        samples: N samples.
        groups: N group ids; what is in one group counts once where there are few.
    """
    different = Counter(label for label, _ in {(one.label, group) for one, group in zip(samples, groups, strict=True)})
    counts = Counter(sample.label for sample in samples)
    most = max(counts.values(), default=0)
    few = {label: _in_groups(counts[label], count) for label, count in different.items() if count < FEW}
    rare = {label: counted(count, "picture") for label, count in counts.items() if count * IMBALANCE < most}
    return (
        *tell(Kind.FEW_PICTURES, _smallest_first(few, different), least=str(FEW)),
        *tell(Kind.IMBALANCE, _smallest_first(rare, counts), most=f"{most:,}"),
    )


def _in_groups(pictures: int, groups: int) -> str:
    return counted(pictures, "picture") + (f" in {counted(groups, 'group')}" if groups < pictures else "")


def _smallest_first(details: Mapping[str, str], counts: Mapping[str, int]) -> Iterator[Mention]:
    for label in sorted(details, key=lambda label: (counts[label], label)):
        yield Mention((label,), details[label], float(counts[label]))
