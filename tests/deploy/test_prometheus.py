"""Alerts and dashboard ask for what there is, and say what they mean; Prometheus' own programs agree."""

import contextlib
import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from shared.bundle import Bundle
from tests.deploy.told import REFERENCE, Told
from tests.service.bundles import publish_bundle
from tests.service.pictures import RED, picture
from tests.service.running import running_process
from tests.service.waiting import until

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES, TESTS = DEPLOY / "prometheus" / "alerts.yml", DEPLOY / "prometheus" / "alerts_test.yml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "finial.json").read_text("utf-8"))
OPERATIONS = (DEPLOY.parent / "docs" / "operations.md").read_text("utf-8")
OF_PROMETHEUS_ITSELF = {"up"}
NAME = re.compile(r"\b(?:finial|process)_[a-z0-9_]+\b|\bup\b")


def alerts() -> dict[str, str]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def panels() -> Iterator[dict[str, Any]]:
    return (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def queries() -> dict[str, str]:
    """Every expression of the dashboard with its variables filled in, by where it stands."""
    found = {f"{panel['title']} {each['refId']}": each["expr"] for panel in panels() for each in panel["targets"]}
    found |= {each["name"]: each["expr"] for each in DASHBOARD["annotations"]["list"]}
    return {where: re.sub(r"\$\w+", ".*", expr.replace("$__rate_interval", "5m")) for where, expr in found.items()}


@contextlib.contextmanager
def running_prometheus(program: str, folder: Path, port: int) -> Iterator[Callable[[str], list[float]]]:
    """Prometheus on the example's configuration, in a hurry; yields what asks it for the values of an expression."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms", "scrape_timeout": "500ms"}
    config["rule_files"] = [str(RULES)]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = {"config.file": "prometheus.yml", "storage.tsdb.path": "data", "web.listen-address": address}
    command = [program, *(f"--{name}={value}" for name, value in options.items())]
    with (
        subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process,
        httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=30) as client,
    ):
        try:
            until(lambda: answers(client), within_s=30)
            yield lambda expression: values(client.get("/api/v1/query", params={"query": expression}))
        finally:
            process.terminate()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").is_success
    except httpx.TransportError:
        return False


def values(answer: httpx.Response) -> list[float]:
    found = answer.raise_for_status().json()["data"]["result"]
    return [float(one["value"][1]) for one in found]


def promql_of_the_docs() -> list[str]:
    return re.findall(r"```promql\n(.*?)```", OPERATIONS, re.DOTALL)


def run(*command: str | Path, given: str | None = None) -> None:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.anyio
async def test_every_metric_that_is_asked_for_is_told(told: Told) -> None:
    """A renamed metric would leave an alert that never fires."""
    for where, expression in (alerts() | queries()).items():
        assert set(NAME.findall(expression)) <= told.series | OF_PROMETHEUS_ITSELF, where


@pytest.mark.anyio
async def test_metrics_are_as_prometheus_wishes_them(told: Told, promtool: str) -> None:
    run(promtool, "check", "metrics", given=told.text)


def test_rules_are_valid_and_fire_where_they_must(promtool: str) -> None:
    run(promtool, "check", "config", DEPLOY / "prometheus" / "prometheus.yml")
    run(promtool, "test", "rules", TESTS)


def test_every_alert_is_tested_and_explained() -> None:
    tested = set(re.findall(r"alertname: (\w+)", TESTS.read_text("utf-8")))
    explained = re.findall(r"^\| `(Finial\w+)` \|", OPERATIONS, re.MULTILINE)

    assert tested == alerts().keys()
    assert sorted(explained) == sorted(alerts())


def test_every_query_of_the_dashboard_parses(promtool: str, tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": expr} for number, expr in enumerate(queries().values())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    run(promtool, "check", "rules", file)


def test_the_queries_of_the_docs_parse(promtool: str, tmp_path: Path) -> None:
    found = promql_of_the_docs()
    file = tmp_path / "rules.yml"
    rules = [{"record": f"query:{number}", "expr": expr} for number, expr in enumerate(found)]
    file.write_text(yaml.safe_dump({"groups": [{"name": "docs", "rules": rules}]}))

    assert found
    run(promtool, "check", "rules", file)


def test_the_dashboard_is_whole() -> None:
    """Grafana is not run here: this is what its import needs, and that no panel covers another."""
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(set(numbers)) == len(numbers)
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) == 23
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource", "job", "model"}
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels())
    assert all(panel["targets"] and panel["title"] and panel["description"] for panel in panels())


@pytest.mark.anyio
async def test_the_metrics_of_the_docs_are_those_that_are_told(told: Told) -> None:
    """Names and labels both, so that nobody writes an alert on what is not there."""
    section = OPERATIONS.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `finial")]
    listed = {name: labels for row in rows for name, labels in re.findall(r"`(finial_\w+)(?:\{([\w,]+)\})?`", row)}

    assert listed.keys() == {name for name in told.names if name.startswith("finial")}
    for name, labels in listed.items():
        found = told.labels(name)
        assert not found or found == set(labels.split(",")) - {"", "worker"}, name


@pytest.mark.slow
def test_prometheus_itself_sees_a_service_its_drift_and_an_alert(
    models_dir: Path, prometheus: str, tmp_path: Path
) -> None:
    """A live service with two workers: counts of both, the distance as the docs ask for it, and the rules."""
    bundle: Bundle = publish_bundle(models_dir, reference=REFERENCE)
    distance, *_ = promql_of_the_docs()
    with (
        running_process(models_dir, "--workers", "2") as service,
        running_prometheus(prometheus, tmp_path, service.port) as ask,
    ):
        service.wait_until_ready()
        until(lambda: ask("sum(finial_predictions_total)") == [0.0])
        with service.client() as client:
            for _ in range(250):
                client.post("/predict", files={"file": picture(RED)}).raise_for_status()
        until(lambda: ask("sum(finial_predictions_total)") == [250.0])
        until(lambda: ask(f"round({distance}, 0.001)") == [0.667])
        until(lambda: ask(f'count(finial_generation_info{{version="{bundle.version}"}})') == [2.0])
        until(lambda: ask('up{job="finial"}') == [1.0])  # a scrape may be late on a busy machine
        assert ask(alerts()["FinialNotReady"]) == []
        assert service.stop() == 0
        until(lambda: ask(alerts()["FinialDown"]) == [0.0])
        until(lambda: ask('ALERTS{alertname="FinialDown"}') == [1.0])
