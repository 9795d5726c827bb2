"""Who asks for a picture to be classified while nobody can be let in: told at the head, before the app is troubled."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import Scope

from service.access_log import AccessLog, RequestWriter
from service.admission import Admission
from service.cors import Cors
from service.errors import ServiceError
from service.guard import Guard
from service.model_errors import ModelNotLoaded, NoModel
from service.pool_errors import PoolError
from service.ready_made import ReadyMade, ready_made
from service.request_counts import OTHER_ROUTE, RequestCounts, note_problem
from service.route_templates import INFER, INFER_VERSION, PREDICT, PREDICT_WITH, template_of


@dataclass(frozen=True)
class GatedRoute:
    """Stands for the route that a request would have come to, as the counts know it."""

    path: str


@dataclass(frozen=True)
class TurnedAway:
    """A request that is not let in.

    Attributes:
        route: where it wanted to go.
        error: why not.
        scope: its head.
        since: when that was decided, s of time.monotonic().
    """

    route: GatedRoute
    error: ServiceError
    scope: Scope
    since: float = field(default_factory=time.monotonic)

    @property
    def answer(self) -> ReadyMade:
        """What it is told."""
        return ready_made(self.error, self.scope["path"])


class Gate:
    """Turns requests away for which there is no place now; all others, also wrong ones, are the routes' business.

    Args:
        admission: knows whether there is a place.
        counts: where those are counted that were turned away.
        log: told of the same.
        guard: knows who may ask at all.
        cors: what browsers are told besides.
        is_draining: whether connections are to be closed after each answer, which the app sees to; then all pass.
    """

    def __init__(
        self,
        admission: Admission,
        counts: RequestCounts,
        log: RequestWriter | None = None,
        *,
        guard: Guard,
        cors: Cors,
        is_draining: Callable[[], bool],
    ) -> None:
        self._admission, self._counts, self._is_draining = admission, counts, is_draining
        self._log = log or AccessLog(wanted=False)
        self._guard, self._cors = guard, cors

    def turned_away(self, scope: Scope) -> TurnedAway | None:
        """Why a request with this head cannot be let in; None for whatever is to go to the app."""
        if self._is_draining() or scope["method"] == "OPTIONS":  # a browser that asks beforehand has no key yet
            return None
        if error := self._guard.refusal(scope):  # first: how things stand here is not everybody's business
            return TurnedAway(GatedRoute(template_of(scope["path"]) or OTHER_ROUTE), error, scope)
        if scope["method"] != "POST":
            return None
        match scope["path"].split("/"):
            case ["", "predict"]:
                return self._asked(GatedRoute(PREDICT), None, scope)
            case ["", "models", name, "predict"] if name:
                return self._asked(GatedRoute(PREDICT_WITH), name, scope)
            case ["", "v2", "models", name, "infer"] if name:
                return self._asked(GatedRoute(INFER), name, scope)
            case ["", "v2", "models", name, "versions", version, "infer"] if name and version:
                return self._asked(GatedRoute(INFER_VERSION), name, scope)
        return None

    def more_headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """What an answer to this request must say besides, so that a browser shows it to a page of another origin."""
        told = self._cors.headers_for(scope["headers"])
        return [(name.lower().encode(), value.encode()) for name, value in told.items()]

    def count(self, turned: TurnedAway, status: int, *, bytes_in: int = 0) -> None:
        """Note what became of one that was turned away; `bytes_in` is how much of its body came."""
        route, seconds = turned.route.path, time.monotonic() - turned.since
        note_problem(turned.scope, turned.answer.slug)
        self._counts.add(route=route, status=status, problem=turned.answer.slug, seconds=seconds)
        self._log.write(turned.scope, route=route, status=status, seconds=seconds, bytes_in=bytes_in)

    def _asked(self, route: GatedRoute, model: str | None, scope: Scope) -> TurnedAway | None:
        try:
            self._admission.admit(model, patience_s=_patience_s(scope))
        except (PoolError, NoModel, ModelNotLoaded) as error:
            return TurnedAway(route, error, scope)
        except ServiceError:
            return None
        return None


def _patience_s(scope: Scope) -> float:
    """As the client says; what makes no sense is told so by the app."""
    given: bytes = next((value for name, value in scope["headers"] if name == b"x-request-timeout-ms"), b"")
    return int(given) / 1000 if given.isdigit() and len(given) < 10 else math.inf
