"""Predictions as Prometheus is told of them: labels, novelty, unfamiliar pictures, and how far they drift.

A model may have a thousand labels: as many time series, once per version and worker, are nobody's use. So the labels
that the training met most have a series each, and all others are one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from service.drift import Drift, drift_of
from service.generation import Generation
from service.prediction_counts import NOVELTY_EDGES, PredictionCounts, VersionCounts
from shared.bundle import NOVELTY, BundleMetadata

LABELS_AS_SERIES = 50
OTHER_LABELS = "__other__"

_BY_VERSION = ("model", "version")
_BY_LABEL = (*_BY_VERSION, "label")


class PredictionFamilies:
    """Made anew at each scrape from the counts and what is served.

    A version that is no longer served keeps its series while it is among the latest ones of its model, so that what it
    said last before a swap is not lost. One that came and went between two scrapes has series, too: of the labels that
    it said most.

    Args:
        counts: what was said.
    """

    def __init__(self, counts: PredictionCounts) -> None:
        self._counts = counts
        self._shown: dict[tuple[str, str], tuple[str, ...]] = {}  # labels with a series, by model and version

    def collect(self, served: Mapping[str, Generation], known: Iterable[str]) -> Iterator[Metric]:
        """The families, one after the other.

        Args:
            served: by model's name.
            known: names of all models that are there; what was said by others is forgotten.
        """
        known = list(known)
        self._counts.keep_only(known)
        for model, generation in served.items():
            self._counts.of(model, generation.version)  # series begin at 0, so that their first rise is seen
            self._shown[model, generation.version] = shown_labels(generation.bundle.metadata)
        found = {(model, version): of for model in known for version, of in self._counts.versions(model).items()}
        self._shown = {key: self._shown.get(key) or most_said(counts.labels) for key, counts in found.items()}
        yield self._predictions(found)
        with_novelty = {key: counts for key, counts in found.items() if _tells_novelty(key, counts, served)}
        yield _novelty(with_novelty)
        yield _unfamiliar(with_novelty)
        yield _references(served)
        yield from self._drift(served)

    def _predictions(self, found: Mapping[tuple[str, str], VersionCounts]) -> Metric:
        family = CounterMetricFamily("finial_predictions", "Pictures answered, by their best label.", labels=_BY_LABEL)
        for key, counts in found.items():
            for label, n in folded(counts.labels, self._shown[key]).items():
                family.add_metric((*key, label), n)
        return family

    def _drift(self, served: Mapping[str, Generation]) -> Iterator[Metric]:
        what = "Share of the latest pictures that differ from the training, at least: by predicted label, by novelty."
        drift = GaugeMetricFamily("finial_drift", what, labels=("model", "signal"))
        pictures = GaugeMetricFamily("finial_drift_pictures", "Pictures that drift is told of.", labels=("model",))
        for model, generation in served.items():
            state = drift_now(self._counts, generation)
            pictures.add_metric((model,), state.pictures)
            for signal, value in (("label", state.label), ("novelty", state.novelty)):
                if value is not None:
                    drift.add_metric((model, signal), value)
        yield drift
        yield pictures


def drift_now(counts: PredictionCounts, generation: Generation) -> Drift:
    """How far the latest pictures of a version are from its training."""
    recent = counts.of(generation.name, generation.version).recent.read()
    return drift_of(generation.bundle.metadata, recent, edges=NOVELTY_EDGES)


def shown_labels(metadata: BundleMetadata) -> tuple[str, ...]:
    """The labels that have a series of their own: those predicted most often for the training's pictures.

    Without a reference, the first ones. The last one stands for all others, where there are more than one.
    """
    labels = metadata.labels
    if len(labels) <= LABELS_AS_SERIES + 1:
        return labels
    often = metadata.reference.counts if metadata.reference else (0,) * len(labels)
    order = sorted(range(len(labels)), key=lambda index: (-often[index], index))
    return (*(labels[index] for index in order[:LABELS_AS_SERIES]), OTHER_LABELS)


def most_said(counts: Counter[str]) -> tuple[str, ...]:
    """The labels that have a series of a version whose labels are not known any more."""
    return (*(label for label, _ in counts.most_common(LABELS_AS_SERIES)), OTHER_LABELS)


def folded(counts: Mapping[str, int], shown: tuple[str, ...]) -> dict[str, int]:
    """Counts by shown label; those of labels that are not shown are added up under `OTHER_LABELS`."""
    together = {label: counts.get(label, 0) for label in shown}
    if others := sum(counts.values()) - sum(together.values()):
        together[OTHER_LABELS] = together.get(OTHER_LABELS, 0) + others
    return together


def _tells_novelty(key: tuple[str, str], counts: VersionCounts, served: Mapping[str, Generation]) -> bool:
    """A version without novelty has no series of it: 0 unfamiliar pictures would be a promise."""
    model, version = key
    now = served.get(model)
    is_served_with_it = now is not None and now.version == version and NOVELTY in now.bundle.metadata.outputs
    return is_served_with_it or any(counts.novelty)


def _novelty(found: Mapping[tuple[str, str], VersionCounts]) -> Metric:
    family = HistogramMetricFamily("finial_novelty", "Novelty of the pictures answered.", labels=_BY_VERSION)
    ends = [*(str(edge) for edge in NOVELTY_EDGES), "+Inf"]
    for key, counts in found.items():
        up_to = list(accumulate(counts.novelty))
        family.add_metric(key, list(zip(ends, [*up_to, up_to[-1]], strict=True)), counts.novelty_sum)
    return family


def _unfamiliar(found: Mapping[tuple[str, str], VersionCounts]) -> Metric:
    family = CounterMetricFamily("finial_unfamiliar", "Pictures answered that were unfamiliar.", labels=_BY_VERSION)
    for key, counts in found.items():
        family.add_metric(key, counts.unfamiliar)
    return family


def _references(served: Mapping[str, Generation]) -> Metric:
    what = "Share of the training's pictures for which a label was predicted."
    family = GaugeMetricFamily("finial_reference_share", what, labels=_BY_LABEL)
    for model, generation in served.items():
        metadata = generation.bundle.metadata
        if metadata.reference is not None:
            counts = dict(zip(metadata.labels, metadata.reference.counts, strict=True))
            for label, n in folded(counts, shown_labels(metadata)).items():
                family.add_metric((model, generation.version, label), n / metadata.reference.pictures)
    return family
