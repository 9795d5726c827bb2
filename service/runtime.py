"""What a running service is made of: opened together, closed together."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from service.classifier import Classifier
from service.loading import open_generation
from service.pool import Pool
from service.registry import Registry
from service.settings import ServiceSettings
from service.stores import open_store
from service.watcher import Watcher
from shared.cores import usable_cores
from shared.decode import DecodeLimits


@dataclass
class Lifecycle:
    """Where the process is on its way; the server writes it, the routes read it."""

    draining: bool = False


@dataclass(frozen=True)
class Runtime:
    """What routes work with."""

    settings: ServiceSettings
    registry: Registry
    pool: Pool
    watcher: Watcher
    classifier: Classifier
    lifecycle: Lifecycle = field(default_factory=Lifecycle)

    @property
    def not_ready_reason(self) -> str | None:
        """Why no traffic should come here, or None."""
        if self.lifecycle.draining:
            return "draining"
        if not self.watcher.has_looked:
            return "loading models"
        return None if self.registry.serves_default else "no model is served"


@contextlib.contextmanager
def open_runtime(settings: ServiceSettings, lifecycle: Lifecycle) -> Iterator[Runtime]:
    """Start watching the models folder and be able to classify; at the end, wait for what is being computed."""
    cores = usable_cores()
    lanes = cores if settings.lanes == "auto" else settings.lanes
    registry = Registry(default_model=settings.default_model)
    pool = Pool(lanes=lanes, max_waiting=settings.max_waiting)
    watcher = Watcher(
        registry,
        open_store(settings),
        open_version=partial(
            open_generation,
            provider=settings.provider,
            cores=min(cores, lanes),
            wide_lane_max_mb=settings.wide_lane_max_mb,
        ),
        names=settings.models,
        pins=settings.pins,
        interval_s=settings.poll_every_s,
    )
    limits = DecodeLimits(max_bytes=settings.max_upload, max_pixels=settings.max_pixels)
    with (
        contextlib.closing(registry),
        ThreadPoolExecutor(max_workers=lanes, thread_name_prefix="lane") as executor,
        watcher,
        contextlib.closing(pool),
    ):
        classifier = Classifier(registry=registry, pool=pool, executor=executor, limits=limits)
        yield Runtime(settings, registry, pool, watcher, classifier, lifecycle)
