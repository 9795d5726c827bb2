"""Balancer, Compose file, script and scrape configuration mean the same replicas, and the service's own limits."""

import re
from typing import Any

import pytest
import yaml

from service.settings import ServiceSettings
from tests.deploy.manifests import ROOT, containers, environment_of_image, manifest, quantity

DEPLOY = ROOT / "deploy"
CONFIGURATION = (DEPLOY / "haproxy" / "haproxy.cfg").read_text("utf-8")
SCRIPT = (DEPLOY / "replicas" / "roll.sh").read_text("utf-8")
PAGE = (ROOT / "docs" / "replicas.md").read_text("utf-8")
BEYOND_GRACE_S = 15
"""By which a limit of the end is above delay and grace (docs/operations.md, "Shutdown")."""
OF_ITS_OWN = {"ports", "cpus", "mem_limit", "environment", "stop_grace_period"}
"""What a replica has otherwise than the service of docker-compose.yml."""


def compose(path: str) -> dict[str, Any]:
    """The services of a Compose file."""
    services: dict[str, Any] = yaml.safe_load((ROOT / path).read_text("utf-8"))["services"]
    return services


def replicas() -> dict[str, dict[str, Any]]:
    """Those of deploy/replicas, by name."""
    services = compose("deploy/replicas/docker-compose.yml")
    return {name: each for name, each in services.items() if name.startswith("replica-")}


def said(pattern: str) -> list[str]:
    """What a pattern's group finds in the balancer's configuration, line by line."""
    return re.findall(pattern, CONFIGURATION, re.MULTILINE)


def number(setting: str) -> int:
    """Of a line of the balancer's configuration; seconds, where it is a time."""
    (found,) = said(rf"^ +{setting} (\d+)s?$")
    return int(found)


def check(option: str) -> float:
    """A word of the line about health checks."""
    (found,) = said(rf"^ +default-server check .*?\b{option} (\w+)")
    return float(found.removesuffix("ms")) / 1000 if found.endswith("ms") else float(found.removesuffix("s"))


def awaited() -> tuple[int, int]:
    """For how many seconds the balancer waits for a body, and of how many bytes at most."""
    ((seconds, most),) = re.findall(
        r"^ +http-request wait-for-body time (\d+)s if \{ req\.hdr\(Content-Length\),add\(0\) le (\d+) \}",
        CONFIGURATION,
        re.MULTILINE,
    )
    return int(seconds), int(most)


def variables() -> dict[str, str]:
    """What a replica finds in its environment."""
    (found,) = {tuple(each["environment"].items()) for each in replicas().values()}
    return environment_of_image("finial-service") | dict(found)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """What a replica makes of its environment."""
    for name, value in variables().items():
        monkeypatch.setenv(name, value)
    return ServiceSettings(models_dir=ROOT)


def test_all_name_the_same_replicas(settings: ServiceSettings) -> None:
    names = list(replicas())
    (looped,) = re.findall(r"for replica in (.*); do", SCRIPT)
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in scrapes()}

    assert said(r"^ +server (\S+) ") == names == looped.split()
    assert said(r"^ +server \S+ (\S+)$") == [f"{name}:{settings.port}" for name in names] == jobs["finial"]
    assert set(said(r"nbsrv\(replicas\) ge (\d+)") + said(r"of (\d+) replicas")) == {str(len(names))}
    assert compose("deploy/replicas/docker-compose.yml")["balancer"]["depends_on"] == names


def scrapes() -> list[dict[str, Any]]:
    config = yaml.safe_load((DEPLOY / "prometheus" / "replicas.yml").read_text("utf-8"))
    return list(config["scrape_configs"])


def test_the_balancers_ports_are_published_and_scraped() -> None:
    """Those for operators on this machine alone."""
    clients, operators = said(r"^ +bind :(\d+)$")
    published = compose("deploy/replicas/docker-compose.yml")["balancer"]["ports"]

    assert [port.rpartition(":")[2] for port in published] == [clients, operators]
    assert published[1].startswith("127.0.0.1:")
    assert scrapes()[1]["static_configs"] == [{"targets": [f"balancer:{operators}"]}]
    assert f":${{FINIAL_OPERATORS_PORT:-{operators}}}/ready" in SCRIPT


def test_a_replica_is_the_service_but_for_what_is_its_own() -> None:
    service = compose("docker-compose.yml")["service"]

    for name, replica in replicas().items():
        assert {key: value for key, value in replica.items() if key not in OF_ITS_OWN} == {
            key: value for key, value in service.items() if key not in OF_ITS_OWN
        }, name
        assert "ports" not in replica


def test_a_replica_takes_no_more_than_a_pod_does() -> None:
    (container,) = containers(manifest("service/deployment.yaml"))
    (memory,) = {each["mem_limit"] for each in replicas().values()}
    default = re.fullmatch(r"\$\{FINIAL_MEMORY:-(\d+)m\}", memory)

    assert default is not None
    assert int(default[1]) * 2**20 == quantity(container["resources"]["limits"]["memory"])


def test_whoever_ends_is_out_of_the_balancer_before_it_ends(settings: ServiceSettings) -> None:
    """The first look may come a whole interval after the signal, and each look may take as long again."""
    looks_s = check("inter") + (check("fall") - 1) * check("fastinter")

    assert settings.drain_delay_s >= 2 * looks_s
    (grace,) = {each["stop_grace_period"] for each in replicas().values()}
    assert int(grace.removesuffix("s")) >= settings.drain_delay_s + settings.grace_s + BEYOND_GRACE_S


def test_the_balancers_own_end_is_waited_for() -> None:
    """At SIGUSR1 it answers what is in flight; SIGTERM would cut it off."""
    balancer = compose("deploy/replicas/docker-compose.yml")["balancer"]

    assert balancer["stop_signal"] == "SIGUSR1"
    assert int(balancer["stop_grace_period"].removesuffix("s")) > number("hard-stop-after")


def test_what_the_service_takes_the_balancer_takes(settings: ServiceSettings) -> None:
    """Heads and bodies; that a large body is late is left to the service to say, and a small one is given as long."""
    assert number("tune.bufsize") >= 2 * settings.max_headers
    assert number("timeout http-request") == settings.headers_timeout_s
    assert awaited()[0] == settings.upload_timeout_s
    assert number("timeout client") > max(settings.upload_idle_s, settings.upload_timeout_s)
    assert number("timeout server") > settings.upload_timeout_s + settings.request_timeout_s
    assert number("timeout server") > settings.send_timeout_s


def test_what_is_awaited_fits_beside_a_head_where_it_can_be_sent_again() -> None:
    """And is no smaller than it need be."""
    largest = awaited()[1]

    assert number("tune.bufsize") * 0.9 < largest < number("tune.bufsize") - 4096


def test_connections_end_on_the_balancers_side_first(settings: ServiceSettings) -> None:
    """A request that is sent while the replica hangs up would be lost."""
    assert number("timeout http-keep-alive") < settings.keep_alive_s


def test_one_replica_is_never_sent_more_than_it_takes(settings: ServiceSettings) -> None:
    assert check("maxconn") < settings.max_connections


def test_the_page_has_the_configurations_numbers() -> None:
    """Those that it names."""
    assert f"`tune.bufsize` ({number('tune.bufsize')})" in PAGE
    assert f"`maxconn` of {check('maxconn'):.0f}" in PAGE
    seconds, most = awaited()
    assert f"bodies of up to {most:,} bytes" in PAGE
    assert f"not whole after {seconds} s" in PAGE
