"""The test set that `--test` names: read by itself, then joined to the manifest, whose test split it is."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from trainer.counting import counted
from trainer.errors.manifest import LabelsFromDataTable
from trainer.errors.splits import (
    GroupColumnMissing,
    GroupingSaysNothing,
    GroupsWithoutTable,
    TwoTestSets,
    UnknownTestLabels,
)
from trainer.locations import last_name
from trainer.manifest import read_manifest
from trainer.progress import Progress
from trainer.samples import Manifest, NamedTest, PassedOver, Sample
from trainer.settings import AuditSettings, TrainSettings

NAMED_TEST = "named_test"
"""The word among a bundle's settings that says that there was one; where it lies is not said."""

_AUTO = "auto"
_MARK = "test:"


def settle_shares(settings: TrainSettings) -> TrainSettings:
    """The settings with what a named test set means: nothing of DATA is tested on, and no head learns from that set.

    They are what the bundle keeps. As they are, where no test set is named.
    """
    if settings.test is None:
        return settings
    return settings.model_copy(update={"split": fold_shares(settings.split), "final_fit": "train"})


def fold_shares(shares: tuple[float, float, float]) -> tuple[float, float, float]:
    """Those of train, validation and test where nothing is tested on: what was to be tested on is learned from."""
    return round(1.0 - shares[1], 9), shares[1], 0.0


def with_test_set(manifest: Manifest, settings: TrainSettings | AuditSettings, progress: Progress) -> Manifest:
    """The manifest with the test set that the settings name; as it is, where they name none.

    Raises:
        TwoTestSets: the data gives a test split of its own.
        UnknownTestLabels: the test set has a label that the data has not.
        UsageError, BadData: of the test set, as of `read_manifest`.
    """
    if settings.test is None:
        return manifest
    test = _read(settings.test, settings, progress)
    found = f"{counted(len(test.samples), 'picture')}, {counted(len(test.labels), 'label')}"
    progress.say(f"Test set: {found} from {test.labels_from}. No head learns from it.")
    if isinstance(settings, TrainSettings):
        train, validation, _ = settings.split
        progress.say(f"Of the other pictures {train:.0%} are for training and {validation:.0%} for validation.")
    if given := sum(sample.split not in (None, "test") for sample in test.samples):
        progress.say(f"{counted(given, 'picture')} of the test set are given to train or validation: not heeded.")
    joined = join_test_set(manifest, test, name=last_name(settings.test))
    if untested := sorted(set(manifest.labels) - {sample.label for sample in test.samples}):
        progress.warn(f"The test set has no picture of {', '.join(map(repr, untested))}: nothing will be known of it.")
    return joined


def join_test_set(manifest: Manifest, test: Manifest, *, name: str) -> Manifest:
    """One manifest of both. Names of the test set get a mark, and all of its samples are of the test split.

    Args:
        manifest: of the pictures to learn from.
        test: of the test set; splits that it gives do not count.
        name: of the test set.

    Raises:
        TwoTestSets: the former gives a test split.
        UnknownTestLabels: the latter has a label that the former has not.
    """
    if given := [sample.name for sample in manifest.samples if sample.split == "test"]:
        raise TwoTestSets(given)
    counts = Counter(sample.label for sample in test.samples)
    if unknown := {label: counts[label] for label in test.labels if label not in manifest.labels}:
        raise UnknownTestLabels(unknown, known=manifest.labels)
    mark = _free_mark(manifest)
    tested = [replace(sample, name=mark + sample.name, split="test") for sample in test.samples]
    return replace(
        manifest,
        samples=tuple(sorted((*manifest.samples, *tested), key=_name)),
        passed_over=_joined(manifest.passed_over, test.passed_over, mark),
        missing=(*manifest.missing, *(mark + name for name in test.missing)),
        unreadable=_joined(manifest.unreadable, test.unreadable, mark),
        test=NamedTest(name, test.labels_from, mark),
    )


def _read(data: str, settings: TrainSettings | AuditSettings, progress: Progress) -> Manifest:
    """Labels by the rule of the data or its own; a table says them itself. Without groups, where it says nothing."""
    labels, group_by = settings.test_labels or settings.labels, settings.group_by
    while True:
        try:
            return read_manifest(
                data,
                labels=labels,
                group_by=group_by,
                cache_dir=settings.cache_dir,
                max_missing=1.0 if isinstance(settings, AuditSettings) else settings.max_bad,
                rehash=settings.rehash,
                as_test=True,
                progress=progress,
            )
        except LabelsFromDataTable:
            if settings.test_labels is not None:
                raise
            labels = _AUTO
        except (GroupsWithoutTable, GroupColumnMissing, GroupingSaysNothing) as error:
            progress.warn(f"Of the test set no groups are known, so only copies of it are looked for in DATA: {error}")
            group_by = None


def _free_mark(manifest: Manifest) -> str:
    """What no name begins with."""
    names = [sample.name for sample in manifest.samples]
    names += [one.name for one in (*manifest.passed_over, *manifest.unreadable)] + list(manifest.missing)
    mark = _MARK
    while any(name.startswith(mark) for name in names):
        mark += ":"
    return mark


def _joined(those: Iterable[PassedOver], of_test: Iterable[PassedOver], mark: str) -> tuple[PassedOver, ...]:
    return tuple(sorted((*those, *(replace(one, name=mark + one.name) for one in of_test)), key=_name))


def _name(one: Sample | PassedOver) -> str:
    return one.name
