"""Ten times more requests than the service can answer: what becomes of each, how soon, and what it leaves behind.

    python -m bench.overload                              10 times its capacity for 30 s, MobileNetV2 (random weights)
    python -m bench.overload MODELS --seconds 300 --options --max-waiting 16 --request-timeout-s 2

Requests arrive at a steady rate, whether or not earlier ones have been answered: clients that wait for each other would
hide the overload. What follows `--options` is for the service. Client and service share the machine's cores.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvloop

from bench.arguments import service_arguments, tell
from bench.drawn import picture_of
from bench.http_client import Ledger, Line, arriving, asking, post
from bench.models import make_bundle
from bench.serving import Metrics, Served, serving

WARM_UP_SHARE = 0.2
NORMAL_WITHIN = 2.0  # times the median of a request that is alone
GIVE_UP_S = 30.0
_ACCEPTED, _REFUSED = "200", "503 "  # because the line is full, or too long for the deadline


@dataclass(frozen=True)
class Overload:
    """What a service did under too many requests; seconds as the client has them, memory in 10^6 bytes."""

    capacity_per_s: float
    alone_s: float
    ledger: Ledger
    counted: dict[str, float]
    """By status, what the service itself counted meanwhile."""
    memory_mb: tuple[float, float]
    recovered_s: float

    def seconds(self, fate: str, percentile: float) -> float:
        """Within how many seconds that share of those whose fate begins so had their answers; 0 if there are none."""
        found = [asked.seconds for asked in self.ledger.asked if asked.fate.startswith(fate)]
        return float(np.percentile(found, percentile)) if found else 0.0


async def overload(service: Served, request: bytes, *, times: float, seconds: float) -> Overload:
    """Find out what a service can answer, then ask so many times that for so long.

    A fifth of it comes before memory is looked at first: then every buffer has its size.
    """
    with Line(service.port) as line:
        alone_s = float(np.median([(await line.ask(request)).seconds for _ in range(20)]))
    capacity = await _capacity_per_s(service, request, seconds=max(2.0, seconds * 0.1))
    await arriving(service.port, request, per_s=times * capacity, seconds=seconds * WARM_UP_SHARE)
    before, before_mb = service.metrics(), service.memory_mb()
    ledger = await arriving(service.port, request, per_s=times * capacity, seconds=seconds)
    counted = _counted_between(before, service.metrics())
    recovered_s = await _recovery_s(service, request, ledger, normal_s=NORMAL_WITHIN * alone_s)
    return Overload(capacity, alone_s, ledger, counted, (before_mb, service.memory_mb()), recovered_s)


async def _capacity_per_s(service: Served, request: bytes, *, seconds: float) -> float:
    """Answers a second when there is always enough to do, and no more."""
    async with asking(service.port, [request], clients=8) as ledger:
        await asyncio.sleep(seconds)
        answered = ledger.fates[_ACCEPTED]
    return answered / seconds


async def _recovery_s(service: Served, request: bytes, ledger: Ledger, *, normal_s: float) -> float:
    """From the last arrival until a request is answered as if it were alone."""
    last_arrival = max(asked.sent_at for asked in ledger.asked)
    with Line(service.port) as line:
        while time.monotonic() - last_arrival < GIVE_UP_S:
            asked = await line.ask(request)
            if asked.fate == _ACCEPTED and asked.seconds <= normal_s:
                break
    return time.monotonic() - last_arrival


def _counted_between(before: Metrics, after: Metrics) -> dict[str, float]:
    earlier = before.by("finial_requests_total", "status", route="/predict")
    later = after.by("finial_requests_total", "status", route="/predict")
    return {status: more for status, count in later.items() if (more := count - earlier.get(status, 0.0))}


def main() -> None:
    """Print what became of the requests and one JSON object at the end."""
    arguments = _arguments()
    request = post(picture_of(arguments.picture))
    models = arguments.models or _made(arguments)
    with serving(models, *arguments.options) as service:
        service.wait_until_ready()
        found = uvloop.run(overload(service, request, times=arguments.times, seconds=arguments.seconds))
    figures = _figures(found, arguments.seconds)
    for name, value in figures.items():
        print(f"{name:>22}  {value}")
    tell(figures, arguments)


def _made(arguments: argparse.Namespace) -> Path:
    """A folder with one model."""
    backbone = "nano" if arguments.quick else "mobilenet_v2"
    models: Path = arguments.folder / f"alone-{backbone}"
    make_bundle(models, backbone=backbone, cache_dir=arguments.cache_dir)
    return models


def _figures(found: Overload, seconds: float) -> dict[str, object]:
    before_mb, after_mb = found.memory_mb
    return {
        "capacity_per_s": round(found.capacity_per_s, 1),
        "arrived_per_s": round(found.ledger.begun / seconds, 1),
        "accepted_per_s": round(found.ledger.fates[_ACCEPTED] / seconds, 1),
        "fates": dict(found.ledger.fates),
        "counted_by_service": found.counted,
        "alone_ms": round(found.alone_s * 1000, 1),
        **{f"accepted_p{p}_ms": round(found.seconds(_ACCEPTED, p) * 1000, 1) for p in (50, 99)},
        **{f"refused_p{p}_ms": round(found.seconds(_REFUSED, p) * 1000, 1) for p in (50, 99)},
        "memory_before_mb": round(before_mb, 1),
        "memory_after_mb": round(after_mb, 1),
        "recovered_s": round(found.recovered_s, 3),
    }


def _arguments() -> argparse.Namespace:
    parser = service_arguments(__doc__)
    parser.add_argument("models", nargs="?", type=Path, help="folder of models; default: one is made")
    parser.add_argument("--times", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    given = parser.parse_args()
    if given.quick:
        given.seconds = 4.0
    return given


if __name__ == "__main__":
    main()
