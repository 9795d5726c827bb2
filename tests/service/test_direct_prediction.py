"""One prediction without the app: what it holds and notes, and what it leaves to the app."""

import asyncio
import time
import weakref
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from starlette.types import Message, Receive, Scope, Send

from service.access_errors import KeyMissing
from service.classifier import Pending
from service.direct_prediction import DirectPrediction
from service.model_errors import UnknownModel
from service.quick_path import QuickPath, note_failure
from service.request_counts import RequestCounts
from service.request_errors import TooManyUploads
from service.short_way import ShortWay
from service.stage_times import StageTimes, known_stage_times
from service.upload_limit import HeldBodies
from shared.errors import PictureCorrupt
from tests.service.asgi import Client, scope_of
from tests.service.fakes import fake_generation

ANNOUNCED = 10


class MadeUpTurn:
    """Is over when a test says so."""

    def __init__(self) -> None:
        self.is_over = False
        self.found: list[object] = []

    def results(self) -> list[object]:
        return self.found

    def cancel(self) -> None: ...

    def end(self) -> None:
        self.found = []


class Place:
    """What a prediction needs of a running service."""

    def __init__(self) -> None:
        self.held, self.counts, self.turn = HeldBodies(), RequestCounts(), MadeUpTurn()
        self.times = StageTimes()
        self.settings = SimpleNamespace(
            otlp_endpoint=None, request_timeout_s=5.0, max_upload=100, max_uploads=100, access_log=False
        )
        self.classifier = SimpleNamespace(begin=self._begin)
        self.refusal: Exception | None = None
        self.access = SimpleNamespace(guard=SimpleNamespace(refusal=lambda _: self.refusal))
        self.lifecycle = SimpleNamespace(draining=False)
        self.registry = SimpleNamespace(choose=lambda name: name or "colours", require=lambda _: fake_generation())

    def _begin(self, *_: object, times: StageTimes, **__: object) -> MadeUpTurn:
        times.begin("run")
        return self.turn

    def prediction(self, scope: Scope | None = None) -> DirectPrediction:
        whole: Any = self
        return DirectPrediction(whole, scope_of() if scope is None else scope, "colours", ANNOUNCED)

    def asked(self, *headers: tuple[str, str]) -> DirectPrediction | None:
        whole: Any = self
        return ShortWay(whole).take(scope_of(("Content-Length", str(ANNOUNCED)), *headers))


@pytest.fixture
def place() -> Place:
    return Place()


def test_only_what_has_come_counts_among_what_uploads_hold(place: Place) -> None:
    """Nobody's upload is refused for what others have only announced."""
    first, second = place.prediction(), place.prediction()
    assert (place.held.bytes, place.held.expected) == (0, 2 * ANNOUNCED)
    first.add(b"1234")
    assert (place.held.bytes, place.held.expected) == (4, 2 * ANNOUNCED - 4)
    for prediction in (first, first, second):
        prediction.close()
    assert (place.held.bytes, place.held.expected) == (0, 0)


def test_what_is_announced_takes_room_from_others_that_are_answered_so(place: Place) -> None:
    picture = ("Content-Type", "image/png")
    assert place.asked(picture)
    place.held.expected = 100 - ANNOUNCED + 1
    assert place.asked(picture) is None


@pytest.mark.parametrize(
    ("kinds", "is_taken"), [(["image/png"], True), (["", "image/png"], False), (["image/png", ""], True), ([], False)]
)
def test_the_first_content_type_counts_as_in_the_app(place: Place, kinds: list[str], *, is_taken: bool) -> None:
    assert (place.asked(*(("Content-Type", kind) for kind in kinds)) is not None) == is_taken


def test_who_has_come_past_the_gate_does_not_come_past_the_keys(place: Place) -> None:
    place.refusal = KeyMissing(has_authorization=False)
    assert place.asked(("Content-Type", "image/png")) is None


def test_a_model_that_goes_in_this_moment_is_the_apps_business(place: Place) -> None:
    def require(_name: str) -> NoReturn:
        raise UnknownModel("colours", choices=[])

    place.registry.require = require
    assert place.asked(("Content-Type", "image/png")) is None


def test_what_it_is_for_is_known_from_its_head(place: Place) -> None:
    scope = scope_of()
    place.prediction(scope)
    assert scope["state"]["model"] == "colours"


def test_the_times_of_one_who_is_worked_for_still_are_told_as_they_are(place: Place) -> None:
    scope = scope_of()
    prediction = place.prediction(scope)
    prediction.begin(lambda: None)
    of_thread = known_stage_times(scope)
    prediction.hand_over(RuntimeError(), unread=True)
    told = known_stage_times(scope)
    assert of_thread is not None and told is not None
    before = told.seconds()
    of_thread.begin("decode")
    of_thread.end()
    assert told.seconds() == before and "run" in before and "decode" in of_thread.seconds()


def test_the_times_of_one_who_failed_end_with_its_work(place: Place) -> None:
    scope = scope_of()
    prediction = place.prediction(scope)
    prediction.begin(lambda: None)
    place.turn.is_over = True
    prediction.hand_over(RuntimeError())
    ended = time.monotonic()
    time.sleep(0.001)
    told = known_stage_times(scope)
    assert told is not None and told.intervals[-1][2] <= ended


def test_a_picture_that_was_handed_in_is_taken_back_where_nobody_waits(place: Place) -> None:
    prediction, outputs = place.prediction(), Future[Any]()
    prediction.begin(lambda: None)
    prediction.hand_over(RuntimeError())
    place.turn.found, place.turn.is_over = [Pending(fake_generation(), outputs)], True
    prediction.close()
    assert outputs.cancelled()


# --- a failure that is left to the app ---


class Picture:
    """Stands for what the frames of a failed decoding hold."""


def fail_with(scope: Scope) -> "weakref.ref[Picture]":
    def decode() -> "weakref.ref[Picture]":
        picture = Picture()
        seen.append(weakref.ref(picture))
        raise PictureCorrupt(picture_format="PNG", detail="its end is missing")

    seen: list[weakref.ref[Picture]] = []
    try:
        decode()
    except PictureCorrupt as error:
        note_failure(scope, error)
    return seen[0]


async def told(scope: Scope, receive: Receive | None = None) -> Client:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> NoReturn:
        raise AssertionError("the app was asked")

    async def endpoint(*_: object) -> NoReturn:
        raise AssertionError("it was worked for again")

    client = Client([b"picture"])
    state = SimpleNamespace(runtime=None)
    await QuickPath(app, endpoint=endpoint)(
        scope | {"app": SimpleNamespace(state=state)}, receive or client.receive, client.send
    )
    return client


@pytest.mark.usefixtures("collector_off")
def test_nothing_holds_a_picture_whose_failure_was_told() -> None:
    """Not the connection either, which may be idle for long: it has the scope until its next request."""
    scope = scope_of() | {"state": {"request_id": "it"}}
    picture = fail_with(scope)
    assert picture() is not None
    assert asyncio.run(told(scope)).sent[0]["status"] == 422
    assert picture() is None


def test_a_failure_is_told_though_there_is_no_room_for_its_body_any_more() -> None:
    async def receive() -> Message:
        raise TooManyUploads(max_bytes=1)

    scope = scope_of() | {"state": {"request_id": "it"}}
    fail_with(scope)
    assert asyncio.run(told(scope, receive)).sent[0]["status"] == 422
