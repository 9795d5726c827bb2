"""Verbs for whoever runs the service. The guard lets nobody come here whose key is not for it.

They hold in this process and as long as it lives; what is to last is said on disk, by the trainer or by --pin.
"""

import logging
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, Request

from service.admin_errors import VersionFixed
from service.admin_schemas import AdminAnswer, PinOrder
from service.daemon_thread import on_daemon_thread
from service.dependencies import RuntimeDep
from service.guard import KEY
from service.openapi import ANY_PROBLEM
from service.request_ids import request_id_of
from service.runtime import Runtime
from service.steered_follower import Looked, SteeredFollower

router = APIRouter(prefix="/admin", tags=["admin"], responses=ANY_PROBLEM)

Verb = Callable[[SteeredFollower], Looked]

logger = logging.getLogger(__name__)


@router.post("/models/{name}/reload")
async def reload_model(request: Request, runtime: RuntimeDep, name: str) -> AdminAnswer:
    """Look now whether there is another version to serve, also one that failed to load a moment ago."""
    return await _done("reload", SteeredFollower.look_now, request, runtime, name)


@router.post("/models/{name}/pin")
async def pin_model(
    request: Request, runtime: RuntimeDep, name: str, order: Annotated[PinOrder, Body()]
) -> AdminAnswer:
    """Serve this version, whatever `current` says. One that cannot be loaded changes nothing."""
    _require_steerable(runtime, name)
    return await _done("pin", lambda follower: follower.pin(order.version), request, runtime, name)


@router.delete("/models/{name}/pin")
async def unpin_model(request: Request, runtime: RuntimeDep, name: str) -> AdminAnswer:
    """Take back what an admin pinned or rolled back: `--pin` counts again, or else `current`."""
    _require_steerable(runtime, name)
    return await _done("unpin", SteeredFollower.unpin, request, runtime, name)


@router.post("/models/{name}/rollback")
async def roll_back_model(request: Request, runtime: RuntimeDep, name: str) -> AdminAnswer:
    """Pin the version that this process served before the present one; once more, the one before that."""
    _require_steerable(runtime, name)
    return await _done("rollback", SteeredFollower.roll_back, request, runtime, name)


def _require_steerable(runtime: Runtime, name: str) -> None:
    if name in runtime.settings.beside:
        raise VersionFixed(name)


async def _done(what: str, verb: Verb, request: Request, runtime: Runtime, name: str) -> AdminAnswer:
    follower = runtime.watcher.follower_of(name)
    looked = await on_daemon_thread(lambda: verb(follower), name="admin")
    answer = _answer_of(looked, request, runtime, name)
    facts = {"verb": what, "model": name, "result": looked.result, "version": answer.version}
    logger.warning("admin", extra=facts | {"key": request.scope["state"].get(KEY), "request_id": answer.request_id})
    return answer


def _answer_of(looked: Looked, request: Request, runtime: Runtime, name: str) -> AdminAnswer:
    status = runtime.registry.look_up(name)
    siblings = runtime.lifecycle.siblings
    return AdminAnswer(
        result=looked.result,
        reason=looked.reason,
        model=name,
        version=None if status.generation is None else status.generation.version,
        pinned=None if status.pin is None else status.pin.version,
        pinned_by=None if status.pin is None else status.pin.by,
        worker=None if siblings is None else siblings.own,
        note=_note(name, is_one_of_several=siblings is not None),
        request_id=request_id_of(request.scope),
    )


def _note(name: str, *, is_one_of_several: bool) -> str:
    where = "in this worker alone, until it ends" if is_one_of_several else "in this process, until it ends"
    return f"It holds {where}. What is to last: python -m trainer rollback {name} [VERSION], or --pin at the start."
