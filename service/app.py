"""The ASGI application: routes, problems and limits put together around a runtime that lives as long as it does."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from fastapi import FastAPI

from service import admin_routes, explain_routes, page_routes, predict_routes, routes
from service.access import Access
from service.cors_headers import CorsHeaders
from service.guard_middleware import Guarded
from service.open_inference import routes as inference_routes
from service.openapi_document import DescribedApp
from service.polite_close import PoliteClose
from service.problems import install_problems
from service.quick_path import QuickPath
from service.refusals import Refusals
from service.request_counts import CountRequests, RequestCounts
from service.request_ids import RequestIds
from service.request_log import RequestLog
from service.runtime import Lifecycle, Opened, Runtime, open_runtime
from service.settings import ServiceSettings
from service.upload_limit import HeldBodies, UploadBounds, UploadLimit

LOOK_EVERY_S = 0.02

logger = logging.getLogger(__name__)


def create_app(settings: ServiceSettings, opened: Opened | None = None) -> FastAPI:
    """Put the service together.

    Args:
        settings: read once, by whoever starts the process.
        opened: a runtime whose models are being loaded already, which is closed with the app; by default one of its
            own is opened when its lifespan starts.
    """
    parts = _parts_of(opened.runtime) if opened else _own_parts(settings)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with _opened(settings, parts) if opened is None else _taken_over(opened) as runtime:
            app.state.runtime = runtime
            async with _telling_of_models(runtime), _answering_siblings(runtime):
                yield

    app = DescribedApp(lifespan=lifespan)
    for routed in (predict_routes, explain_routes, routes, admin_routes, page_routes, inference_routes):
        app.include_router(routed.router)
    install_problems(app)
    _add_middleware(app, settings, parts)
    return app


@dataclass(frozen=True)
class _Parts:
    """What the app needs before there is a runtime, and the runtime has, too."""

    lifecycle: Lifecycle
    counts: RequestCounts
    access: Access
    log: RequestLog
    held: HeldBodies = field(default_factory=HeldBodies)


def _parts_of(runtime: Runtime) -> _Parts:
    return _Parts(runtime.lifecycle, runtime.counts, runtime.access, runtime.log, runtime.held)


def _own_parts(settings: ServiceSettings) -> _Parts:
    return _Parts(Lifecycle(), RequestCounts(), Access(settings, workers=settings.workers), RequestLog(settings))


def _opened(settings: ServiceSettings, parts: _Parts) -> contextlib.AbstractContextManager[Runtime]:
    return open_runtime(settings, parts.lifecycle, parts.counts, parts.access, parts.log)


@contextlib.contextmanager
def _taken_over(opened: Opened) -> Iterator[Runtime]:
    with opened.closing.pop_all():
        yield opened.runtime


def _add_middleware(app: FastAPI, settings: ServiceSettings, parts: _Parts) -> None:
    # The last one added is the outermost: a request meets them from the bottom up.
    app.add_middleware(QuickPath, endpoint=predict_routes.predict_plainly)
    app.add_middleware(UploadLimit, bounds=_upload_bounds(settings), held=parts.held)
    app.add_middleware(Guarded, guard=parts.access.guard)
    app.add_middleware(Refusals)
    app.add_middleware(CorsHeaders, cors=parts.access.cors)
    app.add_middleware(PoliteClose, is_draining=lambda: parts.lifecycle.draining)  # outside of all that answers
    app.add_middleware(RequestIds, begins_traces=settings.otlp_endpoint is not None)
    app.add_middleware(CountRequests, counts=parts.counts, log=parts.log)


@contextlib.asynccontextmanager
async def _telling_of_models(runtime: Runtime) -> AsyncIterator[None]:
    """Tell when the models were looked at; begin only then where others serve meanwhile."""
    telling = asyncio.create_task(_tell_of_models(runtime))
    if runtime.lifecycle.waits_for_models:
        await telling
    try:
        yield
    finally:
        telling.cancel()


@contextlib.asynccontextmanager
async def _answering_siblings(runtime: Runtime) -> AsyncIterator[None]:
    if runtime.lifecycle.siblings is None:
        yield
    else:
        async with runtime.lifecycle.siblings.answering(runtime.metrics.text):
            yield


async def _tell_of_models(runtime: Runtime) -> None:
    while not runtime.watcher.has_looked and not runtime.lifecycle.draining:
        await asyncio.sleep(LOOK_EVERY_S)
    if runtime.watcher.has_looked:
        runtime.lifecycle.on_looked()
        if (missing := runtime.registry.missing_default) is not None:
            logger.error("default model not there", extra={"error": missing})


def _upload_bounds(settings: ServiceSettings) -> UploadBounds:
    return UploadBounds(
        max_bytes=settings.max_upload,
        max_bytes_together=max(settings.max_uploads, settings.max_upload),
        idle_s=settings.upload_idle_s,
        timeout_s=settings.upload_timeout_s,
    )
