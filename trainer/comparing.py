"""The `compare` verb: backbones, fits and precisions side by side on one's own pictures, each featurised once."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.addresses import shown
from shared.preprocess import PreprocessSpec
from trainer.audit import Audit
from trainer.backbones import cached_names, choose_backbone
from trainer.catalogue import NANO
from trainer.compare_settings import CompareSettings
from trainer.compared import Compared, front_of, table_of
from trainer.counting import counted
from trainer.errors import UsageError
from trainer.errors.backbones import UnknownBackbone
from trainer.errors.comparing import ChartNotWritable, NothingToCompare, SeveralUnusable
from trainer.errors.splits import TooFewForFolds
from trainer.evaluation import evaluate
from trainer.feature_choices import SQUARE
from trainer.featurize import Features
from trainer.fitting import FitOptions, fit_head
from trainer.golden_pictures import choose_golden
from trainer.intake import leave_out_unreadable, read_audited
from trainer.likeness_telling import compare_pictures
from trainer.metrics import sample_losses
from trainer.progress import Progress
from trainer.recipe import Precision, plain_rows
from trainer.rows import take
from trainer.run_backbone import RunBackbone, open_to_compare
from trainer.sample_bytes import read_sample
from trainer.samples import Split
from trainer.served_graph import attach_head
from trainer.settings import TrainSettings
from trainer.speed import Times, time_single_requests
from trainer.training import Training, arrange, require_learnable
from trainer.ways import Way, all_ways

ALL_SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        data: what was compared on, as it may be shown.
        n: pictures that were used.
        compared: the most accurate first.
    """

    data: str
    n: int
    compared: tuple[Compared, ...]

    @property
    def text(self) -> str:
        """For the terminal."""
        return f"{counted(self.n, 'picture')} of {self.data}, cross-validated:\n{table_of(self.compared)}"

    def as_json(self) -> dict[str, Any]:
        """What `compare --json` prints."""
        return {"data": self.data, "n": self.n, "compared": [one.as_json() for one in self.compared]}


def compare(settings: CompareSettings, progress: Progress | None = None) -> Comparison:
    """Compare what the settings name, on their pictures, and draw it if that is asked for.

    Raises:
        UsageError: a backbone or its weights cannot be had, or the chart could not be written.
        BadData: the pictures cannot be learned from.
    """
    progress = progress or Progress()
    if settings.out is not None:
        _require_writable(settings.out)
    wishes = wishes_of(settings)
    audit = read_audited(wishes[0], progress)
    backbones = [open_to_compare(wish, progress) for wish in wishes]
    training, compared = compare_backbones(
        audit, backbones, wishes[0], progress, precisions=settings.precisions, mirror=settings.mirror
    )
    if settings.out is not None:
        from trainer.compare_chart import draw_compared

        draw_compared(compared, settings.out)
        progress.say(f"Drawn: {settings.out}.")
    return Comparison(shown(settings.data), len(training.samples), compared)


def _require_writable(out: Path) -> None:
    """Learn before the work, not after it, that its chart cannot be stored."""
    try:
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise ChartNotWritable(out, error.strerror or str(error)) from error


def wishes_of(settings: CompareSettings) -> list[TrainSettings]:
    """How each backbone would be asked for, one by one: those that are named, or nano and whatever is here.

    A file goes to the backbone that it fits; other weights of that one are not looked for, and none are downloaded.

    Raises:
        UsageError: one or several of them are unknown, or their weights cannot be read.
    """
    by_file = [settings.for_one(weights=path) for path in settings.weights]
    names = settings.backbones or (NANO, *(() if settings.weights else cached_names()))
    by_name = {name: settings.for_one(backbone=name) for name in names}
    require_known([*by_file, *by_name.values()])
    with_file = {choose_backbone(None, path)[0].name for path in settings.weights}
    return [*by_file, *(wish for name, wish in by_name.items() if name not in with_file)]


def require_known(wishes: Sequence[TrainSettings]) -> None:
    """Refuse backbones that cannot be had, all of them at once and before any picture is read.

    Raises:
        UsageError: one or several of them are unknown, or their weights cannot be read.
    """
    problems: list[UsageError] = []
    unknown: list[UnknownBackbone] = []
    for wish in wishes:
        try:
            choose_backbone(wish.backbone, wish.weights)
        except UnknownBackbone as error:
            unknown.append(error)
        except UsageError as error:
            problems.append(error)
    if unknown:
        names = [name for one in unknown for name in one.names]
        problems.append(UnknownBackbone(*names, choices=unknown[0].choices))
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise SeveralUnusable([str(one) for one in problems])


def compare_backbones(
    audit: Audit,
    backbones: Sequence[RunBackbone],
    settings: TrainSettings,
    progress: Progress,
    *,
    precisions: Sequence[Precision] = ("float32", "int8"),
    mirror: bool = False,
    splits: Sequence[Split] = ALL_SPLITS,
) -> tuple[Training, tuple[Compared, ...]]:
    """Every backbone in every fit and precision, and every two that take the same pixels, on the same folds.

    Args:
        audit: of the pictures.
        backbones: at least one.
        settings: threads, seed, provider, cache; the split gives the pictures that int8 is calibrated on.
        progress: shows the work.
        precisions: to be compared; a backbone that has no int8 form is compared without, and that is said.
        mirror: whether each is also compared with the mirror image of every picture in its graph.
        splits: whose pictures are compared on; a choice that a model is then tested on keeps the test split out.

    Returns:
        These pictures, and what was found, the most accurate first. All times are measured in this run, in turn.

    Raises:
        TooFewForFolds: a label has a single group of pictures.
        NothingToCompare: no backbone can have the precision.
        LabelNotInTrain: the test split is kept out, and a label is nowhere else.
        BadData: the pictures cannot be learned from.
    """
    everyone, square = _arranged(audit, backbones[0], settings, progress)
    training = _of_splits(everyone, splits)
    ways = all_ways(training, backbones, settings, progress, precisions=precisions, mirror=mirror, square=square)
    if not ways:
        raise NothingToCompare("no backbone has an int8 form")
    options = FitOptions(len(training.labels), settings.seed, settings.thread_count, settings.balance)
    everything = np.arange(len(training.samples))
    graphs: dict[int, tuple[bytes, PreprocessSpec]] = {}
    measured: list[Compared] = []
    with progress.phase("fit heads", total=len(ways)) as phase:
        for number, way in enumerate(ways):
            model, compared = _measure(way, training, everything, options)
            graphs[number] = (model, way.choice.spec)
            measured.append(compared)
            phase.advance()
    timed = _with_times(measured, ways, graphs, training, settings, progress)
    front = front_of([(one.accuracy, one.latency_ms) for one in timed])
    marked = [replace(one, on_front=is_on) for one, is_on in zip(timed, front, strict=True)]
    return training, tuple(sorted(marked, key=lambda one: (-one.accuracy, one.latency_ms)))


def _arranged(
    audit: Audit, backbone: RunBackbone, settings: TrainSettings, progress: Progress
) -> tuple[Training, bool]:
    """The pictures that can be used, in canonical order, with groups and splits, and whether all are square."""
    features: Features = backbone.featurize(audit.manifest.samples, settings, progress)
    audit = leave_out_unreadable(audit, features, max_bad=settings.max_bad, progress=progress)
    likeness = compare_pictures(audit.manifest, features.statistics, progress)
    square = features.statistics.all_square
    if square and settings.fit == "auto":
        progress.say(SQUARE)
    training = arrange(
        audit.manifest, features.values, alike=likeness.groups, shares=settings.split, seed=settings.seed
    )
    return training, square


def _of_splits(training: Training, splits: Sequence[Split]) -> Training:
    """Only the pictures of these splits; groups and labels are as they were among all."""
    if set(splits) == {*ALL_SPLITS}:
        return training
    require_learnable(training)
    rows = training.rows(*splits)
    return replace(
        training,
        samples=tuple(training.samples[row] for row in rows.tolist()),
        features=take(training.features, rows),
        targets=training.targets[rows],
        groups=tuple(training.groups[row] for row in rows.tolist()),
        splits=tuple(training.splits[row] for row in rows.tolist()),
    )


def _measure(way: Way, training: Training, rows: NDArray[np.int64], options: FitOptions) -> tuple[bytes, Compared]:
    """The served graph and its numbers, all but the times."""
    fit = fit_head("probe", plain_rows(way.features), training.targets[rows], training.groups, options)
    if not fit.folds:
        raise TooFewForFolds(_label_of_one_group(training))
    model = attach_head(way.graph, fit.head, labels=training.labels, spec=way.choice.spec, temperature=fit.temperature)
    measured = evaluate(fit.out_of_fold_probabilities, training.targets, training.labels, groups=training.groups)
    return model, Compared(
        name=way.name,
        backbones=way.backbones,
        fit=way.choice.spec.fit,
        mirror=way.choice.mirror,
        precision=way.choice.precision,
        feature_size=way.features.shape[1],
        accuracy=measured.accuracy,
        accuracy_interval=measured.accuracy_interval,
        log_loss=measured.log_loss,
        images_per_s=0.0,
        latency_ms=0.0,
        size_bytes=len(model),
        losses=sample_losses(fit.out_of_fold_probabilities, training.targets),
    )


def _label_of_one_group(training: Training) -> str:
    groups = {label: set[str]() for label in training.labels}
    for sample, group in zip(training.samples, training.groups, strict=True):
        groups[sample.label].add(group)
    return min(groups, key=lambda label: len(groups[label]))


def tell_if_busy(requests: Times[int], progress: Progress) -> None:
    """Warn that latencies are those of a machine that does something else, where repeated ones scatter."""
    if requests.is_busy:
        progress.warn(
            f"The machine was busy: a quarter of the requests took {requests.scatter:.1f} times as long as the "
            "fastest of the same model and picture. Models were timed in turn, so they compare; but all latencies "
            "are too long, --max-latency may have ruled out what is fast enough on a quiet machine."
        )


def _with_times(
    measured: Sequence[Compared],
    ways: Sequence[Way],
    graphs: dict[int, tuple[bytes, PreprocessSpec]],
    training: Training,
    settings: TrainSettings,
    progress: Progress,
) -> list[Compared]:
    """Featurising is timed on one thread, as the trainer does it; a request on all of them, as the service does."""
    pictures = [read_sample(sample) for sample in choose_golden(training.samples)]
    provider, threads = settings.provider, settings.thread_count
    progress.say(f"Timing {counted(len(ways), 'model')} in turn.")
    alone = {number: (way.graph, way.choice.spec) for number, way in enumerate(ways)}
    with progress.phase("time featurising"):
        featurising = time_single_requests(alone, pictures, provider=provider)
    with progress.phase("time requests"):
        requests = time_single_requests(graphs, pictures, provider=provider, threads=threads)
    tell_if_busy(requests, progress)
    number_of = {(way.backbones, way.choice): number for number, way in enumerate(ways)}
    plain = [number_of.get(way.without_mirror, number) for number, way in enumerate(ways)]
    return [
        replace(
            one,
            images_per_s=1 / featurising[number],
            latency_ms=1000 * requests[number],
            mirror_latency=requests[number] / requests[plain[number]] if plain[number] != number else None,
        )
        for number, one in enumerate(measured)
    ]
