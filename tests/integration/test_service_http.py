"""The service as a client meets it, in one process: the real app, its real models, no socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from service.pool import in_seconds
from service.runtime import Runtime
from service.settings import ServiceSettings
from shared.bundle import CURRENT_FILE, Bundle
from tests.service.bundles import publish_bundle
from tests.service.pictures import BLUE, GREEN, RED, picture
from tests.service.running import running_app

pytestmark = pytest.mark.anyio

Running = tuple[FastAPI, httpx.AsyncClient]
ONE_FILE = {"file": ("red.png", picture(RED), "image/png")}


@pytest.fixture
async def running(bundle: Bundle, models_dir: Path) -> AsyncIterator[Running]:
    settings = ServiceSettings(models_dir=models_dir, lanes=1, max_waiting=2, max_upload=64 * 1024, max_pixels=10_000)
    async with running_app(settings) as app_and_client:
        yield app_and_client


@pytest.fixture
def client(running: Running) -> httpx.AsyncClient:
    return running[1]


@pytest.fixture
def runtime(running: Running) -> Runtime:
    runtime: Runtime = running[0].state.runtime
    return runtime


def problem_in(response: httpx.Response) -> dict[str, object]:
    """The body of an answer that must be a well-formed problem."""
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, object] = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "request_id"}
    assert problem["status"] == response.status_code
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem


def slug_in(response: httpx.Response) -> str:
    return str(problem_in(response)["type"]).removeprefix("urn:finial:problem:")


# --- predictions ---


@pytest.mark.parametrize("part", ["file", "image"])
@pytest.mark.parametrize("route", ["/predict", "/models/colours/predict"])
async def test_a_picture_in_a_form_is_classified(
    route: str, part: str, client: httpx.AsyncClient, bundle: Bundle
) -> None:
    response = await client.post(route, files={part: ("green.png", picture(GREEN))})

    assert response.status_code == httpx.codes.OK
    answer = response.json()
    assert [each["label"] for each in answer["predictions"]] == ["green", "red", "blue"]
    assert answer["predictions"][0] == {"label": answer["label"], "score": answer["score"]}
    assert answer["score"] > 0.9
    assert (answer["novelty"], answer["unfamiliar"]) == (None, None)
    assert (answer["model"], answer["version"]) == ("colours", bundle.version)
    assert answer["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize("content_type", ["image/png", "image/x-whatever", "application/octet-stream"])
async def test_a_picture_as_the_body_is_classified(content_type: str, client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", content=picture(BLUE), headers={"Content-Type": content_type})

    assert response.json()["label"] == "blue"


async def test_a_clients_request_id_is_kept(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", files=ONE_FILE, headers={"X-Request-Id": "mine-1"})

    assert response.json()["request_id"] == response.headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (2, 2), (3, 3), (10**30, 3)])
async def test_top_k_is_clamped_to_the_labels_there_are(top_k: int, count: int, client: httpx.AsyncClient) -> None:
    response = await client.post(f"/predict?top_k={top_k}", files=ONE_FILE)

    assert len(response.json()["predictions"]) == count


async def test_several_pictures_get_a_result_or_a_problem_each_in_order(client: httpx.AsyncClient) -> None:
    files = [
        ("file", ("a", picture(RED))),
        ("image", ("b", b"no picture")),
        ("file", ("c", picture(BLUE, size=(101, 100)))),
        ("file", ("d", picture(GREEN))),
    ]
    response = await client.post("/predict", files=files)

    assert response.status_code == httpx.codes.OK
    results = response.json()["results"]
    assert [result.get("label", result.get("status")) for result in results] == ["red", 415, 413, "green"]
    assert {result["request_id"] for result in results} == {response.headers["x-request-id"]}


# --- what is wrong with a request ---

WITH_PNG = {"content": picture(), "headers": {"Content-Type": "image/png"}}
REFUSED = {
    "no body": ({"headers": {"Content-Type": "image/png"}}, 400, "no-picture"),
    "another part": ({"files": {"photo": ("a", picture())}}, 400, "no-picture"),
    "a form cut off": (
        {"content": b"--b\r\nContent-", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
        400,
        "bad-multipart",
    ),
    "top_k of nothing": (WITH_PNG | {"params": {"top_k": ""}}, 400, "bad-parameter"),
    "top_k of zero": (WITH_PNG | {"params": {"top_k": "0"}}, 400, "bad-parameter"),
    "top_k as only Python writes it": (WITH_PNG | {"params": {"top_k": "1_0"}}, 400, "bad-parameter"),
    "top_k as a fraction": (WITH_PNG | {"params": {"top_k": "2.0"}}, 400, "bad-parameter"),
    "threshold as only Python writes it": (WITH_PNG | {"params": {"threshold": "0_1"}}, 400, "bad-parameter"),
    "top_k in words": (WITH_PNG | {"params": {"top_k": "all"}}, 400, "bad-parameter"),
    "no content type": ({"content": picture()}, 415, "unsupported-content-type"),
    "json": ({"json": {"picture": "base64"}}, 415, "unsupported-content-type"),
    "text": ({"content": b"<svg/>", "headers": {"Content-Type": "image/svg+xml"}}, 415, "unknown-format"),
    "a broken picture": (
        {"files": {"file": ("a", picture(kind="JPEG", size=(90, 90))[:400])}},
        422,
        "undecodable-picture",
    ),
    "many pixels": ({"files": {"file": ("a", picture(size=(101, 100)))}}, 413, "too-many-pixels"),
    "many bytes": ({"files": {"file": ("a", bytes(70_000))}}, 413, "upload-too-large"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_wrong_with_a_request_is_said(case: str, client: httpx.AsyncClient) -> None:
    request, status, slug = REFUSED[case]

    response = await client.post("/predict", **request)

    assert (response.status_code, slug_in(response)) == (status, slug)


async def test_a_body_may_have_exactly_the_limits_bytes(client: httpx.AsyncClient) -> None:
    limit, headers = 64 * 1024, {"Content-Type": "image/png"}
    just_fits, too_long = picture() + bytes(limit - len(picture())), bytes(limit + 1)

    assert (await client.post("/predict", content=just_fits, headers=headers)).status_code == httpx.codes.OK
    assert slug_in(await client.post("/predict", content=too_long, headers=headers)) == "upload-too-large"


async def test_a_body_of_unknown_length_is_counted(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield bytes(1024)

    response = await client.post("/predict", content=chunks(), headers={"Content-Type": "image/png"})

    assert (response.status_code, slug_in(response)) == (413, "upload-too-large")


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/no/such/route", 404, "not-found"),
        ("POST", "/predict/", 404, "not-found"),
        ("GET", "/predict", 405, "method-not-allowed"),
        ("DELETE", "/models", 405, "method-not-allowed"),
        ("POST", "/models/cats/predict", 404, "unknown-model"),
        ("GET", "/models/cats", 404, "unknown-model"),
    ],
)
async def test_what_is_not_there_is_a_problem_too(
    method: str, path: str, status: int, slug: str, client: httpx.AsyncClient
) -> None:
    response = await client.request(method, path)

    assert (response.status_code, slug_in(response)) == (status, slug)


async def test_a_method_that_is_not_allowed_comes_with_those_that_are(client: httpx.AsyncClient) -> None:
    assert (await client.get("/predict")).headers["allow"] == "POST"
    assert (await client.put("/health/live")).headers["allow"] == "GET, HEAD"


async def test_an_unknown_model_is_told_with_the_known_ones(client: httpx.AsyncClient) -> None:
    detail = problem_in(await client.post("/models/cats/predict", files=ONE_FILE))["detail"]

    assert "'cats'" in str(detail)
    assert "choose one of colours" in str(detail)


async def test_the_unexpected_is_a_problem_without_a_stack_trace(
    runtime: Runtime, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    generation = runtime.registry.require("colours")
    generation.run = None  # type: ignore[assignment,method-assign]

    response = await client.post("/predict", files=ONE_FILE)

    assert (response.status_code, slug_in(response)) == (500, "internal-error")
    assert response.headers["connection"] == "close", "uvicorn closes it, so the client must know"
    assert "NoneType" not in response.text


# --- too much work ---


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    with runtime.pool.lease(in_seconds(30)):
        waiting = [asyncio.create_task(client.post("/predict", files=ONE_FILE)) for _ in range(2)]
        while runtime.pool.stats().waiting < 2:
            await asyncio.sleep(0.005)

        refused = await client.post("/predict", files=ONE_FILE)

        assert (refused.status_code, slug_in(refused)) == (503, "queue-full")
        assert refused.headers["retry-after"] == "1"
        assert (await client.get("/health/ready")).status_code == httpx.codes.OK
        assert (await client.get("/health/live")).status_code == httpx.codes.OK

    answers = await asyncio.gather(*waiting)
    assert [answer.json()["label"] for answer in answers] == ["red", "red"]


async def test_who_waits_too_long_is_told_so(bundle: Bundle, models_dir: Path) -> None:
    settings = ServiceSettings(models_dir=models_dir, lanes=1, request_timeout_s=0.02)
    async with running_app(settings) as (app, client):
        with app.state.runtime.pool.lease(in_seconds(30)):
            response = await client.post("/predict", files=ONE_FILE)

    assert (response.status_code, slug_in(response)) == (504, "deadline-passed")


async def test_shutting_down_refuses_new_work(runtime: Runtime, client: httpx.AsyncClient) -> None:
    runtime.pool.close()

    response = await client.post("/predict", files=ONE_FILE)

    assert (response.status_code, slug_in(response)) == (503, "draining")
    assert response.headers["retry-after"]


async def test_draining_is_not_ready_but_still_answers(runtime: Runtime, client: httpx.AsyncClient) -> None:
    runtime.lifecycle.draining = True

    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"], ready.json()["reason"]) == (503, "not ready", "draining")
    assert (await client.get("/health/live")).json()["status"] == "alive"
    answer = await client.post("/predict", files=ONE_FILE)
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


# --- models ---


async def test_models_are_described(client: httpx.AsyncClient, bundle: Bundle) -> None:
    overview = (await client.get("/models")).json()
    assert overview["default"] == "colours"
    (described,) = overview["models"]

    alone = (await client.get("/models/colours")).json()
    for each in (described, alone):
        assert each.pop("look_age_s") >= 0  # it may have been looked at between the two
    assert alone.pop("drift") is not None
    assert described.pop("drift") is None, "told of one model only"
    assert described == alone
    assert (described["name"], described["version"], described["ready"]) == ("colours", bundle.version, True)
    assert described["labels"] == ["red", "green", "blue"]
    assert described["metrics"] == {"accuracy": 1.0}
    assert described["provider"] == "CPUExecutionProvider"
    assert described["loaded_at"]
    assert described["last_reload_error"] is None


async def test_a_default_that_is_not_there_is_told_at_the_start(
    bundle: Bundle, models_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_app(ServiceSettings(models_dir=models_dir, default_model="colors")) as (_, client):
        ready = await client.get("/health/ready")
        asked = await client.post("/predict", files={"file": picture(RED)})
        async with asyncio.timeout(10):
            while not (told := [each for each in caplog.records if each.message == "default model not there"]):
                await asyncio.sleep(0.01)

    assert (ready.status_code, asked.status_code) == (503, 503)
    assert "Did you mean 'colours'?" in ready.json()["reason"]
    assert asked.json()["detail"].lower() == ready.json()["reason"].lower()
    assert [each.levelname for each in told] == ["ERROR"]


async def test_an_empty_folder_is_alive_but_not_ready(models_dir: Path) -> None:
    async with running_app(ServiceSettings(models_dir=models_dir)) as (_, client):
        assert (await client.get("/health/live")).status_code == httpx.codes.OK
        ready = (await client.get("/health/ready")).json()
        assert (ready["status"], ready["reason"]) == ("not ready", "no model is served")
        assert ready["device"]["provider"] == "CPUExecutionProvider"
        models = (await client.get("/models")).json()
        assert (models["default"], models["models"], models["store_error"]) == (None, [], None)
        response = await client.post("/predict", files=ONE_FILE)

    assert (response.status_code, slug_in(response)) == (503, "no-model")
    assert response.headers["retry-after"]


async def test_several_models_must_be_named_unless_one_is_the_default(models_dir: Path) -> None:
    for name in ("cats", "dogs"):
        publish_bundle(models_dir, name)

    async with running_app(ServiceSettings(models_dir=models_dir)) as (_, client):
        response = await client.post("/predict", files=ONE_FILE)
        named = await client.post("/models/dogs/predict", files=ONE_FILE)
    async with running_app(ServiceSettings(models_dir=models_dir, default_model="cats")) as (_, client):
        default = await client.post("/predict", files=ONE_FILE)

    assert (response.status_code, slug_in(response)) == (409, "model-not-chosen")
    assert "/models/cats/predict, /models/dogs/predict" in response.text
    assert (named.json()["model"], default.json()["model"]) == ("dogs", "cats")


async def test_a_missing_default_is_not_ready(bundle: Bundle, models_dir: Path) -> None:
    async with running_app(ServiceSettings(models_dir=models_dir, default_model="cats")) as (_, client):
        assert (await client.get("/health/ready")).status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert slug_in(await client.post("/predict", files=ONE_FILE)) == "model-not-loaded"
        assert (await client.post("/models/colours/predict", files=ONE_FILE)).status_code == httpx.codes.OK


async def test_a_model_that_could_not_be_loaded_leaves_its_requests_to_no_other(models_dir: Path) -> None:
    publish_bundle(models_dir, "cats")
    torn = publish_bundle(models_dir, "dogs")
    whole = torn.model_path.read_bytes()
    torn.model_path.write_bytes(whole[:-1])

    async with running_app(ServiceSettings(models_dir=models_dir)) as (app, client):
        before = await client.post("/predict", files=ONE_FILE)
        torn.model_path.write_bytes(whole)
        async with asyncio.timeout(30):
            while app.state.runtime.registry.find("dogs") is None:
                await asyncio.sleep(0.05)
        after = await client.post("/predict", files=ONE_FILE)

    assert [slug_in(each) for each in (before, after)] == ["model-not-chosen"] * 2


async def test_without_a_model_the_answer_says_what_is_wrong_with_it(bundle: Bundle, models_dir: Path) -> None:
    """An operator who is told to publish one, though one is there, would do so for nothing."""
    bundle.model_path.write_bytes(bundle.model_path.read_bytes()[:-1])

    async with running_app(ServiceSettings(models_dir=models_dir)) as (_, client):
        response = await client.post("/predict", files=ONE_FILE)

    assert (response.status_code, slug_in(response)) == (503, "model-not-loaded")
    assert "bundle.json says" in response.json()["detail"]


async def test_a_gpu_that_is_required_and_not_there_is_told_to_clients_too(bundle: Bundle, models_dir: Path) -> None:
    async with running_app(ServiceSettings(models_dir=models_dir, device="require-gpu")) as (_, client):
        response = await client.post("/predict", files=ONE_FILE)

    assert (response.status_code, slug_in(response)) == (503, "model-not-loaded")
    assert "cuda" in response.json()["detail"].lower()


async def test_a_bad_version_is_reported_while_the_good_one_serves_on(models_dir: Path, bundle: Bundle) -> None:
    async with running_app(ServiceSettings(models_dir=models_dir)) as (app, client):
        torn = publish_bundle(models_dir)
        torn.model_path.write_bytes(torn.model_path.read_bytes()[:-1])
        app.state.runtime.watcher.poll()

        described = (await client.get("/models/colours")).json()
        answer = (await client.post("/predict", files=ONE_FILE)).json()

    assert described["version"] == answer["version"] == bundle.version
    assert described["last_reload_error"]["version"] == torn.version
    assert "model.onnx" in described["last_reload_error"]["error"]


async def test_a_model_that_never_loaded_says_why(models_dir: Path) -> None:
    (models_dir / "cats").mkdir()
    (models_dir / "cats" / CURRENT_FILE).write_text("latest", encoding="utf-8")

    async with running_app(ServiceSettings(models_dir=models_dir)) as (_, client):
        described = (await client.get("/models/cats")).json()
        refused = await client.post("/models/cats/predict", files=ONE_FILE)

    assert (described["ready"], described["version"]) == (False, None)
    assert "'latest' is not a version" in described["last_reload_error"]["error"]
    assert (refused.status_code, slug_in(refused)) == (503, "model-not-loaded")


# --- the rest ---


async def test_health_and_front_door_answer_head_requests(client: httpx.AsyncClient) -> None:
    """Load balancers ask that way."""
    for path in ("/", "/health/live", "/health/ready"):
        assert (await client.head(path)).status_code == httpx.codes.OK
    assert (await client.get("/")).json()["predict"] == "POST /predict"


async def test_the_description_tells_how_to_send_a_picture_and_what_errors_look_like(
    client: httpx.AsyncClient,
) -> None:
    description = (await client.get("/openapi.json")).json()
    predict = description["paths"]["/predict"]["post"]

    assert set(predict["requestBody"]["content"]) == {"multipart/form-data", "image/*", "application/octet-stream"}
    assert {"200", "400", "404", "408", "409", "413", "415", "422", "503", "504"} <= set(predict["responses"])
    for status, response in predict["responses"].items():
        if status != "200":
            assert set(response["content"]) == {"application/problem+json"}
    assert "HTTPValidationError" not in json.dumps(description), "bad parameters are 400 problems here"
    assert "Problem" in description["components"]["schemas"]


async def test_the_description_names_every_field_of_an_answer(client: httpx.AsyncClient) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    answer = (await client.post("/predict", files=ONE_FILE)).json()

    assert set(schemas["PredictAnswer"]["properties"]) == set(answer)
