"""What is read of a service from outside."""

import os

import pytest

from bench.serving import parse_metrics, processor_s, resident_mb

TEXT = """# HELP requests_total Answers.
# TYPE requests_total counter
requests_total{route="/predict",status="200"} 5.0
requests_total{route="/predict",status="503"} 7.0
requests_total{status="200",route="/models"} 1.0
info{labels="a, \\"b\\" {c}",model="m"} 1.0
lanes 2.0
"""


def test_metrics_are_summed_over_the_labels_that_are_not_named() -> None:
    metrics = parse_metrics(TEXT)

    assert metrics.total("requests_total") == 13
    assert metrics.total("requests_total", status="200") == 6
    assert metrics.total("lanes") == 2
    assert metrics.total("nothing") == 0
    assert metrics.total("info", model="m") == 1
    assert metrics.by("requests_total", "status", route="/predict") == {"200": 5, "503": 7}


def test_memory_and_processor_time_are_those_of_the_process() -> None:
    """A page more is a page more; the unit is 10^6 bytes."""
    before_mb = resident_mb(os.getpid())
    block = bytearray(os.urandom(32_000_000))

    assert resident_mb(os.getpid()) - before_mb == pytest.approx(len(block) / 1e6, abs=8)
    assert 0 < processor_s(os.getpid()) <= sum(os.times()[:2]) + 0.1
    assert resident_mb(2**22 + 1) == 0
