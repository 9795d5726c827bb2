"""Keeps a named test set apart: pictures that it has too, copies of them and what is in their groups, are left out."""

from collections import defaultdict
from dataclasses import dataclass, replace

from trainer.audit import Audit, audit_manifest, examine_manifest
from trainer.featurize import Features
from trainer.groups import find_groups
from trainer.near_duplicates import Likeness, LikePair
from trainer.progress import Progress
from trainer.samples import Manifest, Sample, Twin
from trainer.telling import name_each

SAME, ALIKE, GROUPED = "the same file as", "nearly identical to", "in one group with"


@dataclass(frozen=True)
class Usable:
    """What can be learned from and tested on.

    Attributes:
        audit: of N samples.
        features: a row for each of them.
        likeness: of these rows.
    """

    audit: Audit
    features: Features
    likeness: Likeness


def keep_apart(found: Usable, progress: Progress, *, must_learn: bool = True) -> Usable:
    """The same without the samples that the named test set has too; they are noted with it, and named.

    Args:
        found: readable samples.
        progress: told.
        must_learn: what is left must be enough to learn from.

    Raises:
        BadData: it is not.
    """
    manifest = found.audit.manifest
    twins = find_twins(manifest, found.likeness)
    if manifest.test is None or not twins:
        return found
    left_out = [f"{twin.sample.name} ({twin.text})" for twin in twins.values()]
    name_each(progress, "not learned from, because the test set has them, copies of them or their group", left_out)
    kept = [row for row in range(len(manifest.samples)) if row not in twins]
    test = replace(manifest.test, twins=tuple(sorted(twins.values(), key=lambda twin: twin.sample.name)))
    left = replace(manifest.of_rows(kept), test=test)
    audit = audit_manifest(left, max_conflicting=1.0) if must_learn else examine_manifest(left)
    return Usable(
        audit=replace(audit, conflicts=found.audit.conflicts),
        features=found.features.of_rows(kept),
        likeness=likeness_of_rows(found.likeness, [sample.digest for sample in manifest.samples], kept),
    )


def find_twins(manifest: Manifest, likeness: Likeness) -> dict[int, Twin]:
    """By row, the samples to learn from that are in one group with a sample of the named test set.

    A pair that is alike counts also where it could not be joined with the other copies of either, but not within a set
    that is too large to be one of copies (`Likeness.oversized`).

    Args:
        manifest: N readable samples.
        likeness: of the same N rows.
    """
    if manifest.test is None:
        return {}
    samples, in_test = manifest.samples, [manifest.is_test(sample.name) for sample in manifest.samples]
    across = _pairs_across(samples, in_test, likeness)
    groups = find_groups(samples, (*likeness.groups, *((pair.first, pair.second) for pair in across)))
    by_group: dict[str, list[Sample]] = defaultdict(list)
    for sample, group, tested in zip(samples, groups, in_test, strict=True):
        if tested:
            by_group[group].append(sample)
    alike = _alike_digests(samples, likeness)
    return {
        row: _twin(sample, by_group[groups[row]], alike[sample.digest])
        for row, sample in enumerate(samples)
        if not in_test[row] and groups[row] in by_group
    }


def likeness_of_rows(likeness: Likeness, digests: list[str], kept: list[int]) -> Likeness:
    """The same of some of the rows, by their new numbers; of equal pictures the first that is left stands for all.

    Args:
        likeness: of N rows.
        digests: of the N rows.
        kept: rows, in rising order.
    """
    first: dict[str, int] = {}
    for new, row in enumerate(kept):
        first.setdefault(digests[row], new)

    def renumbered(sets: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
        found = (sorted(first[digests[row]] for row in rows if digests[row] in first) for rows in sets)
        return tuple(sorted(tuple(rows) for rows in found if len(rows) > 1))

    pairs = []
    for pair in likeness.pairs:
        ends = sorted(first[digests[row]] for row in (pair.first, pair.second) if digests[row] in first)
        if len(ends) == 2:
            pairs.append(LikePair(ends[0], ends[1], pair.correlation, pair.turned))
    return replace(
        likeness,
        pairs=tuple(pairs),
        groups=renumbered(likeness.groups),
        oversized=renumbered(likeness.oversized),
    )


def _pairs_across(samples: tuple[Sample, ...], in_test: list[bool], likeness: Likeness) -> list[LikePair]:
    """Likeness names one row of equal pictures, so what is where is asked by content."""
    tested = {sample.digest for sample, one in zip(samples, in_test, strict=True) if one}
    learned = {sample.digest for sample, one in zip(samples, in_test, strict=True) if not one}
    too_large = {row: number for number, rows in enumerate(likeness.oversized) for row in rows}

    def is_across(pair: LikePair) -> bool:
        one, other = samples[pair.first].digest, samples[pair.second].digest
        within = too_large.get(pair.first, -1) == too_large.get(pair.second, -2)
        return not within and ((one in tested and other in learned) or (one in learned and other in tested))

    return [pair for pair in likeness.pairs if is_across(pair)]


def _alike_digests(samples: tuple[Sample, ...], likeness: Likeness) -> dict[str, set[str]]:
    """What each picture is alike to, by digest; all of a group are alike."""
    alike: dict[str, set[str]] = defaultdict(set)
    for rows in (*likeness.groups, *((pair.first, pair.second) for pair in likeness.pairs)):
        digests = {samples[row].digest for row in rows}
        for digest in digests:
            alike[digest] |= digests
    return alike


def _twin(sample: Sample, tested: list[Sample], alike: set[str]) -> Twin:
    """With the sample of the test set that it has most to do with."""
    for how, like in (
        (SAME, next((one for one in tested if one.digest == sample.digest), None)),
        (ALIKE, next((one for one in tested if one.digest in alike), None)),
    ):
        if like is not None:
            return Twin(sample, like, how)
    return Twin(sample, tested[0], GROUPED)
