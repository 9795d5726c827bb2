"""Several workers, one page."""

import math

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from service.worker_metrics import join_workers

ONE = b"""# HELP finial_requests_total Requests by route and status.
# TYPE finial_requests_total counter
finial_requests_total{route="/predict",status="200"} 3.0
# HELP finial_lanes Cores that requests may use.
# TYPE finial_lanes gauge
finial_lanes 2.0
"""


def test_every_sample_says_whose_it_is_and_every_family_comes_once() -> None:
    text = join_workers({"0": ONE, "1": ONE.replace(b"3.0", b"4.0")}).decode()

    assert 'finial_requests_total{route="/predict",status="200",worker="0"} 3.0' in text
    assert 'finial_requests_total{route="/predict",status="200",worker="1"} 4.0' in text
    assert text.count("# TYPE finial_requests_total counter") == 1
    assert text.count("# TYPE finial_lanes gauge") == 1


@pytest.mark.parametrize("text", [b"finial_lanes 2.0\nfinial_requests_total{rou", b"finial_lanes two\n", b"\xff\xfe"])
def test_a_worker_that_talks_nonsense_is_counted_and_the_others_are_heard(text: bytes) -> None:
    joined = join_workers({"0": ONE, "1": text}).decode()

    assert 'finial_worker_up{worker="1"} 0.0' in joined
    assert 'finial_lanes{worker="0"} 2.0' in joined
    assert 'finial_lanes{worker="1"}' not in joined


def test_a_worker_that_does_not_answer_is_counted() -> None:
    text = join_workers({"0": ONE, "1": None}).decode()

    assert 'finial_worker_up{worker="0"} 1.0' in text
    assert 'finial_worker_up{worker="1"} 0.0' in text
    assert 'finial_lanes{worker="1"}' not in text


def test_the_page_says_what_the_texts_said_and_nothing_else() -> None:
    """By the parser of the format's own library: labels with commas, braces, quotes and line ends, and histograms."""
    registry = CollectorRegistry()
    odd = Counter("odd", "With {braces}, \\ and\na line end.", ("label",), registry=registry)
    for label in ('a,b="c"', "} 1", "x\ny", "\\", "\u2028 \x85", "# HELP no"):
        odd.labels(label).inc(2.5e30)
    Histogram("times", "In s.", ("stage",), registry=registry).labels("run").observe(0.3)
    for value in (math.inf, -math.inf, math.nan, -1e-9):
        Gauge(f"value_{len(list(registry.collect()))}", "Any.", registry=registry).set(value)
    Gauge("none", "Told, but nothing is.", ("of",), registry=registry)
    text = generate_latest(registry)

    joined = list(text_string_to_metric_families(join_workers({"0": text, "7": text}).decode()))

    for worker in ("0", "7"):
        assert [of(family, worker) for family in joined[1:]] == [
            of(family) for family in text_string_to_metric_families(text.decode())
        ]


def of(family: Metric, worker: str | None = None) -> tuple[str, str, str, list[str]]:
    """A family with its samples, of one worker and without its name."""
    mine = [sample for sample in family.samples if sample.labels.get("worker") == worker]
    bare = [sample._replace(labels={k: v for k, v in sample.labels.items() if k != "worker"}) for sample in mine]
    return family.name, family.documentation, family.type, [str(sample) for sample in bare]
