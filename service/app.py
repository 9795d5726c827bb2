"""The ASGI application: routes, problems and limits put together around a runtime that lives as long as it does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from service.polite_close import PoliteClose
from service.problems import install_problems
from service.refusals import Refusals
from service.request_counts import CountRequests, RequestCounts
from service.request_ids import RequestIds
from service.routes import router
from service.runtime import Lifecycle, Runtime, open_runtime
from service.settings import ServiceSettings
from service.upload_limit import UploadBounds, UploadLimit

FIRST_LOOK_S, _LOOK_EVERY_S = 60.0, 0.02


def create_app(settings: ServiceSettings, lifecycle: Lifecycle | None = None) -> FastAPI:
    """Put the service together; models are loaded when its lifespan starts.

    Args:
        settings: read once, by whoever starts the process.
        lifecycle: shared with the server that runs the app, which says when to drain.
    """
    lifecycle, counts = lifecycle or Lifecycle(), RequestCounts()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with open_runtime(settings, lifecycle, counts) as runtime:
            app.state.runtime = runtime
            if lifecycle.waits_for_models:
                await _first_look(runtime)
            yield

    app = FastAPI(
        title="Finial",
        summary="Picture classification from published bundles.",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.include_router(router)
    install_problems(app)
    # The last one added is the outermost: a request meets them from the bottom up.
    app.add_middleware(UploadLimit, bounds=_upload_bounds(settings))
    app.add_middleware(Refusals)
    app.add_middleware(PoliteClose, is_draining=lambda: lifecycle.draining)
    app.add_middleware(RequestIds)
    app.add_middleware(CountRequests, counts=counts)
    return app


async def _first_look(runtime: Runtime) -> None:
    """Return when the models were looked at, or when that takes too long to be kept waiting for."""
    for _ in range(int(FIRST_LOOK_S / _LOOK_EVERY_S)):
        if runtime.watcher.has_looked:
            return
        await asyncio.sleep(_LOOK_EVERY_S)


def _upload_bounds(settings: ServiceSettings) -> UploadBounds:
    return UploadBounds(
        max_bytes=settings.max_upload,
        max_bytes_together=max(settings.max_uploads, settings.max_upload),
        idle_s=settings.upload_idle_s,
        timeout_s=settings.upload_timeout_s,
    )
