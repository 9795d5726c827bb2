"""Schemathesis reads /openapi.json and sends whatever it allows, and what it does not, to the real program."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.serving import parse_metrics
from service.key_file import entry_of, new_key, with_key
from tests.integration import schemathesis_hooks
from tests.service.bundles import publish_bundle
from tests.service.running import ServiceProcess, running_process

CONFIG = """
[checks]
# A client may give itself a millisecond, and is then told that it has passed.
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "504"]
# No schema can say which bytes are a picture (413, 415, 422), nor what there is to go back to (409).
positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "413", "415", "422", "504"]

[[operations]]
# Nor which labels a model has.
include-path-regex = "explain$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "413", "415", "422", "504"]

[[operations]]
# Nor that a tensor's bytes are as many as its shape says.
include-tag = "open inference"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "413", "415", "422", "504"]
"""
EXAMPLES, SEED = 20, 20_260_101
KEY = new_key()
"""Without keys admin verbs are closed; with them, every other route is asked without one as well."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    models_dir = tmp_path_factory.mktemp("models")
    for name in ("colours", "cracks"):
        publish_bundle(models_dir, name)
    log, keys = models_dir.parent / "service.log", models_dir.parent / "keys.toml"
    keys.write_text(with_key(keys, "", "schemathesis", entry_of(KEY, rights=["admin", "predict"])))
    with running_process(models_dir, "--default-model", "colours", "--api-keys", str(keys), log=log) as process:
        process.wait_until_ready()
        yield process
        assert process.stop() == 0
    assert "Traceback" not in log.read_text("utf-8")


@pytest.mark.slow
def test_schemathesis_finds_nothing(service: ServiceProcess, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"]
    options = ["--checks", "all", "--max-examples", str(EXAMPLES), "--seed", str(SEED), "--continue-on-failure"]
    # `ignored_auth` leaves the right key in one header while it puts a wrong one into the other: see test_keys.py.
    options += ["--header", f"X-Api-Key: {KEY}", "--exclude-checks", "ignored_auth"]
    done = subprocess.run(
        [*command, "--config-file", "schemathesis.toml", "run", f"{service.url}/openapi.json", *options],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(Path(schemathesis_hooks.__file__))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    selected, total = map(int, re.findall(r"(\d+) selected / (\d+) total", done.stdout)[0])
    with service.client() as client:
        assert selected == total == sum(len(verbs) for verbs in client.get("/openapi.json").json()["paths"].values())
        metrics = parse_metrics(client.get("/metrics").text)
    for route in ("/predict", "/models/{name}/predict"):
        answered = metrics.total("finial_requests_total", route=route, status=str(httpx.codes.OK.value))
        assert answered > EXAMPLES / 2, "pictures reach the model"
