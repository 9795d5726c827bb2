"""Every request is counted once, by what became of it."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.answers import Answer
from service.app import create_app
from service.connection_errors import RequestBrokenOff
from service.prediction_counts import note_answer
from service.request_counts import PICTURE_ROUTES, CountRequests, RequestCounts, note_problem
from service.settings import ServiceSettings
from service.stage_times import stage_times_of
from shared.prediction import Prediction
from tests.service.asgi import Client, call, reads_everything, reads_nothing, scope_of


class Patient(Client):
    """Sends its body whole, and waits for the answer."""

    async def receive(self) -> Message:
        if self.read == len(self.pieces):
            await asyncio.Event().wait()
        self.read += 1
        more = self.read < len(self.pieces)
        return {"type": "http.request", "body": self.pieces[self.read - 1], "more_body": more}


def samples(counts: RequestCounts) -> dict[str, float]:
    """What was counted, by name and labels; the histograms' buckets and sums left out, and what only begins at 0."""
    lines = [line for line in generate_latest(counts.registry).decode().splitlines() if not line.startswith("#")]
    found = dict(line.rsplit(" ", 1) for line in lines)
    wanted = {name: float(value) for name, value in found.items() if "_bucket" not in name and "_sum" not in name}
    return {name: value for name, value in wanted.items() if value or name == "finial_in_flight"}


def counted(app: ASGIApp, client: Client, scope: Scope | None = None) -> dict[str, float]:
    counts = RequestCounts()
    call(CountRequests(app, counts=counts), scope or scope_of(), client)
    return samples(counts)


def answering(status: int, *, problem: str = "", reads: bool = True) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while reads and (await receive()).get("more_body", False):
            pass
        if problem:
            note_problem(scope, problem)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def test_an_answered_request_is_counted_with_its_status_and_time() -> None:
    found = counted(reads_everything, Patient([b"a", b"b"]))

    assert found == {
        'finial_requests_total{route="other",status="200"}': 1,
        'finial_request_seconds_count{route="other"}': 1,
        "finial_in_flight": 0,
    }


def test_the_route_is_its_template() -> None:
    """A model's name in a label would let every client make a new time series."""

    class Route:
        path = "/models/{name}/predict"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Route()  # as FastAPI does
        await reads_nothing(scope, receive, send)

    found = counted(app, Patient([b""]), scope_of(path="/models/nobody-knows-me/predict"))

    assert found['finial_requests_total{route="/models/{name}/predict",status="200"}'] == 1
    assert "nobody" not in str(found)


@pytest.mark.parametrize("status", [408, 413, 431, 503, 504])
def test_a_refusal_is_counted_with_its_reason_too(status: int) -> None:
    found = counted(answering(status, problem="queue-full", reads=False), Client([b"a"]))

    assert found[f'finial_requests_total{{route="other",status="{status}"}}'] == 1
    assert found['finial_refused_total{reason="queue-full"}'] == 1


@pytest.mark.parametrize("status", [400, 404, 415, 422, 500])
def test_a_mistake_is_no_refusal(status: int) -> None:
    found = counted(answering(status, problem="no-picture"), Patient([b"a"]))

    assert [name for name in found if "refused" in name] == []


def test_a_health_check_that_says_no_refuses_nobody() -> None:
    assert [name for name in counted(answering(503), Patient([b"a"])) if "refused" in name] == []


def test_a_request_that_breaks_off_is_a_client_that_has_gone() -> None:
    """Though an answer is written, in case that only one direction was closed."""
    scope = scope_of() | {"state": {"refusal": RequestBrokenOff()}}

    assert counted(answering(400), Patient([b"a"]), scope)['finial_requests_total{route="other",status="499"}'] == 1


def test_an_error_that_nobody_handles_is_counted_as_500_and_passed_on() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("ours")

    counts = RequestCounts()
    with pytest.raises(ValueError, match="ours"):
        call(CountRequests(app, counts=counts), scope_of(), Client())
    assert samples(counts)['finial_requests_total{route="other",status="500"}'] == 1
    assert samples(counts)["finial_in_flight"] == 0


def test_a_client_that_leaves_while_it_uploads_is_counted_as_gone() -> None:
    """Whatever is then answered, nobody reads it."""
    found = counted(answering(400), Client([]))

    assert found['finial_requests_total{route="other",status="499"}'] == 1


def test_a_client_that_leaves_while_its_picture_is_computed_is_counted_as_gone() -> None:
    class LeavesLater(Client):
        """Sends everything, and is gone whenever it is looked for afterwards."""

        async def receive(self) -> Message:
            if self.read:
                return {"type": "http.disconnect"}
            self.read += 1
            return {"type": "http.request", "body": b"a", "more_body": False}

    assert counted(answering(200), LeavesLater())['finial_requests_total{route="other",status="499"}'] == 1


def test_the_time_of_each_stage_that_a_request_came_to_is_counted() -> None:
    """Whatever it is answered: what it took was taken."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        times = stage_times_of(scope)
        times.begin("receive")
        await receive()
        times.begin("decode")
        await send({"type": "http.response.start", "status": 422, "headers": []})

    found = counted(app, Patient([b"a"]))

    assert found['finial_stage_seconds_count{stage="receive"}'] == 1
    assert found['finial_stage_seconds_count{stage="decode"}'] == 1
    assert 'finial_stage_seconds_count{stage="run"}' not in found


ANSWER = Answer([Prediction("cat", 0.9)], None, None, "pets", "v1")


@pytest.mark.parametrize(("status", "client", "counted"), [(200, [b"a"], 2), (503, [b"a"], 0), (200, [], 0)])
def test_pictures_count_when_they_are_answered(status: int, client: list[bytes], counted: int) -> None:
    """Not those of a request that fails after all, nor those of a client that has left."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(2):
            note_answer(scope, ANSWER)
        await answering(status)(scope, receive, send)

    counts = RequestCounts()
    call(CountRequests(app, counts=counts), scope_of(), Patient(client) if client else Client([]))

    assert counts.predictions.of("pets", "v1").labels.total() == counted


def test_a_request_that_is_cancelled_is_counted_once() -> None:
    async def hangs(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    counts = RequestCounts()

    async def cancel() -> None:
        task = asyncio.create_task(CountRequests(hangs, counts=counts)(scope_of(), Client().receive, Client().send))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        assert samples(counts)["finial_in_flight"] == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert samples(counts)['finial_requests_total{route="other",status="500"}'] == 1
    assert samples(counts)["finial_in_flight"] == 0


def test_what_is_no_request_is_not_counted() -> None:
    async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})

    found = counted(lifespan, Client(), {"type": "lifespan"})

    assert found == {"finial_in_flight": 0}


def test_errors_of_the_routes_that_take_pictures_are_told_from_nought_on(models_dir: Path) -> None:
    """Of each route there is; one that was renamed would hide its first error from an alert."""
    app = create_app(ServiceSettings(models_dir=models_dir))
    taking = {path for path in app.openapi()["paths"] if path.endswith(("predict", "explain", "infer"))}
    told = generate_latest(RequestCounts().registry).decode()

    assert set(PICTURE_ROUTES) == taking
    for route in taking:
        assert f'finial_requests_total{{route="{route}",status="500"}} 0.0' in told
