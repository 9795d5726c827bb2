"""The Open Inference Protocol v2 as a plain HTTP client meets it."""

import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from service.explaining import OCCLUSION_RUNS
from service.key_file import entry_of, new_key, with_key
from service.pool import in_seconds
from service.settings import ServiceSettings
from tests.service.asgi import Client, scope_of
from tests.service.bundles import colour_model, publish_bundle
from tests.service.pictures import BLUE, GREEN, RED, picture
from tests.service.running import running_app

pytestmark = pytest.mark.anyio

OUTPUTS = ("probabilities", "logits", "features", "novelty")
INFER = "/v2/models/colours/infer"
RED_FILE = picture(RED)
JSON_LENGTH = "Inference-Header-Content-Length"


@contextlib.asynccontextmanager
async def serving(models_dir: Path, **options: Any) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient, str]]:
    """A service of one model with every output, its client, and the model's version."""
    bundle = publish_bundle(models_dir, model=colour_model(novelty=0.25), outputs=OUTPUTS)
    async with running_app(ServiceSettings(models_dir=models_dir, poll_interval_s=3600, **options)) as (app, client):
        yield app, client, bundle.version


@pytest.fixture
async def client(models_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(models_dir, max_upload="1MiB") as (_, client, _):
        yield client


def files(*pictures: bytes, **more: Any) -> dict[str, Any]:
    """A request in JSON for picture files."""
    data = [base64.b64encode(each).decode() for each in pictures]
    return {"inputs": [{"name": "images", "datatype": "BYTES", "shape": [len(data)], "data": data}], **more}


def pixels(shape: list[int], data: Any, datatype: str = "UINT8", **more: Any) -> dict[str, Any]:
    """A request in JSON for pixels."""
    return {"inputs": [{"name": "images", "datatype": datatype, "shape": shape, "data": data, **more}]}


def binary(header: dict[str, Any], *tensors: bytes) -> dict[str, Any]:
    """Content and headers of a request with binary tensors."""
    text = json.dumps(header).encode()
    return {"content": text + b"".join(tensors), "headers": {JSON_LENGTH: str(len(text))}}


def outputs_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == httpx.codes.OK, answer.text
    return {each["name"]: each for each in answer.json()["outputs"]}


# --- what there is ---


async def test_the_service_says_who_it_is(client: httpx.AsyncClient) -> None:
    found = (await client.get("/v2")).json()

    assert found["name"] == "finial"
    assert found["version"] == (await client.get("/openapi.json")).json()["info"]["version"]
    assert found["extensions"] == ["binary_tensor_data", "classification"]


async def test_a_model_says_what_it_takes_and_gives(models_dir: Path) -> None:
    async with serving(models_dir) as (_, client, version):
        plain = (await client.get("/v2/models/colours")).json()
        assert (await client.get(f"/v2/models/colours/versions/{version}")).json() == plain

    assert (plain["name"], plain["versions"], plain["platform"]) == ("colours", [version], "onnx_onnxv1")
    assert [(each["name"], each["datatype"], each["shape"]) for each in plain["inputs"]] == [
        ("images", "UINT8", [-1, 16, 16, 3])
    ]
    assert [(each["name"], each["datatype"], each["shape"]) for each in plain["outputs"]] == [
        ("probabilities", "FP32", [-1, 3]),
        ("logits", "FP32", [-1, 3]),
        ("features", "FP32", [-1, 3]),
        ("novelty", "FP32", [-1]),
        ("label", "BYTES", [-1]),
    ]


async def test_live_and_ready_are_those_of_the_service(models_dir: Path) -> None:
    async with serving(models_dir) as (app, client, version):
        for path in ("health/live", "health/ready", "models/colours/ready", f"models/colours/versions/{version}/ready"):
            assert (await client.get(f"/v2/{path}")).status_code == httpx.codes.OK
        app.state.runtime.lifecycle.draining = True
        draining = await client.get("/v2/health/ready")
        app.state.runtime.lifecycle.break_down("lost")
        broken = await client.get("/v2/health/live")

        heads = [await client.head(f"/v2/health/{path}") for path in ("live", "ready")]

    assert [each.status_code for each in heads] == [503, 503]
    assert (draining.status_code, draining.json()) == (503, {"ready": False, "error": "draining"})
    assert (broken.status_code, broken.json()) == (503, {"live": False, "error": "lost"})


async def test_the_repository_is_listed_and_not_controlled(models_dir: Path) -> None:
    async with serving(models_dir) as (app, client, version):
        app.state.runtime.registry.expect("shapes")
        everything = (await client.post("/v2/repository/index")).json()
        only_ready = (await client.post("/v2/repository/index", json={"ready": True})).json()
        as_triton_asks = await client.post("/v2/repository/index", content=b'{"ready":true}')  # announces no type
        wrong = await client.post("/v2/repository/index", json={"ready": "yes"})
        unloading = await client.post("/v2/repository/models/colours/unload")

    assert [(each["name"], each["version"], each["state"]) for each in everything] == [
        ("colours", version, "READY"),
        ("shapes", "", "UNAVAILABLE"),
    ]
    assert [each["name"] for each in only_ready] == ["colours"]
    assert as_triton_asks.json() == only_ready
    assert (wrong.status_code, wrong.json()["error"].count("ready: expected true or false")) == (400, 1)
    assert unloading.status_code == 400
    assert "Explicit model load / unload is not allowed" in unloading.json()["error"]


@pytest.mark.parametrize("path", ["stats", "colours/stats", "colours/config", "colours/versions/1/stats"])
async def test_what_tritons_tools_ask_for_besides_is_not_there(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"/v2/models/{path}")

    assert answer.status_code == 404
    assert "no such route. docs/open-inference.md lists those that there are" in answer.json()["error"]
    assert "statistics and configuration" in answer.json()["error"]


async def test_a_model_may_be_called_stats_nonetheless(models_dir: Path) -> None:
    publish_bundle(models_dir, name="stats")
    async with running_app(ServiceSettings(models_dir=models_dir)) as (_, client):
        assert (await client.get("/v2/models/stats")).json()["name"] == "stats"


# --- infer ---


async def test_a_picture_file_is_answered_as_by_predict(client: httpx.AsyncClient) -> None:
    told = (await client.post("/predict", files={"file": RED_FILE})).json()
    found = outputs_of(await client.post(INFER, json=files(RED_FILE)))

    scores = {each["label"]: each["score"] for each in told["predictions"]}
    assert found["probabilities"]["data"] == pytest.approx([scores["red"], scores["green"], scores["blue"]], abs=1e-6)
    assert (found["label"]["datatype"], found["label"]["data"]) == ("BYTES", [told["label"]])
    assert found["novelty"]["data"] == [told["novelty"]]
    assert list(found) == [*OUTPUTS, "label"]


async def test_several_pictures_are_rows_of_one_tensor(models_dir: Path) -> None:
    async with serving(models_dir) as (_, client, version):
        answer = await client.post(INFER, json=files(RED_FILE, picture(GREEN), picture(BLUE), id="mine"))

    found = outputs_of(answer)
    assert found["probabilities"]["shape"] == [3, 3]
    assert found["label"]["data"] == ["red", "green", "blue"]
    assert (answer.json()["id"], answer.json()["model_name"], answer.json()["model_version"]) == (
        "mine",
        "colours",
        version,
    )


@pytest.mark.parametrize("nested", [False, True])
async def test_pixels_may_be_flat_or_nested(client: httpx.AsyncClient, *, nested: bool) -> None:
    images = np.zeros((2, 16, 16, 3), np.uint8)
    images[0, ..., 1], images[1, ..., 2] = 200, 255
    data = (images if nested else images.ravel()).tolist()

    assert outputs_of(await client.post(INFER, json=pixels([2, 16, 16, 3], data)))["label"]["data"] == ["green", "blue"]


async def test_pixels_are_run_as_they_are(client: httpx.AsyncClient) -> None:
    """They skip decoding and resizing, and come to the same where these change nothing."""
    images = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), np.uint8)
    found = outputs_of(await client.post(INFER, json=pixels([1, 16, 16, 3], images.tolist())))

    means = images.mean(axis=(0, 1, 2)) / 255
    assert found["features"]["data"] == pytest.approx(means, abs=1e-5)
    assert found["logits"]["data"] == pytest.approx(20 * means, abs=1e-4)


async def test_binary_tensors_go_both_ways(client: httpx.AsyncClient) -> None:
    data = len(RED_FILE).to_bytes(4, "little") + RED_FILE
    tensor = {"name": "images", "datatype": "BYTES", "shape": [1, 1], "parameters": {"binary_data_size": len(data)}}
    wanted = [{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "label"}]
    answer = await client.post(INFER, **binary({"inputs": [tensor], "outputs": wanted}, data))

    length = int(answer.headers[JSON_LENGTH])
    probabilities, label = json.loads(answer.content[:length])["outputs"]
    assert answer.headers["content-type"] == "application/octet-stream"
    assert probabilities["parameters"] == {"binary_data_size": 12}
    assert np.frombuffer(answer.content[length:], "<f4").argmax() == 0
    assert label["data"] == ["red"]


async def test_labels_may_be_binary_too(client: httpx.AsyncClient) -> None:
    body = files(RED_FILE, outputs=[{"name": "label"}], parameters={"binary_data_output": True})
    answer = await client.post(INFER, json=body)

    assert answer.content[int(answer.headers[JSON_LENGTH]) :] == b"\3\0\0\0red"


async def test_a_body_that_is_one_picture_needs_no_json(client: httpx.AsyncClient) -> None:
    answer = await client.post(INFER, content=RED_FILE, headers={JSON_LENGTH: "0"})

    assert outputs_of(answer)["label"]["data"] == ["red"]


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 2), (99, 3)])
async def test_the_best_labels_are_told_as_triton_tells_them(
    client: httpx.AsyncClient, count: int, expected: int
) -> None:
    wanted = [{"name": "probabilities", "parameters": {"classification": count}}]
    (found,) = outputs_of(await client.post(INFER, json=files(RED_FILE, outputs=wanted))).values()

    assert (found["datatype"], found["shape"]) == ("BYTES", [1, expected])
    assert found["data"] == ["1.000000:0:red", "0.000000:1:green", "0.000000:2:blue"][:expected]


async def test_unknown_parameters_are_passed_over(client: httpx.AsyncClient) -> None:
    body = files(RED_FILE, outputs=[{"name": "label"}], parameters={"sequence_id": 0, "priority": 3, "mine": "x"})
    body["inputs"][0]["parameters"] = {"content_type": "base64", "more": True}

    assert outputs_of(await client.post(INFER, json=body))["label"]["data"] == ["red"]


async def test_the_version_may_be_named(models_dir: Path) -> None:
    async with serving(models_dir) as (_, client, version):
        served = await client.post(f"/v2/models/colours/versions/{version}/infer", json=files(RED_FILE))
        other = await client.post("/v2/models/colours/versions/1/infer", json=files(RED_FILE))

    assert served.json()["model_version"] == version
    assert other.status_code == 404
    assert f"is served in version '{version}', not in '1'" in other.json()["error"]


async def test_names_may_be_quoted(models_dir: Path) -> None:
    publish_bundle(models_dir, "a.b-c")
    async with running_app(ServiceSettings(models_dir=models_dir)) as (_, client):
        assert (await client.post("/v2/models/a%2Eb%2Dc/infer", json=files(RED_FILE))).status_code == httpx.codes.OK


# --- what is wrong ---

ONE = {"name": "images", "datatype": "BYTES", "shape": [1], "data": ["AAAA"]}
WRONG: dict[str, tuple[int, dict[str, Any], str]] = {
    "no inputs": (400, {}, "inputs: expected a value, there is none"),
    "empty inputs": (400, {"inputs": []}, "inputs"),
    "two inputs": (400, {"inputs": [ONE, ONE]}, "expected one, 'images'"),
    "another input": (400, {"inputs": [{**ONE, "name": "x"}]}, "'x'; expected one, 'images'"),
    "floats": (400, pixels([1, 16, 16, 3], [0.5] * 768, "FP32"), "expected UINT8 (pixels) or BYTES (files)"),
    "no picture": (400, pixels([0, 16, 16, 3], []), "1 to 32 pictures"),
    "too many pictures": (400, pixels([33, 16, 16, 3], []), "1 to 32 pictures"),
    "too many files": (400, files(*[b"x"] * 33), "1 to 32 pictures"),
    "another size": (400, pixels([1, 8, 8, 3], [0] * 192), "8 x 8 (height x width), model 'colours' takes 16 x 16"),
    "channels first": (400, pixels([1, 3, 16, 16], [0] * 768), "expected [N, H, W, 3]"),
    "a shape that is a lie": (400, pixels([32, 16, 16, 3], [0] * 768), "768 numbers"),
    "a huge shape": (400, pixels([1, 10**9, 10**9, 3], [0] * 768), "768 numbers"),
    "numbers that are none": (400, pixels([1, 16, 16, 3], ["0"] * 768), "whole numbers from 0 to 255"),
    "no data": (400, pixels([1, 16, 16, 3], None), "no `data`"),
    "no base64": (400, {"inputs": [{**ONE, "data": ["?"]}]}, "no base64"),
    "too few strings": (400, {"inputs": [{**ONE, "shape": [2]}]}, "not 2 strings"),
    "another content type": (400, {"inputs": [{**ONE, "parameters": {"content_type": "str"}}]}, "base64"),
    "no picture format": (415, {"inputs": [ONE]}, "no picture format known here"),
    "half a picture": (422, files(picture(size=(99, 99), kind="JPEG")[:300]), "JPEG"),
    "shared memory": (400, {"inputs": [{**ONE, "parameters": {"shared_memory_region": "r"}}]}, "shared memory"),
    "an unknown output": (400, files(RED_FILE, outputs=[{"name": "x"}]), "no output 'x'; the model has probabilities"),
    "an output twice": (400, files(RED_FILE, outputs=[{"name": "label"}] * 2), "named twice"),
    "labels of features": (
        400,
        files(RED_FILE, outputs=[{"name": "features", "parameters": {"classification": 1}}]),
        "probabilities and logits can",
    ),
    "a count that is none": (
        400,
        files(RED_FILE, outputs=[{"name": "logits", "parameters": {"classification": "all"}}]),
        "expected how many labels",
    ),
    "a timeout in quotation marks": (400, files(RED_FILE, parameters={"timeout": "1"}), "number of microseconds"),
    "a timeout before the request": (400, files(RED_FILE, parameters={"timeout": -1}), "number of microseconds"),
    "a yes that is no true": (400, files(RED_FILE, parameters={"binary_data_output": "yes"}), "expected true or false"),
    "a one that is no true": (
        400,
        files(RED_FILE, outputs=[{"name": "label", "parameters": {"binary_data": 1}}]),
        "binary_data is '1', expected true or false",
    ),
    "binary that is not there": (400, {"inputs": [{**ONE, "parameters": {"binary_data_size": 9}}]}, "0 bytes follow"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_is_told_in_the_protocols_form(client: httpx.AsyncClient, case: str) -> None:
    status, body, words = WRONG[case]
    answer = await client.post(INFER, json=body)

    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert words in answer.json()["error"]
    assert answer.headers["content-type"] == "application/json"


async def test_one_bad_picture_fails_the_request_and_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.post(INFER, json=files(RED_FILE, b"<svg/>"))

    assert (answer.status_code, list(answer.json())) == (415, ["error"])
    assert answer.json()["error"].startswith("Picture 2 of 2: ")


@pytest.mark.parametrize("written", ["?", "_" * 2000, "\\\\" * 2000, "AAA", "AAAA\\nAAAA", "AA-_"])
async def test_which_string_is_no_base64_is_told(client: httpx.AsyncClient, written: str) -> None:
    text = json.dumps(files(RED_FILE, b"")).replace('""', f'"{written}"')
    answer = await client.post(INFER, content=text)

    assert answer.status_code == 400
    assert "string 2 of 2 of its data is no base64" in answer.json()["error"]
    assert "the standard alphabet, padded, without line breaks" in answer.json()["error"]


@pytest.mark.parametrize("large", [False, True])
async def test_base64_may_be_escaped_as_json_allows(client: httpx.AsyncClient, *, large: bool) -> None:
    """Some writers of JSON escape a solidus, a plus or an equals sign."""
    file = (
        picture(RED, size=(256, 256) if large else (32, 24), kind="BMP" if large else "PNG") + b"\xff\xef\xbe\xfb" * 9
    )
    text = json.dumps(files(file + b"." * ((4 - len(file)) % 3)))
    for character in "/+=":
        assert character in text
        text = text.replace(character, f"\\u{ord(character):04x}")
    answers = [await client.post(INFER, content=each) for each in (text, text.replace("\\u002f", "\\/"))]

    assert [outputs_of(answer)["label"]["data"] for answer in answers] == [["red"]] * 2


@pytest.mark.parametrize(
    "data", ['[["x"]]'.replace("x", "A" * 2000), '{"data": [' + "1," * 500 + "1]}", '[{"data": [' + "1," * 500 + "1]}]"]
)
async def test_data_that_is_no_array_of_numbers_is_refused_as_pixels(client: httpx.AsyncClient, data: str) -> None:
    text = json.dumps(pixels([1, 16, 16, 3], None)).replace("null", data)
    answer = await client.post(INFER, content=text)

    assert (answer.status_code, "whole numbers from 0 to 255" in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("length", "words"),
    [("x", "says how many"), ("-1", "says how many"), ("99999", "says how many"), ("5", "well-formed"), ("", "says")],
)
async def test_a_wrong_header_length_is_told(client: httpx.AsyncClient, length: str, words: str) -> None:
    answer = await client.post(INFER, json=files(RED_FILE), headers={JSON_LENGTH: length})

    assert answer.status_code == 400
    assert words in answer.json()["error"]


@pytest.mark.parametrize("data", [b"", b"\1\0\0", b"\xff\xff\xff\xffabc", b"\1\0\0\0ab", b"\0\0\0\0\0\0\0\0"])
async def test_binary_files_that_their_lengths_do_not_fit_are_refused(client: httpx.AsyncClient, data: bytes) -> None:
    tensor = {"name": "images", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(data)}}
    answer = await client.post(INFER, **binary({"inputs": [tensor]}, data))

    assert answer.status_code == 400
    assert "error" in answer.json()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/", 404),
        ("GET", "/v2/nowhere", 404),
        ("GET", "/v2/models/no", 404),
        ("GET", "/v2/models/no/ready", 404),
        ("POST", "/v2/models/no/infer", 404),
        ("PUT", "/v2", 405),
        ("GET", INFER, 405),
    ],
)
async def test_errors_of_http_have_the_form_too(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await client.request(method, path)

    assert (answer.status_code, list(answer.json())) == (status, ["error"])


async def test_what_only_begins_alike_has_problems_as_ever(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v20")).headers["content-type"] == "application/problem+json"


async def test_a_body_that_is_too_large_is_refused_in_the_form(client: httpx.AsyncClient) -> None:
    answer = await client.post(INFER, content=b" " * (2**20 + 1))

    assert (answer.status_code, list(answer.json())) == (413, ["error"])


async def test_a_full_queue_says_when_to_ask_again(models_dir: Path) -> None:
    async with serving(models_dir, lanes=1, max_waiting=0) as (app, client, _):
        with app.state.runtime.pool.lease(in_seconds(30)):
            answer = await client.post(INFER, json=files(RED_FILE))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert list(answer.json()) == ["error"]


class Remembers:
    """An admission that lets everybody in, and remembers how patient they were."""

    def __init__(self) -> None:
        self.patience_s: list[float] = []

    def admit(self, model: str, *, patience_s: float) -> str:
        self.patience_s.append(patience_s)
        return model


async def test_the_wait_of_every_run_of_an_explanation_is_foreseen(models_dir: Path) -> None:
    async with serving(models_dir) as (app, client, _):
        admission = Remembers()
        app.state.runtime = replace(app.state.runtime, admission=admission)
        headers = {"X-Request-Timeout-Ms": "9000", "Content-Type": "image/png"}
        answer = await client.post("/models/colours/explain", content=RED_FILE, headers=headers)

    assert answer.json()["method"] == "occlusion"
    assert 0 < admission.patience_s[-1] <= 9 / OCCLUSION_RUNS


@pytest.mark.parametrize("count", [1, 2, 8])
async def test_the_wait_of_every_picture_is_foreseen(models_dir: Path, count: int) -> None:
    async with serving(models_dir) as (app, client, _):
        admission = Remembers()
        app.state.runtime = replace(app.state.runtime, admission=admission)
        request = files(*[RED_FILE] * count)
        outputs_of(await client.post(INFER, json=request, headers={"X-Request-Timeout-Ms": "8000"}))

    assert len(admission.patience_s) == (1 if count == 1 else 2)  # before the body came, and when it was known
    assert 0 < admission.patience_s[-1] <= 8 / count


async def test_the_clients_timeout_is_kept(models_dir: Path) -> None:
    """Triton's parameter, in microseconds."""
    async with serving(models_dir, lanes=1) as (app, client, _):
        with app.state.runtime.pool.lease(in_seconds(30)):
            answer = await client.post(INFER, json=files(RED_FILE, parameters={"timeout": 20_000}))

    assert (answer.status_code, list(answer.json())) == (504, ["error"])


async def test_requests_and_predictions_are_counted(models_dir: Path) -> None:
    async with serving(models_dir) as (_, client, version):
        await client.post(INFER, json=files(RED_FILE, RED_FILE))
        await client.post(INFER, json={})
        metrics = (await client.get("/metrics")).text

    for line in (
        f'finial_requests_total{{route="{INFER.replace("colours", "{name}")}",status="200"}} 1.0',
        f'finial_requests_total{{route="{INFER.replace("colours", "{name}")}",status="400"}} 1.0',
        f'finial_predictions_total{{label="red",model="colours",version="{version}"}} 2.0',
    ):
        assert line in metrics


async def test_every_schema_that_the_description_refers_to_is_in_it(client: httpx.AsyncClient) -> None:
    """FastAPI knows nothing of the body of infer: it is not it that reads it."""
    text = (await client.get("/openapi.json")).text
    referred = set(re.findall(r'"\$ref":"#/components/schemas/(\w+)"', text))

    assert {"InferRequest", "InferInput", "InferRequestedOutput", "InferAnswer", "InferenceError"} <= referred
    assert referred <= set(json.loads(text)["components"]["schemas"])
    assert '"#/$defs/' not in text


async def test_pictures_that_are_run_together_are_told_the_same(models_dir: Path) -> None:
    async with serving(models_dir, micro_batching="on") as (app, client, _):
        found = outputs_of(await client.post(INFER, json=files(RED_FILE, picture(BLUE))))
        batches = app.state.runtime.registry.require("colours").batch_stats()

    assert found["label"]["data"] == ["red", "blue"]
    assert found["logits"]["data"][:3] == pytest.approx([17.25, 1.57, 1.57], abs=0.01)
    assert batches.pictures == 2


async def test_who_has_no_key_is_told_in_the_form(models_dir: Path, tmp_path: Path) -> None:
    keys, key = tmp_path / "keys.toml", new_key()
    keys.write_text(with_key(keys, "", "mine", entry_of(key, rights=["predict"])))
    async with serving(models_dir, api_keys=keys) as (_, client, _):
        probes = [await client.get(f"/v2/health/{kind}") for kind in ("live", "ready")]
        without = await client.post(INFER, json=files(RED_FILE))
        with_it = await client.post(INFER, json=files(RED_FILE), headers={"Authorization": f"Bearer {key}"})

    assert [each.status_code for each in probes] == [200, 200]
    assert (without.status_code, list(without.json()), without.headers["www-authenticate"][:6]) == (
        401,
        ["error"],
        "Bearer",
    )
    assert with_it.status_code == 200


async def test_who_goes_gives_the_place_in_the_line_back(models_dir: Path) -> None:
    async with serving(models_dir, lanes=1) as (app, client, _):
        runtime = app.state.runtime
        gone = Client([json.dumps(files(RED_FILE)).encode()])  # all that comes after its body is that it has left
        with runtime.pool.lease(in_seconds(30)):
            await app({**scope_of(path=INFER), "app": app}, gone.receive, gone.send)
            waiting = runtime.pool.stats().waiting
        metrics = (await client.get("/metrics")).text

    assert waiting == 0
    assert 'finial_requests_total{route="/v2/models/{name}/infer",status="499"} 1.0' in metrics
