"""Keys, their rates and pages of other origins, over real sockets and through the whole app."""

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from starlette.routing import BaseRoute, Mount, Route

from bench.serving import parse_metrics
from service.app import create_app
from service.key_file import entry_of, new_key, with_key
from service.route_templates import template_of
from service.settings import ServiceSettings
from tests.service.bundles import publish_bundle
from tests.service.pictures import RED, picture
from tests.service.raw_http import Answer, RawClient, connected, head
from tests.service.running import ServiceProcess, running_app, running_process
from tests.service.waiting import until

pytestmark = pytest.mark.anyio

PICTURE = picture(RED)
LENGTH = f"Content-Length: {len(PICTURE)}"
ORIGIN = "https://a.example"
ANNA, BOSS, SLOW = (new_key() for _ in range(3))
ADMIN_RELOAD = "/admin/models/colours/reload"
OPEN = {
    "/",
    "/page/{name}",
    "/health/live",
    "/health/ready",
    "/v2/health/live",
    "/v2/health/ready",
    "/metrics",
    "/docs",
    "/docs/oauth2-redirect",
    "/redoc",
    "/openapi.json",
}


def write_keys(path: Path, *, without: str = "") -> Path:
    text = ""
    entries = {
        "anna": entry_of(ANNA),
        "boss": entry_of(BOSS, rights=["predict", "admin"]),
        "slow": entry_of(SLOW, per_minute=2),
    }
    for name, entry in entries.items():
        if name != without:
            text = with_key(path, text, name, entry)
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[ServiceProcess]:
    (folder / "models").mkdir()
    publish_bundle(folder / "models")
    keys = str(write_keys(folder / "keys.toml"))
    options = ("--api-keys", keys, "--allow-origin", ORIGIN, "--max-upload", "64KiB")
    with running_process(folder / "models", *options, log=folder / "log") as process:
        process.wait_until_ready()
        yield process
        assert process.stop() == 0


@pytest.fixture
def client(service: ServiceProcess) -> Iterator[RawClient]:
    with connected(service.port) as client:
        yield client


def asked(client: RawClient, *headers: str, line: str = "POST /predict HTTP/1.1") -> Answer:
    is_picture = line.startswith("POST /predict")
    client.send(head(*headers, *([LENGTH] if is_picture else []), line=line), PICTURE if is_picture else b"")
    return client.answer()


def test_who_has_a_key_is_answered_by_either_header(client: RawClient) -> None:
    for header in (f"Authorization: Bearer {ANNA}", f"X-Api-Key: {ANNA}"):
        answer = asked(client, header)
        assert (answer.status, json.loads(answer.body)["label"]) == (200, "red")


@pytest.mark.parametrize(
    ("headers", "problem", "challenge"),
    [
        ([], "key-missing", "Bearer"),
        (["Authorization: Basic YTpi"], "key-missing", "Bearer"),
        (["X-Api-Key: finial_no"], "key-unknown", 'Bearer error="invalid_token"'),
    ],
)
def test_who_has_none_is_told_so_and_the_connection_is_kept(
    headers: list[str], problem: str, challenge: str, client: RawClient
) -> None:
    for _ in range(2):
        answer = asked(client, *headers)
        assert (answer.status, answer.problem, answer.closes) == (401, problem, False)
        assert answer.headers["www-authenticate"] == challenge


def test_the_body_of_one_who_has_no_key_is_not_waited_for(client: RawClient) -> None:
    """Whoever may not ask must not be able to upload: a long body is refused at its head."""
    client.send(head("Content-Length: 50000000"), b"x" * 1000)
    answer = client.answer()

    assert (answer.status, answer.problem, answer.closes) == (401, "key-missing", True)


def test_a_client_that_waits_for_leave_to_send_is_refused_without(client: RawClient) -> None:
    client.send(head(LENGTH, "Expect: 100-continue"))

    assert client.answer().status == 401


def test_a_body_in_chunks_is_refused_at_its_head_too(client: RawClient) -> None:
    client.send(head("Transfer-Encoding: chunked"), b"5\r\nhello\r\n")
    answer = client.answer()

    assert (answer.status, answer.problem, answer.closes) == (401, "key-missing", True)


@pytest.mark.parametrize("path", ["/models", "/no/such/route", ADMIN_RELOAD, "/health/ready/"])
def test_what_there_is_is_not_told_to_one_without_a_key(path: str, client: RawClient) -> None:
    assert asked(client, line=f"GET {path} HTTP/1.1").problem == "key-missing"


def test_how_things_stand_is_not_told_to_one_without_a_key(tmp_path: Path) -> None:
    """Without a model everybody else is refused with that, at the gate; 401 comes first."""
    with running_process(tmp_path, "--api-keys", str(write_keys(tmp_path / "keys.toml"))) as service:
        service.wait_until_alive()
        with service.client() as probe:
            until(lambda: probe.get("/health/ready").json()["reason"] == "no model is served")
        with connected(service.port) as client:
            assert asked(client).problem == "key-missing"
            assert asked(client, f"X-Api-Key: {ANNA}").problem == "no-model"


def test_only_an_admin_may_use_the_verbs(client: RawClient) -> None:
    line = f"POST {ADMIN_RELOAD} HTTP/1.1"
    assert asked(client, f"X-Api-Key: {ANNA}", line=line).problem == "key-not-allowed"

    answer = asked(client, f"X-Api-Key: {BOSS}", "Content-Length: 0", line=line)
    assert (answer.status, json.loads(answer.body)["result"]) == (200, "unchanged")


def test_a_key_that_asks_too_often_is_told_when_to_come_back(client: RawClient) -> None:
    """At the gate and in the app alike: a request is counted once, whichever refuses it."""
    statuses = [asked(client, f"X-Api-Key: {SLOW}").status for _ in range(3)]
    answer = asked(client, f"X-Api-Key: {SLOW}")

    assert statuses == [200, 200, 429]
    assert answer.problem == "rate-limited"
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert asked(client, f"X-Api-Key: {ANNA}").status == 200


@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        ("POST /predict HTTP/1.1", [f"X-Api-Key: {ANNA}", LENGTH], 200),
        ("POST /predict HTTP/1.1", [LENGTH], 401),
        ("POST /predict HTTP/1.1", ["Content-Length: 50000000"], 401),
        ("POST /predict HTTP/1.1", [f"X-Api-Key: {ANNA}", "Content-Length: 50000000"], 413),
        ("POST /predict?top_k=x HTTP/1.1", [f"X-Api-Key: {ANNA}", LENGTH], 400),
        ("GET /nothing HTTP/1.1", [f"X-Api-Key: {ANNA}"], 404),
        ("GET /metrics HTTP/1.1", [], 200),
        ("GET /metrics HTTP/1.0", [], 200),
    ],
)
def test_a_page_of_a_named_origin_may_read_every_answer(
    line: str, headers: list[str], status: int, client: RawClient
) -> None:
    """Also refusals: without these headers a browser says "network error", and its user does not learn why."""
    client.send(head(f"Origin: {ORIGIN}", *headers, line=line), PICTURE if LENGTH in headers else b"")
    answer = client.answer()

    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]


def test_a_browser_asks_beforehand_without_a_key(client: RawClient) -> None:
    ask = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-api-key"]
    for length in ([], ["Content-Length: 0"]):
        answer = asked(client, f"Origin: {ORIGIN}", *ask, *length, line="OPTIONS /predict HTTP/1.1")

        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "X-Api-Key" in answer.headers["access-control-allow-headers"]
    answer = asked(client, "Origin: https://b.example", *ask, line="OPTIONS /predict HTTP/1.1")
    assert (answer.status, answer.problem) == (403, "origin-not-allowed")


@pytest.mark.parametrize("origin", [ORIGIN, "https://b.example"])
def test_who_asks_beforehand_and_sends_for_ever_is_left(origin: str, client: RawClient) -> None:
    """The answer needs no key, so it must not hold a connection: it is closed, and what comes still is not read."""
    ask = (f"Origin: {origin}", "Access-Control-Request-Method: POST", "Content-Length: 9999999999999")
    client.send(head(*ask, line="OPTIONS /predict HTTP/1.1"), b"x")
    answer = client.answer()

    assert (answer.status, answer.closes) == (204 if origin == ORIGIN else 403, True)
    assert client.is_closed()


def test_keys_are_in_no_line_of_the_log_and_in_no_answer(service: ServiceProcess, folder: Path) -> None:
    """Also where something is wrong with the request that brings one."""
    texts = []
    heads = [
        head(f"X-Api-Key: {BOSS}", LENGTH) + PICTURE,
        head(f"Authorization: Bearer {BOSS}x", line="GET /models HTTP/1.1"),
        head(f"X-Api-Key: {BOSS}", line="GET /models?top_k=1 HTTP/1.1"),
        head(f"X-Api-Key: {BOSS}", "Content-Length: 0", line=f"POST {ADMIN_RELOAD} HTTP/1.1"),
        head(f"X-Api-Key: {BOSS}", "Content-Length: 3", line="POST /admin/models/colours/pin HTTP/1.1") + b"{}}",
        head(f"X-Api-Key: {BOSS}", "Host: again", line="GET /models HTTP/1.1"),
        f"GET /models HTTP/1.1\r\nX-Api-Key {BOSS}\r\n\r\n".encode(),
    ]
    for request in heads:
        with connected(service.port) as client:
            client.send(request)
            answer = client.answer()
            texts.append(f"{answer.headers}{answer.body!r}")
    until(lambda: (folder / "log").read_text().count('"key": "boss"') >= 3)

    told = "".join(texts) + (folder / "log").read_text()
    assert [key for key in (ANNA, BOSS, SLOW) if key in told or key[12:30] in told] == []


def test_who_is_taken_out_of_the_file_is_out_without_a_restart(service: ServiceProcess, folder: Path) -> None:
    write_keys(folder / "keys.toml", without="anna")
    try:
        with service.client() as client:
            headers = {"X-Api-Key": ANNA}
            until(lambda: client.get("/models", headers=headers).status_code == httpx.codes.UNAUTHORIZED)
            (folder / "keys.toml").write_text("cut off = ")
            until(lambda: "keys not read" in (folder / "log").read_text())
            until(lambda: parse_metrics(client.get("/metrics").text).total("finial_keys_age_seconds") > 1)
            assert client.get("/models", headers={"X-Api-Key": BOSS}).status_code == httpx.codes.OK
    finally:
        write_keys(folder / "keys.toml")


def doors_of(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Method and path of each route, also of those that an included router keeps to itself."""
    for route in routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from doors_of(included.routes)
        else:
            assert isinstance(route, Route | Mount), "what kind of route is this, and is it closed?"
            yield from ((method, route.path) for method in getattr(route, "methods", None) or {"GET"})


def settings_with_keys(models_dir: Path, keys: Path) -> ServiceSettings:
    return ServiceSettings(models_dir=models_dir, api_keys=write_keys(keys))


async def test_every_route_that_is_not_meant_to_be_open_is_closed(models_dir: Path, tmp_path: Path) -> None:
    """Whoever adds a route has it closed, without thinking of it; opening one is to be seen here."""
    app = create_app(settings_with_keys(models_dir, tmp_path / "keys.toml"))
    paths = set(doors_of(app.routes))
    assert set(app.openapi()["paths"]) < {path for _, path in paths}

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        answers = {
            (method, path): await client.request(method, re.sub(r"\{[^}]*\}", "x", path)) for method, path in paths
        }
    refused = {path for (_, path), answer in answers.items() if answer.status_code == httpx.codes.UNAUTHORIZED}
    assert {path for _, path in paths} - refused == OPEN


async def test_who_is_locked_out_is_counted_where_he_wanted_to_go(models_dir: Path, tmp_path: Path) -> None:
    """All of them as `other` would hide that a client of /predict has a key no more; what there is not stays that."""
    app = create_app(settings_with_keys(models_dir, tmp_path / "keys.toml"))
    closed = {path for _, path in doors_of(app.routes)} - OPEN

    assert {path: template_of(path) for path in closed} == {path: path for path in closed}
    assert [template_of(path) for path in ("/predict/x", "/models//predict", "/nothing", "/v2/models")] == [None] * 4


def test_a_refusal_is_counted_under_its_route_by_whoever_refuses(service: ServiceProcess) -> None:
    def refused() -> float:
        with service.client() as client:
            metrics = parse_metrics(client.get("/metrics").text)
        return metrics.total("finial_requests_total", route="/models/{name}/predict", status="401")

    before = refused()
    for length in (LENGTH, "Content-Length: 50000000"):  # the gate, and the app
        with connected(service.port) as client:
            client.send(head(length, line="POST /models/colours/predict HTTP/1.1"), PICTURE)
            assert client.answer().status == 401
    assert refused() == before + 2


async def test_without_keys_all_is_open_but_the_admin_verbs(models_dir: Path) -> None:
    publish_bundle(models_dir)
    async with running_app(ServiceSettings(models_dir=models_dir)) as (_, client):
        predicted = await client.post("/predict", content=PICTURE, headers={"Content-Type": "image/png"})
        admin = await client.post(ADMIN_RELOAD)

    assert predicted.status_code == httpx.codes.OK
    assert (admin.status_code, admin.json()["type"].rpartition(":")[2]) == (403, "admin-closed")


async def test_an_answer_to_an_unexpected_error_may_be_read_by_the_page_too(models_dir: Path) -> None:
    """It is made outside of all middleware."""
    settings = ServiceSettings(models_dir=models_dir, allow_origin=(ORIGIN,))
    async with running_app(settings) as (app, client):
        app.state.runtime.__dict__.clear()
        answer = await client.get("/models", headers={"Origin": ORIGIN})

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (500, ORIGIN)


@pytest.mark.slow
def test_every_worker_follows_the_keys_and_a_verb_tells_which_one_did_it(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys.toml")
    bundle = publish_bundle(tmp_path / "models")
    with running_process(tmp_path / "models", "--workers", "2", "--api-keys", str(keys)) as service:
        service.wait_until_ready()
        with service.client() as client:
            until(lambda: client.get("/metrics").text.count("finial_ready{") == 2)

        def statuses() -> set[int]:
            """Of fresh connections, so that both workers are asked."""
            return {
                httpx.get(f"{service.url}/models", headers={"X-Api-Key": ANNA}, trust_env=False).status_code
                for _ in range(20)
            }

        assert statuses() == {200}
        workers: set[int] = set()

        def ask(_: int) -> int:
            pin, order = f"{service.url}/admin/models/colours/pin", {"version": bundle.version}
            answer = httpx.post(pin, json=order, headers={"X-Api-Key": BOSS}, trust_env=False).json()
            return int(answer["worker"])

        def both_were_asked() -> bool:  # at once: one after the other, the same idle worker may accept them all
            with ThreadPoolExecutor(16) as threads:
                workers.update(threads.map(ask, range(16)))
            return workers == {0, 1}

        until(both_were_asked)

        write_keys(keys, without="anna")
        until(lambda: statuses() == {401})
        assert service.stop() == 0
