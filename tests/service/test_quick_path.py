"""The short way to a prediction is taken where it may be, and says what the long one says."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import httpx
import pytest
from fastapi import Request
from pydantic import BaseModel
from starlette.types import Message, Receive, Scope, Send

from service.key_file import entry_of, with_key
from service.pool import in_seconds
from service.quick_path import QuickPath
from service.runtime import Runtime
from service.settings import ServiceSettings
from shared.bundle import Bundle
from tests.service.asgi import Client, call, scope_of
from tests.service.pictures import picture
from tests.service.running import running_app

AS_JPEG = {"Content-Type": "image/jpeg"}
LONG_WAY = "?top_k=5"  # the default, said aloud
SAME_ID = {"X-Request-Id": "the-same"}
PATIENCE_S = 30.0
GOOD, SLOW = "finial_good", "finial_slow"


# --- which way is taken ---


class Said(BaseModel):
    """An answer."""

    by: str = "the endpoint"


@dataclass
class Ways:
    """An endpoint and an app, which note what they are asked."""

    endpoint_was_asked: list[tuple[str | None, float]] = field(default_factory=list)
    app_was_asked: list[str] = field(default_factory=list)

    async def endpoint(self, _request: Request, _runtime: Runtime, model: str | None, deadline: float) -> Said:
        self.endpoint_was_asked.append((model, deadline))
        return Said()

    async def app(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        self.app_was_asked.append(scope["type"])


def way_of(scope: Scope) -> tuple[Ways, Client]:
    ways = Ways()
    of_app = {"app": SimpleNamespace(state=SimpleNamespace(runtime=None))}
    client = call(QuickPath(ways.app, endpoint=ways.endpoint), {**scope, **of_app}, Client([b""]))
    return ways, client


@pytest.mark.parametrize(("path", "model"), [("/predict", None), ("/models/cats/predict", "cats")])
def test_a_plain_prediction_goes_straight_to_the_endpoint(path: str, model: str | None) -> None:
    ways, client = way_of(scope_of(("X-Request-Id", "it"), path=path))
    assert (ways.endpoint_was_asked, ways.app_was_asked) == ([(model, math.inf)], [])
    assert (client.sent[0]["status"], client.body) == (200, b'{"by":"the endpoint"}')


@pytest.mark.parametrize(
    "scope",
    [
        scope_of() | {"query_string": b"top_k=5"},
        scope_of(("X-Request-Timeout-Ms", "50")),
        scope_of(method="GET"),
        scope_of(method="OPTIONS"),
        *(scope_of(path=path) for path in ("/predict/", "/models//predict", "/models/a/b/predict", "/explain", "")),
        scope_of() | {"type": "websocket"},
        {"type": "lifespan"},
    ],
    ids=lambda scope: " ".join(str(scope.get(part, "")) for part in ("type", "method", "path")),
)
def test_all_else_goes_the_long_way(scope: Scope) -> None:
    ways, _ = way_of(scope)
    assert (ways.endpoint_was_asked, ways.app_was_asked) == ([], [scope["type"]])


def test_the_service_answers_plain_predictions_without_its_router(bundle: Bundle, models_dir: Path) -> None:
    async def statuses() -> list[int]:
        async with running_app(settings_of(models_dir)) as (app, client):
            app.router.routes.clear()
            paths = ["/predict", f"/models/{bundle.metadata.name}/predict"]
            asked = [*paths, *(path + LONG_WAY for path in paths)]
            return [(await client.post(path, content=picture(), headers=AS_JPEG)).status_code for path in asked]

    assert asyncio.run(statuses()) == [200, 200, 404, 404]


# --- what is said ---


def settings_of(models_dir: Path, **settings: Any) -> ServiceSettings:
    return ServiceSettings(models_dir=models_dir, poll_interval_s=3600, **settings)


def ask(models_dir: Path, *paths: str, method: str = "POST", **request: Any) -> list[httpx.Response]:
    request["headers"] = SAME_ID | request.get("headers", {})

    async def answers() -> list[httpx.Response]:
        async with running_app(settings_of(models_dir)) as (_, client):
            answers = [await client.request(method, path, **request) for path in paths]
            counted = await client.get("/metrics")
            return [*answers, counted]

    return asyncio.run(answers())


def told(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """What an answer says; of the time that it took only what the time was for."""
    headers = dict(answer.headers)
    stages = [stage.partition(";")[0] for stage in headers.get("server-timing", "").split(", ")]
    return answer.status_code, answer.content, headers | {"server-timing": " ".join(stages)}


@pytest.mark.parametrize("path", ["/predict", "/models/{name}/predict", "/models/nobody/predict"])
@pytest.mark.parametrize(
    "request_of",
    [
        {"content": picture(), "headers": AS_JPEG},
        {"files": [("file", picture())]},
        {"files": [("file", picture()), ("file", b"no picture"), ("image", picture())]},
        {"content": b"no picture", "headers": AS_JPEG},
        {"content": b"", "headers": AS_JPEG},
        {"content": b"text", "headers": {"Content-Type": "text/plain"}},
        {"content": b"--", "headers": {"Content-Type": "multipart/form-data; boundary=it"}},
    ],
    ids=["picture", "form", "several", "no picture", "nothing", "text", "broken form"],
)
def test_both_ways_answer_alike(bundle: Bundle, models_dir: Path, path: str, request_of: dict[str, Any]) -> None:
    path = path.format(name=bundle.metadata.name)
    short, long, _ = ask(models_dir, path, path + LONG_WAY, **request_of)
    assert told(short) == told(long)


def test_both_ways_are_counted_under_the_routes_template(bundle: Bundle, models_dir: Path) -> None:
    paths = ("/predict", f"/models/{bundle.metadata.name}/predict")
    *_, counted = ask(models_dir, *paths, *(path + LONG_WAY for path in paths), content=picture(), headers=AS_JPEG)
    for route in ("/predict", "/models/{name}/predict"):
        assert f'finial_requests_total{{route="{route}",status="200"}} 2.0' in counted.text


def test_a_deadline_of_the_clients_own_is_kept_on_either_way(bundle: Bundle, models_dir: Path) -> None:
    headers = AS_JPEG | {"X-Request-Timeout-Ms": "nonsense"}
    answer, _ = ask(models_dir, "/predict", content=picture(), headers=headers)
    assert answer.status_code == 400 and "X-Request-Timeout-Ms" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/predict/", "/models/col%6Furs/predict", "/models/colours%2Fx/predict", "/models/%0A/predict"]
)
def test_odd_paths_are_answered_alike(bundle: Bundle, models_dir: Path, path: str) -> None:
    short, long, _ = ask(models_dir, path, path + LONG_WAY, content=picture(), headers=AS_JPEG)
    assert told(short) == told(long)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
def test_other_methods_are_answered_alike(bundle: Bundle, models_dir: Path, method: str) -> None:
    short, long, _ = ask(models_dir, "/predict", "/predict" + LONG_WAY, method=method)
    assert told(short) == told(long)


# --- in all circumstances ---


def fail(*_: object, **__: object) -> NoReturn:
    raise ZeroDivisionError("not to be told")


def break_model(runtime: Runtime) -> None:
    runtime.registry.require("colours").run = fail  # type: ignore[method-assign]


def drain(runtime: Runtime) -> None:
    runtime.lifecycle.draining = True


async def stalls() -> AsyncIterator[bytes]:
    yield picture()[:9]
    await asyncio.Event().wait()


@dataclass(frozen=True)
class Case:
    """Something that may happen to a request, and its status then."""

    status: int
    settings: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    content: Callable[[], Any] = picture
    prepare: Callable[[Runtime], None] = lambda _: None
    keyed: bool = False
    root_path: str = ""
    before: str = ""


CASES = {
    "of a trace": Case(200, headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}),
    "of a page of another origin": Case(
        200, {"allow_origin": ["https://a.example"]}, headers={"Origin": "https://a.example"}
    ),
    "with a key": Case(200, headers={"Authorization": f"Bearer {GOOD}"}, keyed=True),
    "without a key": Case(401, keyed=True),
    "with an unknown key": Case(401, headers={"X-Api-Key": "finial_nobodys"}, keyed=True),
    "while draining": Case(200, prepare=drain),
    "when the pool is closed": Case(503, prepare=lambda runtime: runtime.pool.close()),
    "too large": Case(413, {"max_upload": 1024}, content=lambda: bytes(1025)),
    "too slow": Case(408, {"upload_idle_s": 0.01}, content=stalls),
    "when the service errs": Case(500, prepare=break_model),
    "below a prefix": Case(200, root_path="/prefix", before="/prefix"),
    "below a prefix that a proxy takes away": Case(200, root_path="/prefix"),
}


async def answer_in(case: Case, settings: ServiceSettings, path: str, *, times: int = 1) -> httpx.Response:
    async with running_app(settings) as (app, _):
        case.prepare(app.state.runtime)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=case.root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
            for _ in range(times):
                headers = AS_JPEG | SAME_ID | case.headers
                answer = await client.post(case.before + path, content=case.content(), headers=headers)
            return answer


def keyed(models_dir: Path, settings: dict[str, Any]) -> ServiceSettings:
    path = models_dir.parent / "keys.toml"
    path.write_text(with_key(path, "", "good", entry_of(GOOD)))
    path.write_text(with_key(path, path.read_text(), "slow", entry_of(SLOW, per_minute=1)))
    return settings_of(models_dir, api_keys=path, **settings)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_both_ways_answer_alike_whatever_happens(bundle: Bundle, models_dir: Path, case: Case) -> None:
    settings = (keyed if case.keyed else lambda folder, given: settings_of(folder, **given))(models_dir, case.settings)
    short, long = (asyncio.run(answer_in(case, settings, "/predict" + query)) for query in ("", LONG_WAY))
    assert short.status_code == case.status
    assert told(short) == told(long)


@pytest.mark.parametrize("query", ["", LONG_WAY])
def test_a_keys_rate_is_kept_on_either_way(bundle: Bundle, models_dir: Path, query: str) -> None:
    case, settings = Case(429, headers={"X-Api-Key": SLOW}), keyed(models_dir, {})
    answer = asyncio.run(answer_in(case, settings, "/predict" + query, times=2))
    assert answer.status_code == case.status and answer.headers["retry-after"].isdigit()


class Leaving:
    """A client that sends something, waits until it is told to go, and goes."""

    def __init__(self, body: bytes, *, more: bool) -> None:
        self.sent: list[Message] = []
        self.goes = asyncio.Event()
        self._messages: list[Message] = [{"type": "http.request", "body": body, "more_body": more}]

    async def receive(self) -> Message:
        if self._messages:
            return self._messages.pop()
        await self.goes.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)


async def left(models_dir: Path, query: str, *, more: bool) -> list[Message]:
    """What is said to a client that goes in the middle of its picture, or while the picture waits for a lane."""
    async with running_app(settings_of(models_dir, lanes=1)) as (app, _):
        pool, client = app.state.runtime.pool, Leaving(picture(), more=more)
        named = {"root_path": "", "scheme": "http", "server": ("it", 80), "client": None, "http_version": "1.1"}
        scope = scope_of(("content-type", "image/jpeg"), ("x-request-id", "the-same"))
        with pool.lease(in_seconds(PATIENCE_S)):
            asked = asyncio.create_task(
                app(scope | named | {"query_string": query.encode()}, client.receive, client.send)
            )
            async with asyncio.timeout(PATIENCE_S):
                while not more and not pool.stats().waiting:
                    await asyncio.sleep(0.001)
                client.goes.set()
                await asked
            assert (pool.stats().waiting, pool.stats().granted_total) == (0, 1), "nothing is done for it"
        return client.sent


@pytest.mark.parametrize("more", [True, False], ids=["sending", "waiting"])
def test_a_client_that_goes_is_left_alone_on_either_way(bundle: Bundle, models_dir: Path, *, more: bool) -> None:
    short, long = (asyncio.run(left(models_dir, query, more=more)) for query in ("", LONG_WAY[1:]))

    def said(messages: list[Message]) -> list[tuple[object, ...]]:
        return [(each["type"], each.get("status"), each.get("body")) for each in messages]

    assert said(short) == said(long)
