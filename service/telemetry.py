"""What this process tells Prometheus: its counts, and how pool, models and device are at the moment of the scrape."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, get_args

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from service.device import Device
from service.generation import Generation
from service.micro_batch import BatchStats
from service.model_status import Outcome, Status
from service.pool import Pool
from service.pool_stats import PoolStats
from service.prediction_families import PredictionFamilies
from service.registry import Registry
from service.request_counts import RequestCounts

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Observed(Protocol):
    """What is looked at when metrics are asked for: a `Runtime`."""

    @property
    def pool(self) -> Pool:
        """Lanes, and who waits for them."""

    @property
    def registry(self) -> Registry:
        """Models."""

    @property
    def device(self) -> Device | None:
        """Where models are computed; None while that is not known."""

    @property
    def keys_age_s(self) -> float | None:
        """Seconds since the file of keys could last be used; None where there is none."""

    @property
    def not_ready_reason(self) -> str | None:
        """Why no traffic should come here."""


class Metrics:
    """The metrics of one process. Labels are names of ours, and of models that are there: never what a client wrote.

    Args:
        counts: the requests.
        observed: everything else; read at each scrape, so a swap needs no bookkeeping.
    """

    def __init__(self, counts: RequestCounts, observed: Observed) -> None:
        self._counts, self._observed = counts, observed
        self._predictions = PredictionFamilies(counts.predictions)
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)

    def text(self) -> bytes:
        """Everything in Prometheus' text format, version 0.0.4."""
        return generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """One family after the other; asked by prometheus_client."""
        yield from self._counts.registry.collect()
        yield GaugeMetricFamily(
            "finial_ready", "Whether traffic may come.", value=self._observed.not_ready_reason is None
        )
        yield from _pool_families(self._observed.pool.stats())
        yield from _device_families(self._observed.device)
        yield from _look_families(self._observed.registry)
        yield _keys_family(self._observed.keys_age_s)
        models = self._observed.registry.overview()
        yield from _model_families(models)
        yield from self._predictions.collect(_served(models), models)
        yield from self._process.collect()


def _pool_families(stats: PoolStats) -> Iterator[Metric]:
    yield GaugeMetricFamily("finial_lanes", "Cores that requests may use.", value=stats.lanes)
    yield GaugeMetricFamily("finial_lanes_leased", "Leases that are out.", value=stats.leased)
    waiting = stats.waiting_by_model
    yield _family(GaugeMetricFamily, "finial_waiting", "Requests in the line.", ("model",), _by_one(waiting))
    leases = {
        "granted": stats.granted_total,
        "refused": stats.refused_total,
        "timed_out": stats.timed_out_total,
        "gave_up": stats.gave_up_total,
        "dismissed": stats.dismissed_total,
    }
    yield _family(CounterMetricFamily, "finial_leases", "Who asked for a lane.", ("outcome",), _by_one(leases))
    yield CounterMetricFamily(
        "finial_leases_expired", "Granted, but dropped before the run: too late.", value=stats.expired_total
    )
    runs = {"wide": stats.wide_runs_total, "narrow": stats.narrow_runs_total}
    yield _family(CounterMetricFamily, "finial_runs", "Runs on all cores, or on one.", ("lane",), _by_one(runs))
    yield CounterMetricFamily(
        "finial_lease_wait_seconds", "Waits that ended in a lane, added up.", value=stats.waited_s
    )


def _device_families(device: Device | None) -> Iterator[Metric]:
    if device is not None:
        labels = (device.policy, device.provider or "none", device.failure.reason if device.failure else "")
        yield _family(
            GaugeMetricFamily,
            "finial_device_info",
            "What was asked for, what was obtained, and why there is no GPU.",
            ("policy", "provider", "reason"),
            [(labels, 1)],
        )


def _look_families(registry: Registry) -> Iterator[Metric]:
    ages = [((name,), age_s) for name, age_s in registry.look_ages().items()]
    what = "Time since a look at a model ended."
    yield _family(GaugeMetricFamily, "finial_look_age_seconds", what, ("model",), ages)
    if (listing_age_s := registry.listing_age_s) is not None:
        what = "Time since it was looked which models there are."
        yield GaugeMetricFamily("finial_listing_age_seconds", what, value=listing_age_s)


def _keys_family(age_s: float | None) -> Metric:
    what = "Time since the file of keys could last be used."
    return _family(GaugeMetricFamily, "finial_keys_age_seconds", what, (), [] if age_s is None else [((), age_s)])


def _model_families(models: dict[str, Status]) -> Iterator[Metric]:
    yield from _reload_families(models)
    served = _served(models)
    yield _family(
        GaugeMetricFamily,
        "finial_generation_info",
        "What is served.",
        ("model", "version", "provider", "precision"),
        [(_labels_of(name, generation), 1) for name, generation in served.items()],
    )
    warnings = {name: len(generation.warnings) for name, generation in served.items()}
    yield _family(
        GaugeMetricFamily, "finial_warnings", "What is not as it was in training.", ("model",), _by_one(warnings)
    )
    yield from _batch_families(served)


def _reload_families(models: dict[str, Status]) -> Iterator[Metric]:
    outcomes: tuple[Outcome, ...] = get_args(Outcome)  # each from 0 on, so that the first one is seen as a rise
    reloads = [((name, each), status.reloads.get(each, 0)) for name, status in models.items() for each in outcomes]
    yield _family(CounterMetricFamily, "finial_reloads", "Looks at a model.", ("model", "outcome"), reloads)
    what = "Whether what is to be served cannot be, or was altered, as the last look at it found."
    failing = {name: status.is_failing for name, status in models.items()}
    yield _family(GaugeMetricFamily, "finial_load_failing", what, ("model",), _by_one(failing))


_OfBatches = tuple[tuple[str, str, Callable[[BatchStats], float]], ...]
_COUNTED_OF_BATCHES: _OfBatches = (
    ("finial_batches", "Runs of the served version.", lambda stats: stats.batches),
    ("finial_batched_pictures", "Pictures in these runs.", lambda stats: stats.pictures),
    ("finial_batch_failed", "Pictures with which the model failed.", lambda stats: stats.failed),
    ("finial_batch_dropped", "Pictures that were not run: too late, or left.", lambda stats: stats.dropped),
    ("finial_batch_splits", "Batches that failed and were run in halves.", lambda stats: stats.split),
)
_SEEN_OF_BATCHES: _OfBatches = (
    ("finial_batch_waiting", "Pictures that wait for the device.", lambda stats: stats.waiting),
    ("finial_batch_running", "Pictures that are on the device.", lambda stats: stats.running),
    ("finial_batch_run_seconds", "How long the run under way has lasted.", lambda stats: stats.running_s),
)


def _batch_families(served: dict[str, Generation]) -> Iterator[Metric]:
    found = {name: stats for name, generation in served.items() if (stats := generation.batch_stats()) is not None}
    for family, what, of in _COUNTED_OF_BATCHES:
        yield _family(CounterMetricFamily, family, what, ("model",), _by_one({m: of(s) for m, s in found.items()}))
    for family, what, of in _SEEN_OF_BATCHES:
        yield _family(GaugeMetricFamily, family, what, ("model",), _by_one({m: of(s) for m, s in found.items()}))


def _served(models: Mapping[str, Status]) -> dict[str, Generation]:
    return {name: status.generation for name, status in models.items() if status.generation is not None}


def _labels_of(name: str, generation: Generation) -> tuple[str, ...]:
    return (name, generation.version, generation.provider, generation.bundle.metadata.precision)


def _by_one(values: Mapping[str, float]) -> list[tuple[tuple[str, ...], float]]:
    return [((label,), value) for label, value in values.items()]


def _family(
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
    name: str,
    what: str,
    labels: tuple[str, ...],
    values: Iterable[tuple[tuple[str, ...], float]],
) -> Metric:
    family = kind(name, what, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family
