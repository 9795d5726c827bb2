"""What is told of an overload: how each request ended, and within how long."""

import math
from collections import Counter

from bench.load import LATE, LIMIT_S, Load, Refusal
from bench.overload import Overload, counted_between, outcomes
from bench.serving import parse_metrics

FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n\r\n"
    b'{"type": "urn:finial:problem:queue-full"}'
)
LOAD = Load(
    1.0,
    latencies_s=[0.2, 0.4],
    refusals=[Refusal(0.001, FULL), Refusal(0.003, FULL), Refusal(0.002, b"")],
    failures=Counter({"503": 2, "cut off": 1, LATE: 1}),
)


def an_overload(load: Load) -> Overload:
    return Overload(1.0, 0.01, 6, outcomes(load), {}, (1.0, 1.0), 0.1)


def test_every_request_that_was_due_has_an_end() -> None:
    found = an_overload(LOAD)

    assert found.fates == {"200": 2, "503 queue-full": 2, "cut off": 1, LATE: 1}
    assert [each.refusal.headers["retry-after"] for each in found.outcomes if each.refusal] == ["1", "1"]


def test_seconds_are_those_of_one_fate() -> None:
    found = an_overload(LOAD)

    assert math.isclose(found.seconds("200", 50), 0.3)
    assert found.seconds("503 ", 100) == 0.003
    assert found.seconds("504", 99) == 0
    assert found.seconds(LATE, 99) == LIMIT_S, "what never came took longer than anything else"


def test_what_the_service_counted_is_the_difference_of_two_looks() -> None:
    def told(route: str, status: int, count: int) -> str:
        return f'finial_requests_total{{route="{route}",status="{status}"}} {count}\n'

    before = parse_metrics(told("/predict", 200, 5) + told("/models", 200, 1))
    after = parse_metrics(told("/predict", 200, 8) + told("/predict", 503, 4) + told("/models", 200, 9))

    assert counted_between(before, after) == {"200": 3, "503": 4}
    assert counted_between(after, after) == {}
