"""The gate turns away whom the routes would refuse for want of a place, and nobody else."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.types import Scope

from service.access_log import AccessLog
from service.admission import Admission
from service.classifier import Classifier
from service.cors import Cors
from service.gate import Gate
from service.guard import Guard
from service.model_errors import ModelNotLoaded, NoModel
from service.open_inference import routes as open_inference
from service.pool import Pool, in_seconds
from service.pool_errors import PoolClosed, TooManyWaiting
from service.predict_routes import router
from service.rate_limit import RateLimit
from service.registry import Registry
from service.request_counts import RequestCounts
from service.route_templates import INFER, INFER_VERSION, PREDICT, PREDICT_WITH
from shared.decode import DecodeLimits
from tests.service.asgi import scope_of
from tests.service.fakes import fake_generation
from tests.service.test_request_counts import samples


class WatchedAdmission(Admission):
    """Remembers how patient the last one was."""

    patience_s = 0.0

    def admit(self, model: str | None, *, patience_s: float = math.inf) -> str:
        self.patience_s = patience_s
        return super().admit(model, patience_s=patience_s)


class Place:
    """One lane, nobody may wait, one model, and the gate before them."""

    def __init__(self) -> None:
        self.registry, self.pool, self.counts = Registry(), Pool(lanes=1, max_waiting=0), RequestCounts()
        self.draining = False
        with ThreadPoolExecutor() as executor:
            classifier = Classifier(
                registry=self.registry,
                pool=self.pool,
                executor=executor,
                limits=DecodeLimits(max_bytes=1, max_pixels=1),
            )
        self.admission = WatchedAdmission(classifier, self.pool, timeout_s=5.0)
        self.gate = Gate(
            self.admission,
            self.counts,
            AccessLog(wanted=False),
            guard=Guard(None, RateLimit()),
            cors=Cors(()),
            is_draining=lambda: self.draining,
        )

    def refused(self, scope: Scope | None = None) -> type[Exception] | None:
        turned = self.gate.turned_away(scope or scope_of())
        return turned and type(turned.error)


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    place.registry.put(fake_generation())
    yield place
    place.registry.close()


@pytest.fixture
def full(place: Place) -> Iterator[Place]:
    with place.pool.lease(in_seconds(30)):
        yield place


def test_while_there_is_a_place_nobody_is_turned_away(place: Place) -> None:
    assert place.refused() is None
    assert place.pool.stats().refused_total == 0


PATHS = ["/predict", "/models/colours/predict", "/v2/models/colours/infer", "/v2/models/colours/versions/v1/infer"]


@pytest.mark.parametrize("path", PATHS)
def test_when_all_places_are_taken_everybody_is(full: Place, path: str) -> None:
    assert full.refused(scope_of(path=path)) is TooManyWaiting
    assert full.pool.stats().refused_total == 1, "counted by the pool as when the route asks"


@pytest.mark.parametrize(
    "scope",
    [
        scope_of(method="GET"),
        scope_of(method="PUT"),
        scope_of(path="/predict/"),
        scope_of(path="/models/predict"),
        scope_of(path="/models//predict"),
        scope_of(path="/models/a/b/predict"),
        scope_of(path="/models/no-such-model/predict"),
        scope_of(path="/elsewhere"),
        scope_of(path="/v2/models/colours/versions/infer"),
        scope_of(path="/v2/models//infer"),
        scope_of(path="/v2/models/no-such-model/infer"),
    ],
    ids=str,
)
def test_what_is_wrong_in_itself_is_told_so_by_the_app(full: Place, scope: Scope) -> None:
    assert full.refused(scope) is None


def test_while_draining_the_app_answers_since_it_closes_connections(full: Place) -> None:
    full.draining = True

    assert full.refused() is None


def test_without_a_model_everybody_is_turned_away() -> None:
    place = Place()

    assert place.refused() is NoModel


def test_a_model_that_could_not_be_loaded_turns_its_callers_away(place: Place) -> None:
    place.registry.expect("shapes")

    assert place.refused(scope_of(path="/models/shapes/predict")) is ModelNotLoaded


def test_a_closed_pool_turns_everybody_away(place: Place) -> None:
    place.pool.close()

    assert place.refused() is PoolClosed


def test_who_is_turned_away_is_counted_under_the_route(full: Place) -> None:
    for path in PATHS:
        turned = full.gate.turned_away(scope_of(path=path))
        assert turned is not None
        full.gate.count(turned, turned.answer.status)

    found = samples(full.counts)
    assert found['finial_requests_total{route="/predict",status="503"}'] == 1
    assert found['finial_requests_total{route="/models/{name}/predict",status="503"}'] == 1
    assert found['finial_requests_total{route="/v2/models/{name}/infer",status="503"}'] == 1
    assert found['finial_requests_total{route="/v2/models/{name}/versions/{version}/infer",status="503"}'] == 1
    assert found['finial_refused_total{reason="queue-full"}'] == 4


def test_the_gated_routes_are_the_apps() -> None:
    posts = {
        getattr(route, "path", "")
        for route in (*router.routes, *open_inference.router.routes)
        if "POST" in getattr(route, "methods", ())
    }

    assert {PREDICT, PREDICT_WITH, INFER, INFER_VERSION} == {path for path in posts if "/repository/" not in path}


@pytest.mark.parametrize(("given", "expected_s"), [("1500", 1.5), ("soon", math.inf), ("-1", math.inf), ("", math.inf)])
def test_the_clients_own_patience_counts(place: Place, given: str, expected_s: float) -> None:
    """What makes no sense is for the route to refuse."""
    place.refused(scope_of(("X-Request-Timeout-Ms", given)))

    assert place.admission.patience_s == expected_s
