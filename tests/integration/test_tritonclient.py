"""A client that others wrote for the Open Inference Protocol, against the real program."""

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from tests.service.bundles import colour_model, publish_bundle
from tests.service.pictures import BLUE, RED, picture
from tests.service.running import ServiceProcess, running_process

FILES = [picture(RED), picture(BLUE, kind="JPEG", size=(300, 200))]
ENCODINGS = [None, "gzip", "deflate"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("served")
    outputs = ("probabilities", "logits", "features", "novelty")
    publish_bundle(folder, model=colour_model(novelty=0.25), outputs=outputs)
    publish_bundle(folder, "a.b_c-d")
    with running_process(folder, "--max-upload", "1MiB", log=folder.parent / "log") as process:
        process.wait_until_ready()
        yield process


@pytest.fixture(scope="module")
def client(service: ServiceProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"127.0.0.1:{service.port}") as client:
        yield client


@pytest.fixture(scope="module")
def told(service: ServiceProcess) -> NDArray[np.float32]:
    """Probabilities of FILES (2, 3), as POST /predict tells them."""
    with service.client() as plain:
        answers = [plain.post("/models/colours/predict", files={"file": file}).json() for file in FILES]
    scores = [{each["label"]: each["score"] for each in answer["predictions"]} for answer in answers]
    return np.array([[each[label] for label in ("red", "green", "blue")] for each in scores], np.float32)


def files_input(*, binary: bool) -> triton.InferInput:
    content = [file if binary else base64.b64encode(file) for file in FILES]
    tensor = triton.InferInput("images", [len(content)], "BYTES")
    return tensor.set_data_from_numpy(np.array(content, np.object_), binary_data=binary)


def pixels_input(images: NDArray[np.uint8], *, binary: bool) -> triton.InferInput:
    return triton.InferInput("images", list(images.shape), "UINT8").set_data_from_numpy(images, binary_data=binary)


def test_it_finds_out_what_is_there(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata()["name"] == "finial"
    (version,) = client.get_model_metadata("colours")["versions"]
    assert client.is_model_ready("colours", version)
    assert not client.is_model_ready("colours", "1")
    assert not client.is_model_ready("nothing")
    assert {each["name"]: each["state"] for each in client.get_model_repository_index()} == {
        "colours": "READY",
        "a.b_c-d": "READY",
    }


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_picture_files_get_the_answers_of_predict(
    client: triton.InferenceServerClient, told: NDArray[np.float32], encoding: str | None, *, binary: bool
) -> None:
    result = client.infer(
        "colours",
        [files_input(binary=binary)],
        request_id="7",
        request_compression_algorithm=encoding,
        response_compression_algorithm=encoding,
    )

    assert np.abs(result.as_numpy("probabilities") - told).max() < 1e-6
    assert result.as_numpy("label").tolist() == [b"red", b"blue"]
    assert (result.as_numpy("novelty").shape, result.as_numpy("features").shape) == ((2,), (2, 3))
    assert result.get_response()["id"] == "7"


@pytest.mark.parametrize("binary_out", [False, True])
@pytest.mark.parametrize("binary_in", [False, True])
def test_pixels_are_taken_in_both_forms(
    client: triton.InferenceServerClient, *, binary_in: bool, binary_out: bool
) -> None:
    images = np.zeros((3, 16, 16, 3), np.uint8)
    for n in range(3):
        images[n, ..., n] = 200
    wanted = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in ("probabilities", "logits")]
    result = client.infer("colours", [pixels_input(images, binary=binary_in)], outputs=wanted)

    assert result.as_numpy("probabilities").argmax(axis=1).tolist() == [0, 1, 2]
    assert result.as_numpy("logits").dtype == np.float32
    assert result.as_numpy("label") is None


@pytest.mark.parametrize("binary", [False, True])
def test_the_best_labels_are_told(client: triton.InferenceServerClient, *, binary: bool) -> None:
    wanted = [triton.InferRequestedOutput("probabilities", binary_data=binary, class_count=2)]
    found = client.infer("colours", [files_input(binary=True)], outputs=wanted).as_numpy("probabilities")

    rows = [[text.decode() if isinstance(text, bytes) else str(text) for text in row] for row in found]
    assert [row[0].split(":")[1:] for row in rows] == [["0", "red"], ["2", "blue"]]
    assert all(0.99 < float(row[0].split(":")[0]) <= 1 for row in rows)


@pytest.mark.parametrize("name", ["a.b_c-d"])
def test_names_with_dots_are_found(client: triton.InferenceServerClient, name: str) -> None:
    assert client.infer(name, [files_input(binary=True)]).get_response()["model_name"] == name


def test_what_fails_is_an_exception_with_our_words(client: triton.InferenceServerClient) -> None:
    wrong = pixels_input(np.zeros((1, 8, 8, 3), np.uint8), binary=True)
    failures = {
        "takes 16 x 16": lambda: client.infer("colours", [wrong]),
        "Unknown model": lambda: client.infer("nothing", [wrong]),
        "not in '1'": lambda: client.infer("colours", [wrong], model_version="1"),
        "explicit model load": lambda: client.load_model("colours"),
        "no such route": lambda: client.get_inference_statistics("colours"),
        "at most 1,048,576": lambda: client.infer(
            "colours",
            [pixels_input(np.zeros((32, 224, 224, 3), np.uint8), binary=True)],
            request_compression_algorithm="gzip",
        ),
    }
    for words, call in failures.items():
        with pytest.raises(InferenceServerException) as caught:
            call()
        assert words.lower() in caught.value.message().lower()
        assert caught.value.status().startswith("4")


@pytest.mark.anyio
async def test_its_other_client_works_as_well(service: ServiceProcess, told: NDArray[np.float32]) -> None:
    async with triton_aio.InferenceServerClient(f"127.0.0.1:{service.port}") as client:
        assert await client.is_server_ready()
        result = await client.infer("colours", [files_input(binary=True)], request_compression_algorithm="gzip")

    assert np.abs(result.as_numpy("probabilities") - told).max() < 1e-6


def test_a_plain_request_in_json_is_enough(service: ServiceProcess, told: NDArray[np.float32]) -> None:
    """As KServe's users write it with curl."""
    data = [base64.b64encode(file).decode() for file in FILES]
    tensor = {"name": "images", "shape": [2], "datatype": "BYTES", "data": data}
    answer = httpx.post(f"{service.url}/v2/models/colours/infer", json={"inputs": [tensor]}, trust_env=False)

    found = {each["name"]: each for each in answer.json()["outputs"]}
    assert np.abs(np.reshape(found["probabilities"]["data"], (2, 3)) - told).max() < 1e-6


def test_the_gate_turns_away_in_the_form_too(tmp_path: Path) -> None:
    """Without the app's work, and still no problem+json."""
    (tmp_path / "models" / "colours").mkdir(parents=True)
    (tmp_path / "models" / "colours" / "current").write_text("not-there\n")
    with running_process(tmp_path / "models", log=tmp_path / "log") as service:
        service.wait_until_alive()
        answer = httpx.post(f"{service.url}/v2/models/colours/infer", json={}, trust_env=False)

    assert (answer.status_code, list(answer.json()), answer.headers["retry-after"]) == (503, ["error"], "2")
    assert answer.headers["content-type"] == "application/json"
