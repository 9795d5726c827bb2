"""What autoscaling asks for is told by the service, and both ways to scale ask for the same."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import ServiceSettings
from tests.deploy.manifests import containers, labels_of_pods, manifest, place, quantity
from tests.deploy.prometheus import DEPLOY, NAME, run, running_prometheus
from tests.deploy.told import Told
from tests.service.bundles import publish_bundle
from tests.service.pictures import RED, picture
from tests.service.running import running_process
from tests.service.waiting import until

FOLDER = DEPLOY / "prometheus"
CALLERS = 8  # for one lane
RECORDING, TESTS = FOLDER / "recording.yml", FOLDER / "recording_test.yml"
AUTOSCALER = manifest("components/autoscaling/autoscaler.yaml").content["spec"]
SCALED_OBJECT = manifest("components/autoscaling-keda/scaled-object.yaml").content["spec"]


def recorded() -> dict[str, str]:
    groups = yaml.safe_load(RECORDING.read_text("utf-8"))["groups"]
    return {rule["record"]: rule["expr"] for group in groups for rule in group["rules"]}


def scrape_config() -> dict[str, Any]:
    (found,) = yaml.safe_load((FOLDER / "kubernetes.yml").read_text("utf-8"))["scrape_configs"]
    return dict(found)


@pytest.mark.anyio
async def test_the_recorded_expression_asks_for_what_is_told(told: Told) -> None:
    (expression,) = recorded().values()

    assert set(NAME.findall(expression)) <= told.series
    assert told.labels("finial_leases_total") == {"outcome"}
    assert re.search(r'^finial_leases_total{.*outcome="granted".*} [1-9]', told.text, re.MULTILINE)


def test_the_recorded_value_is_the_wait(promtool: str) -> None:
    """Of all replicas; as long for many refusals as for few; 0 while nobody asks, none where nobody can be scraped."""
    run(promtool, "test", "rules", TESTS)


def test_adapter_and_autoscaler_mean_the_same() -> None:
    (record,) = recorded()
    (rule,) = yaml.safe_load((FOLDER / "adapter.yml").read_text("utf-8"))["externalRules"]
    external, processor = AUTOSCALER["metrics"]

    assert f'__name__="{record}"' in rule["seriesQuery"]
    assert rule["name"]["as"] == external["external"]["metric"]["name"]
    assert processor["resource"]["name"] == "cpu"


def test_keda_asks_for_the_same_with_the_same_bounds() -> None:
    (record,) = recorded()
    prometheus, processor = SCALED_OBJECT["triggers"]
    external, resource = AUTOSCALER["metrics"]

    assert prometheus["metadata"]["query"] == f'max({record}{{namespace="{place()["namespace"]}"}})'
    assert float(prometheus["metadata"]["threshold"]) == quantity(external["external"]["target"]["value"])
    assert prometheus["metricType"] == external["external"]["target"]["type"]
    assert processor["metadata"]["value"] == str(resource["resource"]["target"]["averageUtilization"])
    bounds = (SCALED_OBJECT["minReplicaCount"], SCALED_OBJECT["maxReplicaCount"])
    assert bounds == (AUTOSCALER["minReplicas"], AUTOSCALER["maxReplicas"])
    assert SCALED_OBJECT["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == AUTOSCALER["behavior"]
    assert SCALED_OBJECT["scaleTargetRef"] == AUTOSCALER["scaleTargetRef"]


def test_what_is_scaled_is_the_deployment_which_leaves_its_number_open() -> None:
    """Else every `apply` would set the number back."""
    deployment = manifest("service/deployment.yaml")
    target = {"apiVersion": "apps/v1", "kind": deployment.kind, "name": deployment.name}

    assert AUTOSCALER["scaleTargetRef"] == target
    for component in ("autoscaling", "autoscaling-keda"):
        assert manifest(f"components/{component}/deployment.yaml").content["spec"] == {"replicas": None}


def test_the_wait_that_adds_replicas_is_far_below_the_deadline() -> None:
    """Who is added when deadlines pass is added too late."""
    target_s = quantity(AUTOSCALER["metrics"][0]["external"]["target"]["value"])

    assert target_s <= ServiceSettings.model_construct().request_timeout_s / 20


def test_pods_are_found_by_the_labels_that_they_have(promtool: str, tmp_path: Path) -> None:
    """Debian's Prometheus knows no Kubernetes, so the labels that it would find are given to it."""
    config = {"scrape_configs": [with_pods(scrape_config(), "127.0.0.1:1")]}
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))

    run(promtool, "check", "config", tmp_path / "prometheus.yml")


def with_pods(config: dict[str, Any], target: str) -> dict[str, Any]:
    """A scrape configuration with a replica in place of its discovery, and pods beside it that nobody is to scrape."""
    replica, predictor, trainer = (
        found_as(labels_of_pods(manifest(where)))
        for where in ("service/deployment.yaml", "kserve/runtime.yaml", "training/cronjob.yaml")
    )
    pods = [
        (target, replica),
        ("127.0.0.1:9", replica | {"__meta_kubernetes_pod_phase": "Failed"}),  # evicted, and still in the list
        ("127.0.0.1:10", predictor | {"__meta_kubernetes_pod_phase": "Succeeded"}),
        ("127.0.0.1:11", trainer),
        ("127.0.0.1:12", {"__meta_kubernetes_namespace": "other"}),
    ]
    without = {name: value for name, value in config.items() if name != "kubernetes_sd_configs"}
    assert config["kubernetes_sd_configs"] == [{"role": "pod"}]
    return without | {"static_configs": [{"targets": [address], "labels": labels} for address, labels in pods]}


def found_as(labels: dict[str, str]) -> dict[str, str]:
    """What the discovery says of a pod that runs."""
    (port,) = containers(manifest("service/deployment.yaml"))[0]["ports"]
    return {f"__meta_kubernetes_pod_label_{_label(name)}": text for name, text in labels.items()} | {
        "__meta_kubernetes_namespace": place()["namespace"],
        "__meta_kubernetes_pod_name": "finial-0",
        "__meta_kubernetes_pod_phase": "Running",
        "__meta_kubernetes_pod_container_port_name": port["name"],
    }


def test_replicas_of_both_ways_to_serve_are_found() -> None:
    """The Deployment's, and KServe's, which have labels of their own so that neither's Service takes the other's."""
    keep = next(rule for rule in scrape_config()["relabel_configs"] if rule["action"] == "keep")

    def is_kept(where: str) -> bool:
        found = found_as(labels_of_pods(manifest(where)))
        return re.fullmatch(keep["regex"], ";".join(found[label] for label in keep["source_labels"])) is not None

    assert {port["name"] for port in containers(manifest("kserve/runtime.yaml"))[0]["ports"]} == {"http"}
    assert is_kept("service/deployment.yaml") and is_kept("kserve/runtime.yaml")
    assert not is_kept("training/cronjob.yaml")


def _label(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


@pytest.mark.slow
def test_prometheus_itself_answers_what_autoscaling_asks(models_dir: Path, prometheus: str, tmp_path: Path) -> None:
    """A live service, found as a pod would be: nobody asks, then many wait, and KEDA's query has a value."""
    publish_bundle(models_dir)
    query = SCALED_OBJECT["triggers"][0]["metadata"]["query"]
    with running_process(models_dir, "--lanes", "1") as service:
        config = {"scrape_configs": [with_pods(scrape_config(), f"127.0.0.1:{service.port}")]}
        with running_prometheus(prometheus, tmp_path, config, rules=[RECORDING]) as ask, service.client() as client:
            service.wait_until_ready()
            until(lambda: ask(query) == [0.0], within_s=60)
            assert ask("count(up)") == [1.0]

            def ask_one(_: int) -> None:
                client.post("/predict", files={"file": picture(RED)}).raise_for_status()

            def asked_and_waited() -> bool:
                with ThreadPoolExecutor(CALLERS) as callers:
                    list(callers.map(ask_one, range(10 * CALLERS)))
                return any(value > 0 for value in ask(query))

            until(asked_and_waited, within_s=60)
