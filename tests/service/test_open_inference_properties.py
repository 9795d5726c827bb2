"""Whatever is sent to infer: no mistake of the service, and no memory for what is only said to be there."""

import asyncio
import contextlib
import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.settings import ServiceSettings
from tests.service.bundles import publish_bundle
from tests.service.running import running_app

INFER = "/v2/models/colours/infer"
JSON_LENGTH = "Inference-Header-Content-Length"
Post = Callable[..., httpx.Response]

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSONS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)
TENSORS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["images", "x"]) | JSONS,
        "datatype": st.sampled_from(["UINT8", "BYTES"]) | JSONS,
        "shape": st.lists(st.integers(-1, 40) | st.sampled_from([1, 16, 3, 10**12]), max_size=5) | JSONS,
    },
    optional={
        "data": JSONS,
        "parameters": st.dictionaries(st.sampled_from(["binary_data_size", "content_type"]), JSONS),
    },
)
REQUESTS = JSONS | st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS | JSONS, max_size=2) | JSONS},
    optional={
        "id": JSONS,
        "parameters": JSONS,
        "outputs": JSONS | st.lists(st.fixed_dictionaries({"name": st.sampled_from(["label"]), "parameters": JSONS})),
    },
)
HEADERS = st.none() | st.integers(-3, 400).map(str) | st.text(st.characters(min_codepoint=33, max_codepoint=126))


@pytest.fixture
def post(models_dir: Path) -> Iterator[Post]:
    """Sends to infer of a service that goes on from one call to the next."""
    publish_bundle(models_dir)
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        _, client = runner.run(stack.enter_async_context(running_app(ServiceSettings(models_dir=models_dir))))
        yield lambda **request: runner.run(client.post(INFER, **request))
        runner.run(stack.aclose())


@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_whatsoever_is_a_mistake_of_the_service(post: Post, data: st.DataObject) -> None:
    text = json.dumps(data.draw(REQUESTS)).encode()
    cut = data.draw(st.integers(0, len(text)))
    body = text[:cut] + data.draw(st.binary(max_size=64)) if data.draw(st.booleans()) else text
    length = data.draw(HEADERS)
    headers = {} if length is None else {JSON_LENGTH: length}
    if data.draw(st.booleans()):
        packed = gzip.compress(body) + data.draw(st.binary(max_size=9))
        body, headers["Content-Encoding"] = packed[: data.draw(st.integers(0, len(packed)))], "gzip"
    answer = post(content=body, headers=headers)

    assert answer.status_code in (200, 400, 415, 422)
    assert answer.status_code == 200 or list(answer.json()) == ["error"]


def claiming(binary: bytes, **tensor: Any) -> dict[str, Any]:
    """A request whose tensor says more than there is."""
    text = json.dumps({"inputs": [{"name": "images", **tensor}]}).encode()
    return {"content": text + binary, "headers": {JSON_LENGTH: str(len(text))}}


@pytest.mark.parametrize(
    "request_",
    [
        claiming(b"", datatype="UINT8", shape=[32, 10**6, 10**6, 3], data=[1]),
        claiming(b"x", datatype="UINT8", shape=[1, 2**31, 2**31, 3], parameters={"binary_data_size": 1}),
        claiming(b"x", datatype="UINT8", shape=[1, 16, 16, 3], parameters={"binary_data_size": 2**60}),
        claiming(b"\xff\xff\xff\x7fx", datatype="BYTES", shape=[1], parameters={"binary_data_size": 5}),
        claiming(b"", datatype="BYTES", shape=[10**12], data=["AAAA"]),
        {"content": b"{}", "headers": {JSON_LENGTH: "9" * 18}},
    ],
)
def test_nothing_is_allocated_for_what_is_only_declared(post: Post, request_: dict[str, Any]) -> None:
    post(content=b"{}")  # what is imported and kept with the first request
    tracemalloc.start()
    try:
        answer = post(**request_)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert answer.status_code == 400
    assert peak < 2**20
