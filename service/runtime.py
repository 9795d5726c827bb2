"""What a running service is made of: opened together, closed together."""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from service.access import Access
from service.admission import Admission
from service.batching import Batching
from service.classifier import Classifier
from service.device import Device, DeviceSearch, policy_of
from service.loading import open_generation
from service.pool import Pool
from service.registry import Registry
from service.request_counts import RequestCounts
from service.request_log import RequestLog
from service.settings import ServiceSettings
from service.siblings import Siblings
from service.stores import open_store
from service.telemetry import Metrics
from service.upload_limit import HeldBodies
from service.watcher import Watcher
from service.worker_metrics import join_workers
from shared.cores import usable_cores
from shared.decode import DecodeLimits


@dataclass
class Lifecycle:
    """Where the process is on its way; the server writes it, the routes read it.

    Attributes:
        draining: no new traffic should come.
        broken: why the process cannot do its work any more, in a sentence; only a restart helps.
        shares_listener: other processes accept from the same listener, and go on when this one ends.
        waits_for_models: accept connections only when the models were looked at: others serve meanwhile.
        siblings: the workers of the service, where there are several.
        on_looked: called when the models were looked at.
    """

    draining: bool = False
    broken: str | None = None
    shares_listener: bool = False
    waits_for_models: bool = False
    siblings: Siblings | None = None
    on_looked: Callable[[], None] = lambda: None

    def break_down(self, reason: str) -> None:
        """Say that only a restart helps; the first reason stays."""
        self.broken = self.broken or reason


@dataclass(frozen=True)
class Runtime:
    """What routes work with."""

    settings: ServiceSettings
    registry: Registry
    pool: Pool
    watcher: Watcher
    classifier: Classifier
    admission: Admission
    device_search: DeviceSearch
    counts: RequestCounts
    access: Access
    log: RequestLog
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    held: HeldBodies = field(default_factory=HeldBodies)

    @property
    def device(self) -> Device | None:
        """Where models are computed; None while that is not known."""
        return self.device_search.found

    @property
    def keys_age_s(self) -> float | None:
        """Seconds since the file of keys could last be used; None where there is none."""
        return self.access.keys_age_s

    @property
    def not_ready_reason(self) -> str | None:
        """Why no traffic should come here, or None."""
        if self.lifecycle.broken or self.lifecycle.draining:
            return self.lifecycle.broken or "draining"
        if self.device is not None and self.device.provider is None:
            return f"--device {self.device.policy}: {self.device.failure}"
        if not self.watcher.has_looked:
            return "loading models"
        return None if self.registry.serves_default else self.registry.missing_default or "no model is served"

    @functools.cached_property
    def metrics(self) -> Metrics:
        """What Prometheus is told."""
        return Metrics(self.counts, self)

    async def metrics_text(self) -> bytes:
        """The same of all workers, where there are several."""
        own = self.metrics.text()
        siblings = self.lifecycle.siblings
        if siblings is None:
            return own
        return await asyncio.to_thread(join_workers, await siblings.texts(own))  # requests go on meanwhile


@dataclass(frozen=True)
class Opened:
    """A runtime that is open already, and what closes it; whoever takes that over closes it."""

    runtime: Runtime
    closing: contextlib.ExitStack


@contextlib.contextmanager
def open_runtime(
    settings: ServiceSettings,
    lifecycle: Lifecycle,
    counts: RequestCounts | None = None,
    access: Access | None = None,
    log: RequestLog | None = None,
) -> Iterator[Runtime]:
    """Start watching the models folder and be able to classify; at the end, wait for what is being computed."""
    access = access or Access(settings, workers=settings.workers)
    log = log or RequestLog(settings)
    lanes = usable_cores() if settings.lanes == "auto" else settings.lanes
    registry = Registry(default_model=settings.default_model)
    pool = Pool(lanes=lanes, max_waiting=settings.max_waiting)
    search = DeviceSearch(policy_of(settings.device))
    watcher = _watcher_of(settings, registry, search, lifecycle, lanes)
    limits = DecodeLimits(max_bytes=settings.max_upload, max_pixels=settings.max_pixels)
    with (
        log,
        contextlib.closing(registry),
        ThreadPoolExecutor(max_workers=lanes, thread_name_prefix="lane") as executor,
        watcher,
        contextlib.closing(pool),
        access,
    ):
        classifier = Classifier(registry=registry, pool=pool, executor=executor, limits=limits)
        counts = counts or RequestCounts()
        admission = Admission(classifier, pool, timeout_s=settings.request_timeout_s)
        yield Runtime(settings, registry, pool, watcher, classifier, admission, search, counts, access, log, lifecycle)


def _watcher_of(
    settings: ServiceSettings, registry: Registry, search: DeviceSearch, lifecycle: Lifecycle, lanes: int
) -> Watcher:
    """What will look for models, and open them on the device that is found."""
    open_version = partial(
        open_generation,
        cores=min(usable_cores(), lanes),
        wide_lane_max_mb=settings.wide_lane_max_mb,
        batching=Batching(settings.micro_batching, settings.max_batch, lifecycle.break_down),
    )
    return Watcher(
        registry,
        open_store(settings),
        open_version=lambda name, path: open_version(name, path, provider=search.wait().wanted_of_sessions),
        names=settings.only,
        pins=settings.pins,
        also=settings.beside,
        interval_s=settings.poll_every_s,
    )
