"""Ten times more requests than the service can answer: what becomes of each, how soon, and what it leaves behind.

    python -m bench.overload                              10 times its capacity for 30 s, MobileNetV2 (random weights)
    python -m bench.overload --runs 5 --seconds 10        five services, one after the other: medians and quartiles
    python -m bench.overload MODELS --seconds 300 --options --max-waiting 16 --request-timeout-s 2

Requests are due at a constant rate, whether or not earlier ones have been answered: clients that wait for each other
would hide the overload. Every latency counts from when its request was due, so that what waits in the client, for a
free connection or for the processor, has waited. What follows `--options` is for the service. Client and service share
the machine's cores.
"""

import argparse
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvloop

from bench.arguments import parse, service_arguments, tell
from bench.drawn import picture_of
from bench.http_client import Answer, Line, parse_answer, post
from bench.load import CUT, LATE, LIMIT_S, Load, closed_loop, open_loop
from bench.models import make_alone
from bench.serving import Metrics, Served, serving
from bench.spread import spread

WARM_UP_SHARE = 0.2
CONNECTIONS = 512  # half of the service's default bound; what finds none free waits in the client
NORMAL_WITHIN = 2.0  # times the median of a request that is alone
GIVE_UP_S = 30.0
_ACCEPTED, _REFUSED = "200", "503 "  # because the line is full, or too long for the deadline


@dataclass(frozen=True)
class Outcome:
    """How a request ended.

    Attributes:
        fate: `200`, a problem's status and slug, or what became of it without an answer.
        seconds: since it was due; if it never ended, how long was waited for it.
        refusal: the answer, where it was not 200.
    """

    fate: str
    seconds: float
    refusal: Answer | None = None


@dataclass(frozen=True)
class Overload:
    """What a service did under too many requests; seconds count from when a request was due, memory in 10^6 bytes."""

    capacity_per_s: float
    alone_s: float
    due: int
    outcomes: list[Outcome]
    counted: dict[str, float]
    """By status, what the service itself counted meanwhile."""
    memory_mb: tuple[float, float]
    recovered_s: float

    @property
    def fates(self) -> Counter[str]:
        """How many requests met which fate."""
        return Counter(each.fate for each in self.outcomes)

    def seconds(self, fate: str, percentile: float) -> float:
        """Within how many seconds that share of those whose fate begins so had their answers; 0 if there are none."""
        found = [each.seconds for each in self.outcomes if each.fate.startswith(fate)]
        return float(np.percentile(found, percentile)) if found else 0.0


def overload(service: Served, request: bytes, *, times: float, seconds: float) -> Overload:
    """Find out what a service can answer, then ask so many times that for so long.

    A fifth of it comes before memory is looked at first: then every buffer has its size.
    """
    alone_s = uvloop.run(_alone_s(service.port, request))
    capacity = closed_loop(service.port, request, callers=8, seconds=max(2.0, seconds * 0.1), warm_s=0.3)
    per_s = times * capacity.answered / capacity.seconds
    arriving(service.port, request, per_s=per_s, seconds=seconds * WARM_UP_SHARE)
    before, before_mb = service.metrics(), service.memory_mb()
    load = arriving(service.port, request, per_s=per_s, seconds=seconds)
    counted = counted_between(before, service.metrics())
    last_due_s = load.watched[1]
    recovered_s = uvloop.run(_recovery_s(service.port, request, last_due_s, normal_s=NORMAL_WITHIN * alone_s))
    due, memory_mb = int(per_s * seconds), (before_mb, service.memory_mb())
    return Overload(per_s / times, alone_s, due, outcomes(load), counted, memory_mb, recovered_s)


def arriving(port: int, request: bytes, *, per_s: float, seconds: float) -> Load:
    """Requests that are due at a constant rate, all waited for; `watched` says when that began and ended."""
    return open_loop(port, request, callers=CONNECTIONS, per_s=per_s, seconds=seconds, warm_s=0.0)


def outcomes(load: Load) -> list[Outcome]:
    """Of every request that was due."""
    answered = [Outcome(_ACCEPTED, seconds) for seconds in load.latencies_s]
    return (
        answered
        + [_refused(each.answer, each.seconds) for each in load.refusals]
        + [Outcome(LATE, LIMIT_S)] * load.failures[LATE]
    )


def _refused(answer: bytes, seconds: float) -> Outcome:
    if not answer:
        return Outcome(CUT, seconds)
    refusal = parse_answer(answer)
    return Outcome(refusal.fate, seconds, refusal)


async def _alone_s(port: int, request: bytes) -> float:
    with Line(port) as line:
        return float(np.median([(await line.ask(request)).seconds for _ in range(20)]))


async def _recovery_s(port: int, request: bytes, last_due_s: float, *, normal_s: float) -> float:
    """From when the last request was due until one is answered as if it were alone."""
    with Line(port) as line:
        while time.monotonic() - last_due_s < GIVE_UP_S:
            asked = await line.ask(request)
            if asked.fate == _ACCEPTED and asked.seconds <= normal_s:
                break
    return time.monotonic() - last_due_s


def counted_between(before: Metrics, after: Metrics) -> dict[str, float]:
    """Requests for predictions that the service has ended between two looks, by status."""
    earlier = before.by("finial_requests_total", "status", route="/predict")
    later = after.by("finial_requests_total", "status", route="/predict")
    return {status: more for status, count in later.items() if (more := count - earlier.get(status, 0.0))}


def main() -> None:
    """Print what became of the requests of each run, medians and quartiles, and one JSON object at the end."""
    given = _arguments()
    request = post(picture_of(given.picture))
    backbone = "nano" if given.quick else "mobilenet_v2"
    models = given.models or make_alone(given.folder, backbone=backbone, cache_dir=given.cache_dir)
    runs = []
    for _ in range(given.runs):
        with serving(models, *given.options) as service:
            service.wait_until_ready()
            found = overload(service, request, times=given.times, seconds=given.seconds)
        runs.append(_figures(found, given.seconds))
        print(", ".join(f"{name} {value}" for name, value in (runs[-1] | _fates(found)).items()), flush=True)
    for name in runs[0]:
        print(f"{name:>22}  {spread([each[name] for each in runs]):.1f}")
    tell({"seconds": given.seconds, "runs": runs}, given)


def _figures(found: Overload, seconds: float) -> dict[str, float]:
    before_mb, after_mb = found.memory_mb
    return {
        "capacity_per_s": round(found.capacity_per_s, 1),
        "due_per_s": round(found.due / seconds, 1),
        "accepted_per_s": round(found.fates[_ACCEPTED] / seconds, 1),
        "alone_ms": round(found.alone_s * 1000, 1),
        **{f"accepted_p{p}_ms": round(found.seconds(_ACCEPTED, p) * 1000, 1) for p in (50, 99)},
        **{f"refused_p{p}_ms": round(found.seconds(_REFUSED, p) * 1000, 1) for p in (50, 99)},
        "memory_before_mb": round(before_mb, 1),
        "memory_after_mb": round(after_mb, 1),
        "recovered_s": round(found.recovered_s, 3),
    }


def _fates(found: Overload) -> dict[str, object]:
    return {"due": found.due, "fates": dict(found.fates), "counted_by_service": found.counted}


def _arguments() -> argparse.Namespace:
    parser = service_arguments(__doc__)
    parser.add_argument("models", nargs="?", type=Path, help="folder of models; default: one is made")
    parser.add_argument("--times", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=30.0, help="of every run")
    parser.add_argument("--runs", type=int, default=1, help="each with a service of its own")
    return parse(parser, seconds=4.0)


if __name__ == "__main__":
    main()
