"""The ASGI application: routes, problems and limits put together around a runtime that lives as long as it does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from service import admin_routes, explain_routes, page_routes, predict_routes, routes
from service.access import Access
from service.cors_headers import CorsHeaders
from service.guard_middleware import Guarded
from service.open_inference import routes as inference_routes
from service.openapi_document import DescribedApp
from service.polite_close import PoliteClose
from service.problems import install_problems
from service.refusals import Refusals
from service.request_counts import CountRequests, RequestCounts
from service.request_ids import RequestIds
from service.request_log import RequestLog
from service.runtime import Lifecycle, Opened, Runtime, open_runtime
from service.settings import ServiceSettings
from service.upload_limit import UploadBounds, UploadLimit

LOOK_EVERY_S = 0.02


def create_app(settings: ServiceSettings, opened: Opened | None = None) -> FastAPI:
    """Put the service together.

    Args:
        settings: read once, by whoever starts the process.
        opened: a runtime whose models are being loaded already, which is closed with the app; by default one of its
            own is opened when its lifespan starts.
    """
    lifecycle = opened.runtime.lifecycle if opened else Lifecycle()
    counts = opened.runtime.counts if opened else RequestCounts()
    access = opened.runtime.access if opened else Access(settings, workers=settings.workers)
    log = opened.runtime.log if opened else RequestLog(settings)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            if opened:
                stack.enter_context(opened.closing.pop_all())
            runtime = (
                opened.runtime
                if opened
                else stack.enter_context(open_runtime(settings, lifecycle, counts, access, log))
            )
            app.state.runtime = runtime
            async with _telling_of_models(runtime), _answering_siblings(runtime):
                yield

    app = DescribedApp(lifespan=lifespan)
    app.include_router(predict_routes.router)
    app.include_router(explain_routes.router)
    app.include_router(routes.router)
    app.include_router(admin_routes.router)
    app.include_router(page_routes.router)
    app.include_router(inference_routes.router)
    install_problems(app)
    # The last one added is the outermost: a request meets them from the bottom up.
    app.add_middleware(UploadLimit, bounds=_upload_bounds(settings))
    app.add_middleware(Guarded, guard=access.guard)
    app.add_middleware(Refusals)
    app.add_middleware(PoliteClose, is_draining=lambda: lifecycle.draining)
    if access.cors.is_on:
        app.add_middleware(CorsHeaders, cors=access.cors)
    app.add_middleware(RequestIds)
    app.add_middleware(CountRequests, counts=counts, log=log)
    return app


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


def _upload_bounds(settings: ServiceSettings) -> UploadBounds:
    return UploadBounds(
        max_bytes=settings.max_upload,
        max_bytes_together=max(settings.max_uploads, settings.max_upload),
        idle_s=settings.upload_idle_s,
        timeout_s=settings.upload_timeout_s,
    )
