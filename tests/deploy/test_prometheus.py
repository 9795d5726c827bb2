"""Alerts and dashboard ask for what there is, and say what they mean; Prometheus' own programs agree."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.bundle import Bundle
from tests.deploy.prometheus import DEPLOY, NAME, run, running_prometheus
from tests.deploy.told import REFERENCE, Told
from tests.service.bundles import publish_bundle
from tests.service.pictures import RED, picture
from tests.service.running import running_process
from tests.service.waiting import until

RULES, TESTS = DEPLOY / "prometheus" / "alerts.yml", DEPLOY / "prometheus" / "alerts_test.yml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "finial.json").read_text("utf-8"))
OPERATIONS = (DEPLOY.parent / "docs" / "operations.md").read_text("utf-8")
SCALING = (DEPLOY.parent / "docs" / "scaling.md").read_text("utf-8")
OF_PROMETHEUS_ITSELF = {"up"}


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


def example(port: int) -> dict[str, Any]:
    """The example's configuration, for a service on a port of this machine."""
    config: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    return config


def promql_of_the_docs() -> list[str]:
    return [found for page in (OPERATIONS, SCALING) for found in re.findall(r"```promql\n(.*?)```", page, re.DOTALL)]


@pytest.mark.anyio
async def test_every_metric_that_is_asked_for_is_told(told: Told) -> None:
    """A renamed metric would leave an alert that never fires."""
    of_the_docs = {f"docs {number}": expression for number, expression in enumerate(promql_of_the_docs())}
    for where, expression in (alerts() | queries() | of_the_docs).items():
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
        running_prometheus(prometheus, tmp_path, example(service.port), rules=[RULES]) as ask,
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
