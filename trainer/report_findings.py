"""Findings as the report shows them: bounded lists, and thumbnails of what is worth a look."""

from collections.abc import Mapping, Sequence

from trainer.findings import Finding, Kind, Mention, Severity
from trainer.report_content import MOST_LISTED, Noticed, Shown
from trainer.samples import Sample
from trainer.thumbnails import Thumbnails

MOST_SHOWN = 12
MOST_TOGETHER = 3
MOST_NAMED_TOGETHER = 6
_TO_LOOK_AT = frozenset(
    {
        Kind.NEAR_DUPLICATES,
        Kind.LABEL_ERRORS,
        Kind.ALIKE_TWO_LABELS,
        Kind.ALIKE_TOO_MANY,
        Kind.OUTLIERS,
        Kind.DARK,
        Kind.UNIFORM,
        Kind.BLURRED,
    }
)


def show_findings(
    findings: Sequence[Finding], samples: Sequence[Sample], thumbnails: Thumbnails
) -> tuple[Noticed, ...]:
    """The findings, in their order. Reads pictures again, unless they are kept out.

    Args:
        findings: about the samples.
        samples: those that can be read.
        thumbnails: deals them out.
    """
    by_name = {sample.name: sample for sample in samples} if thumbnails.allowed else {}
    return tuple(_noticed(finding, by_name, thumbnails) for finding in findings)


def _noticed(finding: Finding, by_name: Mapping[str, Sample], thumbnails: Thumbnails) -> Noticed:
    shown = finding.mentions[:MOST_SHOWN] if finding.kind in _TO_LOOK_AT and by_name else ()
    return Noticed(
        title=finding.title,
        meaning=finding.meaning,
        look=finding.severity is Severity.LOOK,
        shown=tuple(_shown(mention, by_name, thumbnails) for mention in shown),
        lines=tuple(map(_line, finding.mentions[:MOST_LISTED])),
        total=finding.total,
    )


def _shown(mention: Mention, by_name: Mapping[str, Sample], thumbnails: Thumbnails) -> Shown:
    samples = (by_name.get(name) for name in mention.names[:MOST_TOGETHER])
    pictures = tuple(thumbnails.of(sample) if sample else None for sample in samples)
    more = len(mention.names) - MOST_NAMED_TOGETHER
    rest = (f"and {more:,} more",) if more > 0 else ()
    return Shown(pictures, (*mention.names[:MOST_NAMED_TOGETHER], *rest), mention.detail)


def _line(mention: Mention) -> str:
    names = mention.named(MOST_NAMED_TOGETHER)
    return f"{names}: {mention.detail}" if mention.detail else names
