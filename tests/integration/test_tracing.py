"""Requests as OpenTelemetry spans, seen by a collector that decodes what a real service sends."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Scope

from service.logs import OF_REQUEST
from service.request_log import RequestLog
from service.settings import ServiceSettings
from shared.bundle import Bundle
from tests.service.otlp_server import Collector, attributes_of, collecting
from tests.service.pictures import RED, picture
from tests.service.running import ROOT, running_app, running_process
from tests.service.waiting import until

pytestmark = pytest.mark.anyio

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STAGES = ["receive", "queue", "decode", "run"]
LATE_S = 0.5


async def traced(models_dir: Path, collector: Collector, *requests: httpx.Request, access_log: bool = True) -> None:
    """Ask a service in this process; at its end, all spans have been sent."""
    settings = ServiceSettings(models_dir=models_dir, otlp_endpoint=collector.url, access_log=access_log)
    async with running_app(settings) as (_, client):
        for request in requests:
            await client.send(request)


def predict(colour: tuple[int, int, int] = RED, *, traceparent: str | None = None, data: bytes = b"") -> httpx.Request:
    headers = {"Content-Type": "image/png"} | ({"traceparent": traceparent} if traceparent else {})
    return httpx.Request("POST", "http://it/predict", content=data or picture(colour), headers=headers)


async def test_a_request_is_a_span_below_its_callers_with_its_stages_below_it(models_dir: Path, bundle: Bundle) -> None:
    with collecting() as collector:
        await traced(models_dir, collector, predict(traceparent=f"00-{TRACE}-{CALLER}-01"))

    (span,) = collector.named("POST /predict")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, CALLER)
    assert collector.below(span) == STAGES
    assert span.kind == span.SPAN_KIND_SERVER
    assert span.status.code == span.status.STATUS_CODE_UNSET
    assert collector.services == ["finial"]
    assert collector.makers == {"finial"}
    found = attributes_of(span)
    assert len(found.pop("finial.request_id")) > 10
    assert found.pop("http.request.body.size") > 50
    assert found == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "url.path": "/predict",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "client.address": "127.0.0.1",
        "server.address": "it",
        "finial.model": "colours",
        "finial.version": bundle.version,
    }
    assert {each.trace_id for each in collector.spans} == {span.trace_id}


@pytest.mark.parametrize("access_log", [True, False])
async def test_a_span_holds_its_stages_however_late_it_is_made(
    models_dir: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, *, access_log: bool
) -> None:
    """Its length is counted first, and then its line is logged, which takes its time on a busy machine."""
    log = RequestLog.write

    def slow(self: RequestLog, scope: Scope, **told: Any) -> None:
        time.sleep(LATE_S)
        log(self, scope, **told)

    monkeypatch.setattr(RequestLog, "write", slow)
    with collecting() as collector:
        await traced(models_dir, collector, predict(), access_log=access_log)

    (span,) = collector.named("POST /predict")
    inside = [each for each in collector.spans if each.parent_span_id == span.span_id]
    assert len(inside) == len(STAGES)
    assert all(span.start_time_unix_nano <= each.start_time_unix_nano for each in inside)
    assert all(each.end_time_unix_nano <= span.end_time_unix_nano for each in inside)
    last = max(each.end_time_unix_nano for each in inside)
    assert span.end_time_unix_nano - last < LATE_S * 1e9, "what its line takes is no part of the request"


async def test_a_request_without_a_trace_begins_one_of_its_own(models_dir: Path, bundle: Bundle) -> None:
    with collecting() as collector:
        await traced(models_dir, collector, predict(), predict(traceparent="00-no-trace-at-all"))

    roots = collector.named("POST /predict")
    assert [span.parent_span_id for span in roots] == [b"", b""]
    assert len({span.trace_id for span in roots}) == 2


async def test_the_lines_of_a_request_have_the_trace_of_its_span(
    models_dir: Path, bundle: Bundle, tmp_path: Path
) -> None:
    """Also of one that begins here, of one that is turned away at the head, and of what is logged on the way."""
    log, keys = tmp_path / "log", tmp_path / "keys.toml"
    keys.write_text("")
    with collecting() as collector:
        options = ("--api-keys", str(keys), "--otlp-endpoint", collector.url)
        with running_process(models_dir, *options, log=log) as service, service.client() as client:
            service.wait_until_ready()
            for headers in ({}, {"traceparent": f"00-{TRACE}-{CALLER}-01"}):
                assert client.get("/models", headers=headers).status_code == 401
            assert service.stop() == 0

    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    told = {line["request_id"]: line["trace_id"] for line in lines if line["event"] == "request"}
    spans = {attributes_of(span)["finial.request_id"]: span.trace_id.hex() for span in collector.spans}
    assert len(told) == 2 and TRACE in told.values()
    assert told.items() <= spans.items()


async def test_what_is_logged_while_a_request_is_served_has_its_trace(models_dir: Path, bundle: Bundle) -> None:
    lines: list[Mapping[str, object]] = []
    with collecting() as collector:
        settings = ServiceSettings(models_dir=models_dir, otlp_endpoint=collector.url)
        async with running_app(settings) as (app, client):
            app.add_api_route("/look", lambda: lines.append(OF_REQUEST.get()))
            await client.get("/look")

    (span,) = collector.named("GET /look")
    assert [line["trace_id"] for line in lines] == [span.trace_id.hex()]


async def test_a_method_that_is_not_listed_is_told_beside_the_name(models_dir: Path, bundle: Bundle) -> None:
    """As OpenTelemetry's conventions have it: the number of names stays small."""
    with collecting() as collector:
        await traced(models_dir, collector, httpx.Request("PROPFIND", "http://it:81/predict"))

    (span,) = collector.named("HTTP /predict")
    found = attributes_of(span)
    assert (found["http.request.method"], found["http.request.method_original"]) == ("_OTHER", "PROPFIND")
    assert (found["server.address"], found["server.port"]) == ("it", 81)


async def test_a_trace_that_its_caller_does_not_record_is_not_recorded(models_dir: Path, bundle: Bundle) -> None:
    with collecting() as collector:
        await traced(models_dir, collector, predict(traceparent=f"00-{TRACE}-{CALLER}-00"), predict())

    assert len(collector.named("POST /predict")) == 1
    assert TRACE not in {span.trace_id.hex() for span in collector.spans}


async def test_what_fails_says_how_and_how_far_it_came(models_dir: Path, bundle: Bundle) -> None:
    bad, nowhere = predict(data=picture(RED)[:60]), httpx.Request("GET", "http://it/" + "x" * 300)
    no_model = httpx.Request("POST", "http://it/models/nobody/predict", content=b"x", headers=predict().headers)
    with collecting() as collector:
        await traced(models_dir, collector, bad, nowhere, no_model)

    (failed,) = collector.named("POST /predict")
    (lost,) = collector.named("GET")
    (unknown,) = collector.named("POST /models/{name}/predict")
    assert attributes_of(failed)["finial.problem"] == "undecodable-picture"
    assert collector.below(failed) == ["receive", "queue", "decode"]
    assert len(attributes_of(lost)["url.path"]) == 200
    assert attributes_of(unknown)["http.response.status_code"] == 404
    assert {span.status.code for span in (failed, lost, unknown)} == {failed.status.STATUS_CODE_UNSET}


async def test_an_error_of_the_service_is_one_of_the_span(models_dir: Path, bundle: Bundle) -> None:
    settings = ServiceSettings(models_dir=models_dir, default_model="absent")
    with collecting() as collector:
        async with running_app(settings.model_copy(update={"otlp_endpoint": collector.url})) as (_, client):
            assert (await client.send(predict())).status_code == 503

    (span,) = collector.named("POST /predict")
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert attributes_of(span)["error.type"] == "model-not-loaded"


async def test_a_collector_that_is_not_there_changes_nothing_but_the_log(
    models_dir: Path, bundle: Bundle, tmp_path: Path
) -> None:
    """Nobody waits for it: neither a request, nor, for long, the end."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        environment = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
        log = tmp_path / "log"
        with running_process(models_dir, "--otlp-endpoint", nowhere, log=log, environment=environment) as service:
            service.wait_until_ready()
            with service.client() as client:
                for _ in range(20):
                    client.post("/predict", files={"file": picture(RED)}).raise_for_status()
            until(lambda: "opentelemetry" in log.read_text("utf-8"))
            assert service.stop() == 0

    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert {line["level"] for line in lines if "opentelemetry" not in str(line.get("logger"))} == {"info"}


@pytest.mark.slow
async def test_every_worker_sends_its_spans(models_dir: Path, bundle: Bundle) -> None:
    """Also of those whose service is named by OpenTelemetry's own variable, and who are refused at the door."""
    environment = {"OTEL_SERVICE_NAME": "pictures"}
    with collecting() as collector:
        options = ("--workers", "2", "--otlp-endpoint", f"{collector.url}/")
        with running_process(models_dir, *options, environment=environment) as service:
            service.wait_until_ready()
            for _ in range(10):
                with service.client() as client:
                    client.post("/predict", files={"file": picture(RED)}).raise_for_status()
            assert service.stop() == 0

    assert len(collector.named("POST /predict")) == 10
    assert set(collector.services) == {"pictures"}


def test_without_the_package_the_start_ends_with_its_name(models_dir: Path) -> None:
    hidden = "import sys; sys.modules['opentelemetry.sdk'] = None; from service.__main__ import main; "
    code = f"{hidden}sys.exit(main(['--models-dir', {str(models_dir)!r}, '--otlp-endpoint', 'http://localhost:4318']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "'opentelemetry.sdk" in done.stderr and "requirements/telemetry.txt" in done.stderr


def test_without_the_option_nothing_that_makes_spans_is_imported(models_dir: Path) -> None:
    """FastAPI itself imports OpenTelemetry's interface, which does nothing alone."""
    code = (
        "import sys; from pathlib import Path; from service.app import create_app; "
        "from service.settings import ServiceSettings; create_app(ServiceSettings(models_dir=Path(sys.argv[1]))); "
        "assert not {'opentelemetry.sdk', 'opentelemetry.exporter'} & sys.modules.keys()"
    )

    subprocess.run([sys.executable, "-c", code, str(models_dir)], cwd=ROOT, check=True)
