"""Every counter of /metrics equals what a client counted itself, to the unit, whatever it sent and however it left."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.serving import Metrics, parse_metrics
from tests.service.bundles import colour_model, publish_bundle
from tests.service.pictures import BLUE, GREEN, RED, picture
from tests.service.running import ServiceProcess, running_process

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

REQUESTS, AT_ONCE = 250, 8
MAX_UPLOAD = 5000
PREDICT, PREDICT_WITH = "/predict", "/models/{name}/predict"
REFUSALS = {408, 413, 429, 431, 503, 504}
LEFT = 499


@dataclass
class Own:
    """What the client counted."""

    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    unfamiliar: int = 0
    run: int = 0  # answers with at least one prediction

    def note(self, route: str, answer: httpx.Response) -> None:
        self.answered[route, answer.status_code] += 1
        said = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        if answer.status_code in REFUSALS:
            self.refused[said["type"].rpartition(":")[2]] += 1
        if answer.is_success and route in (PREDICT, PREDICT_WITH):
            predicted = [one for one in said.get("results", [said]) if "predictions" in one]
            self.labels.update(one["predictions"][0]["label"] for one in predicted)
            self.unfamiliar += sum(one["unfamiliar"] for one in predicted)
            self.run += bool(predicted)


Sender = Callable[[], Awaitable[None]]


class Client:
    """Sends requests of every kind, and counts what becomes of each.

    Args:
        http: connected to the service.
        port: of the service.
        leaves: whether some requests are left alone half-way. Not in a crowd: whether one of them was refused or left
            is then known to the service alone.
        seed: of what is chosen.
    """

    def __init__(self, http: httpx.AsyncClient, port: int, *, leaves: bool, seed: int) -> None:
        self.own = Own()
        self._http, self._port = http, port
        self._draw = random.Random(seed)  # noqa: S311 - a test's dice
        self._kinds: list[Sender] = [
            *(self._raw,) * 4, self._several, self._unsure, self._hurried, self._broken_model, self._big, self._probe,
            *(self._wrong,) * 3, *(self._leaving,) * leaves,
        ]  # fmt: skip

    async def play(self, count: int) -> Own:
        """Each kind at least once, then at random, over several connections at once."""
        senders = [*self._kinds, *self._draw.choices(self._kinds, k=count)]

        async def send() -> None:
            while senders:
                await senders.pop()()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(send())
        return self.own

    async def _ask(self, method: str, path: str, route: str | None = None, **sent: Any) -> None:
        self.own.note(route or path, await self._http.request(method, path, **sent))

    def _picture(self) -> bytes:
        return picture(self._draw.choice([RED, GREEN, BLUE]))

    async def _raw(self) -> None:
        route, path = self._draw.choice([(PREDICT, PREDICT), (PREDICT_WITH, "/models/colours/predict")])
        await self._ask("POST", path, route, content=self._picture(), headers=PNG)

    async def _several(self) -> None:
        data = [self._picture(), b"no picture", self._picture(), self._picture()[:50]]
        self._draw.shuffle(data)
        await self._ask("POST", PREDICT, files=[("file", one) for one in data])

    async def _unsure(self) -> None:
        await self._ask("POST", f"{PREDICT}?threshold=1", PREDICT, content=self._picture(), headers=PNG)

    async def _hurried(self) -> None:
        await self._ask("POST", PREDICT, content=self._picture(), headers=PNG | {"X-Request-Timeout-Ms": "1"})

    async def _broken_model(self) -> None:
        await self._ask("POST", "/models/broken/predict", PREDICT_WITH, content=self._picture(), headers=PNG)

    async def _big(self) -> None:
        await self._ask("POST", PREDICT, content=bytes(MAX_UPLOAD + 1), headers=PNG)

    async def _probe(self) -> None:
        await self._ask("GET", self._draw.choice(["/health/live", "/health/ready", "/models", "/metrics"]))

    async def _wrong(self) -> None:
        method, path, route, content = self._draw.choice(WRONG)
        await self._ask(method, path, route, content=content, headers=PNG)

    async def _leaving(self) -> None:
        """The head and half of a body, and nobody waits for an answer."""
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = "POST /predict HTTP/1.1\r\nHost: it\r\nContent-Type: image/png\r\nContent-Length: 2000\r\n\r\n"
        writer.write(head.encode() + bytes(1000))
        await writer.drain()
        await asyncio.sleep(0.02)  # else the kernel may tell of both at once, and a reset beats the head
        writer.close()
        self.own.answered[PREDICT, LEFT] += 1


PNG = {"Content-Type": "image/png"}
WRONG: list[tuple[str, str, str, bytes]] = [
    ("POST", PREDICT, PREDICT, b""),
    ("POST", f"{PREDICT}?top_k=0", PREDICT, b"x"),
    ("POST", PREDICT, PREDICT, b"no picture"),
    ("POST", PREDICT, PREDICT, picture()[:60]),
    ("POST", "/models/nobody/predict", PREDICT_WITH, b"x"),
    ("PUT", PREDICT, PREDICT, b"x"),
    ("GET", "/models/nobody", "/models/{name}", b""),
    ("GET", "/no/such/route", "other", b""),
]


@pytest.mark.parametrize(("workers", "crowded"), [(1, True), (2, False)], ids=["crowded", "two workers, some leave"])
async def test_counters_are_what_the_client_counted(models_dir: Path, workers: int, *, crowded: bool) -> None:
    publish_bundle(
        models_dir,
        model=colour_model(novelty=0.995),
        outputs=("probabilities", "logits", "features", "novelty"),
        thresholds={"unfamiliar": 0.99},
    )
    publish_bundle(models_dir, "broken").model_path.write_bytes(b"")
    options = ("--workers", str(workers), "--lanes", "1", "--max-upload", str(MAX_UPLOAD))
    options += ("--max-waiting", "0" if crowded else "64")
    with running_process(models_dir, *options, "--default-model", "colours") as service:
        service.wait_until_ready()
        before = asked(service)
        async with httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=30) as http:
            own = await Client(http, service.port, leaves=not crowded, seed=workers).play(REQUESTS)
        own.answered["/metrics", 200] += 1  # `before`, which was counted when it had been written
        after = await settled(service, own, before)

    def grown(name: str, *labels: str) -> Counter[Any]:
        return by(after, name, *labels) - by(before, name, *labels)

    requests = grown("finial_requests_total", "route", "status")
    assert requests == Counter({(route, str(status)): n for (route, status), n in own.answered.items()})
    assert grown("finial_request_seconds_count", "route") == added_up(own.answered)
    assert grown("finial_refused_total", "reason") == Counter({(reason,): n for reason, n in own.refused.items()})
    assert grown("finial_predictions_total", "label") == Counter({(label,): n for label, n in own.labels.items()})
    assert grown("finial_novelty_count") == Counter({(): own.labels.total()})
    assert grown("finial_unfamiliar_total") == Counter({(): own.unfamiliar})
    assert grown("finial_drift_pictures") == Counter({(): own.labels.total()})
    assert grown("finial_stage_seconds_count", "stage")[("run",)] == own.run
    assert own.run and own.refused["model-not-loaded"] and own.refused["queue-full" if crowded else "upload-too-large"]
    assert crowded or own.answered[PREDICT, LEFT]


def added_up(answered: Counter[tuple[str, int]]) -> Counter[tuple[str]]:
    found: Counter[tuple[str]] = Counter()
    for (route, _), n in answered.items():
        found[(route,)] += n
    return found


def asked(service: ServiceProcess) -> Metrics:
    with service.client() as client:
        return parse_metrics(client.get("/metrics").text)


async def settled(service: ServiceProcess, own: Own, before: Metrics) -> Metrics:
    """What is told once as many requests were counted as there were: who left is noticed a moment later."""
    async with asyncio.timeout(20):
        while True:
            found = asked(service)
            if found.total("finial_requests_total") - before.total("finial_requests_total") == own.answered.total():
                return found
            own.answered["/metrics", 200] += 1
            await asyncio.sleep(0.05)


def by(metrics: Metrics, name: str, *labels: str) -> Counter[tuple[str, ...]]:
    """Values added up over all workers and other labels."""
    found: Counter[tuple[str, ...]] = Counter()
    for (each, of), value in metrics.items():
        if each == name:
            found[tuple(dict(of)[label] for label in labels)] += int(value)
    return found
