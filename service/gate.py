"""Who asks for a picture to be classified while nobody can be let in: told at the head, before the app is troubled."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import Scope

from service.admission import Admission
from service.errors import ModelNotLoaded, NoModel, PoolError, ServiceError
from service.ready_made import ReadyMade, ready_made
from service.request_counts import RequestCounts

PREDICT, PREDICT_WITH = "/predict", "/models/{name}/predict"
"""Templates of the routes that are gated; requests that are turned away are counted under them."""

_BEFORE_NAME, _AFTER_NAME = PREDICT_WITH.split("{name}")


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
        since: when that was decided, s of time.monotonic().
    """

    route: GatedRoute
    error: ServiceError
    since: float = field(default_factory=time.monotonic)

    @property
    def answer(self) -> ReadyMade:
        """What it is told."""
        return ready_made(self.error)


class Gate:
    """Turns requests away for which there is no place now; all others, also wrong ones, are the routes' business.

    Args:
        admission: knows whether there is a place.
        counts: where those are counted that were turned away.
        is_draining: whether connections are to be closed after each answer, which the app sees to; then all pass.
    """

    def __init__(self, admission: Admission, counts: RequestCounts, *, is_draining: Callable[[], bool]) -> None:
        self._admission, self._counts, self._is_draining = admission, counts, is_draining

    def turned_away(self, scope: Scope) -> TurnedAway | None:
        """Why a request with this head cannot be let in; None for whatever is to go to the app."""
        path: str = scope["path"]
        if scope["method"] != "POST" or self._is_draining():
            return None
        if path == PREDICT:
            return self._asked(GatedRoute(PREDICT), None, scope)
        name = path.removeprefix(_BEFORE_NAME).removesuffix(_AFTER_NAME)
        if path != _BEFORE_NAME + name + _AFTER_NAME or "/" in name or not name:
            return None
        return self._asked(GatedRoute(PREDICT_WITH), name, scope)

    def count(self, turned: TurnedAway, status: int) -> None:
        """Note what became of one that was turned away."""
        self._counts.add(
            route=turned.route.path,
            status=status,
            problem=turned.answer.slug,
            seconds=time.monotonic() - turned.since,
        )

    def _asked(self, route: GatedRoute, model: str | None, scope: Scope) -> TurnedAway | None:
        try:
            self._admission.admit(model, patience_s=_patience_s(scope))
        except (PoolError, NoModel, ModelNotLoaded) as error:
            return TurnedAway(route, error)
        except ServiceError:
            return None
        return None


def _patience_s(scope: Scope) -> float:
    """As the client says; what makes no sense is told so by the app."""
    given: bytes = next((value for name, value in scope["headers"] if name == b"x-request-timeout-ms"), b"")
    return int(given) / 1000 if given.isdigit() and len(given) < 10 else math.inf
