"""Ten times more requests than can be answered: what is accepted is in time, the rest is told, all are counted."""

from pathlib import Path

import pytest

from bench.http_client import post
from bench.overload import overload
from bench.serving import serving
from tests.load.slow_model import slow_model
from tests.service.bundles import publish_bundle
from tests.service.pictures import picture

pytestmark = pytest.mark.slow

SECONDS, TIMES = 5.0, 10.0
DEADLINE_S, MAX_WAITING = 2.0, 8
MOST_GROWTH_MB = 6.0
REFUSED = ("503 queue-full", "503 wait-too-long")


def test_ten_times_too_many_requests_are_all_accounted_for(models_dir: Path) -> None:
    """`python -m bench.overload` does the same for longer with a real model, and prints milliseconds.

    Here the machine may be busy, so that only an order is asserted: a refusal comes sooner than an answer.
    """
    publish_bundle(models_dir, model=slow_model(products=12))
    options = ("--max-waiting", str(MAX_WAITING), "--request-timeout-s", str(DEADLINE_S))
    with serving(models_dir, *options) as service:
        service.wait_until_ready()
        found = overload(service, post(picture()), times=TIMES, seconds=SECONDS)
        refused = sum(service.metrics().total("finial_refused_total", reason=fate[4:]) for fate in REFUSED)
        assert service.stop() == 0

    fates, (before_mb, after_mb) = found.fates, found.memory_mb
    told = sum(fates[fate] for fate in REFUSED)
    assert set(fates) <= {"200", *REFUSED}
    assert fates.total() == found.due
    assert found.counted == {"200": fates["200"], "503": told}
    assert refused > told, "those of the warm-up come on top"
    assert told > 5 * fates["200"], "this was no overload"
    assert fates["200"] > found.capacity_per_s * SECONDS / 3, "it was busy refusing"
    assert found.seconds("200", 99) < DEADLINE_S
    assert found.seconds("503 ", 50) < found.seconds("200", 50)
    assert {each.refusal.headers["retry-after"] for each in found.outcomes if each.refusal} == {"1"}
    assert after_mb - before_mb < MOST_GROWTH_MB
    assert found.recovered_s < DEADLINE_S
