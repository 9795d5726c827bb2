"""Verbs for whoever runs the service. The guard lets nobody come here whose key is not for it.

They hold in this process and as long as it lives; what is to last is said on disk, by the trainer or by --pin.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Annotated

from fastapi import APIRouter, Body, Request

from service.admin_errors import BodyNotTaken, VersionFixed
from service.admin_schemas import AdminAnswer, PinOrder
from service.daemon_thread import on_daemon_thread
from service.dependencies import RuntimeDep
from service.guard import KEY
from service.openapi import ANY_PROBLEM
from service.parameters import check_parameters
from service.problems import kind_of
from service.request_ids import request_id_of
from service.runtime import Runtime
from service.steered_follower import Looked, SteeredFollower
from shared.errors import FinialError

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
    return await _done("pin", lambda follower: follower.pin(order.version), request, runtime, name)


@router.delete("/models/{name}/pin")
async def unpin_model(request: Request, runtime: RuntimeDep, name: str) -> AdminAnswer:
    """Take back what an admin pinned or rolled back: `--pin` counts again, or else `current`."""
    return await _done("unpin", SteeredFollower.unpin, request, runtime, name)


@router.post("/models/{name}/rollback")
async def roll_back_model(request: Request, runtime: RuntimeDep, name: str) -> AdminAnswer:
    """Pin the version that this process served before the present one; once more, the one before that."""
    return await _done("rollback", SteeredFollower.roll_back, request, runtime, name)


async def _done(what: str, verb: Verb, request: Request, runtime: Runtime, name: str) -> AdminAnswer:
    with _audited(what, request, name) as facts:
        check_parameters(request.scope)
        if what != "pin" and await request.body():
            raise BodyNotTaken(what)
        if what != "reload" and name in runtime.settings.beside:
            raise VersionFixed(name)
        follower = runtime.watcher.follower_of(name)
        looked = await on_daemon_thread(lambda: verb(follower), name="admin")
        facts |= {"result": looked.result, "version": looked.version}
    return _answer_of(looked, request, runtime, name)


@contextlib.contextmanager
def _audited(what: str, request: Request, name: str) -> Iterator[dict[str, object]]:
    """Log who did what, and what came of it; also where nothing did."""
    key = request.scope["state"].get(KEY)
    facts: dict[str, object] = {"verb": what, "model": name, "key": key, "request_id": request_id_of(request.scope)}
    try:
        yield facts
    except FinialError as error:
        facts["problem"] = kind_of(error).slug
        raise
    except BaseException as error:
        facts["problem"] = type(error).__name__
        raise
    finally:
        logger.warning("admin", extra=facts)


def _answer_of(looked: Looked, request: Request, runtime: Runtime, name: str) -> AdminAnswer:
    siblings, pin = runtime.lifecycle.siblings, looked.pin
    return AdminAnswer(
        result=looked.result,
        reason=looked.reason,
        model=name,
        version=looked.version,
        pinned=None if pin is None else pin.version,
        pinned_by=None if pin is None else pin.by,
        worker=None if siblings is None else siblings.own,
        note=_note(name, is_one_of_several=siblings is not None) if pin is not None and pin.by == "admin" else None,
        request_id=request_id_of(request.scope),
    )


def _note(name: str, *, is_one_of_several: bool) -> str:
    where = "in this worker alone, until it ends" if is_one_of_several else "in this process, until it ends"
    return f"It holds {where}. What is to last: python -m trainer rollback {name} [VERSION], or --pin at the start."
