"""What near duplicates mean for a data set: sets of one picture, across labels, across given splits, too large."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from trainer.finding_words import tell
from trainer.findings import Finding, Kind, Mention
from trainer.manifest_findings import mention_set
from trainer.near_duplicates import Likeness
from trainer.samples import Sample

Correlations = Mapping[int, Mapping[int, float]]
"""The correlation of each pair of rows that are alike, under either row."""


def find_alike(samples: Sequence[Sample], likeness: Likeness) -> tuple[Finding, ...]:
    """Findings about copies that are not byte for byte; sets of the most alike pictures first.

    Args:
        samples: N samples.
        likeness: of the same N rows.
    """
    correlations = _by_row(likeness)
    digests = [sample.digest for sample in samples]
    near = [rows for rows in likeness.groups if len({digests[row] for row in rows}) > 1]
    one_label = [rows for rows in near if len({samples[row].label for row in rows}) == 1]
    two_labels = [rows for rows in near if len({samples[row].label for row in rows}) > 1]
    return (
        *tell(Kind.NEAR_DUPLICATES, _mentions(samples, one_label, correlations)),
        *tell(Kind.ALIKE_TWO_LABELS, _mentions(samples, two_labels, correlations)),
        *tell(Kind.ALIKE_TOO_MANY, _mentions(samples, likeness.oversized, correlations)),
    )


def find_across_splits(samples: Sequence[Sample], groups: Sequence[str]) -> tuple[Finding, ...]:
    """Groups of copies, exact or near, that the data puts into more than one split.

    Args:
        samples: N samples.
        groups: the group of each.
    """
    together: dict[str, list[Sample]] = defaultdict(list)
    for sample, group in zip(samples, groups, strict=True):
        together[group].append(sample)
    torn = (one for one in together.values() if len({sample.split for sample in one} - {None}) > 1)
    mentions = (mention_set(one, _splits_of(one), float(len(one))) for one in torn)
    return tell(Kind.ACROSS_SPLITS, sorted(mentions, key=lambda one: (-len(one.names), one.names)))


def _splits_of(samples: Sequence[Sample]) -> str:
    found = {sample.split for sample in samples}
    return " and ".join(split for split in ("train", "validation", "test") if split in found)


def _by_row(likeness: Likeness) -> Correlations:
    found: dict[int, dict[int, float]] = defaultdict(dict)
    for pair in likeness.pairs:
        found[pair.first][pair.second] = found[pair.second][pair.first] = pair.correlation
    return found


def _mentions(
    samples: Sequence[Sample], sets: Sequence[Sequence[int]], correlations: Correlations
) -> Iterator[Mention]:
    found = [_mention(samples, rows, correlations) for rows in sets]
    yield from sorted(found, key=lambda one: (-(one.figure or 0.0), one.names))


def _mention(samples: Sequence[Sample], rows: Sequence[int], correlations: Correlations) -> Mention:
    """The figure is the lowest correlation that holds the set together."""
    within = [
        correlations[row][other] for row in rows if row in correlations for other in correlations[row] if other in rows
    ]
    lowest = min(within, default=None)
    detail = "" if lowest is None else f"alike to {lowest:.3f}"
    return mention_set([samples[row] for row in rows], detail, lowest)
