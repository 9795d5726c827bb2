"""Several workers, one page."""

import pytest

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
