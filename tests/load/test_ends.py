"""The ends of a service and of its workers under load: what was accepted is answered, what was lost is bounded."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bench.http_client import CUT, REFUSED, Ledger, asking, post
from bench.serving import Served, parse_metrics, serving
from shared.bundle import Bundle
from tests.load.slow_model import slow_model
from tests.service.bundles import publish_bundle
from tests.service.pictures import picture

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CLIENTS = 16
REQUEST = post(picture())


@pytest.mark.parametrize("keep_alive", [True, False], ids=["kept connections", "a connection each"])
async def test_sigterm_under_load_answers_everything_that_was_sent_before(
    models_dir: Path, *, keep_alive: bool
) -> None:
    """Also what was still in the socket: clients have sent it, and nobody told them not to.

    Later ones may be told to go elsewhere. The model is slow, so that many are waiting.
    """
    publish_bundle(models_dir, model=slow_model(products=4))
    with serving(models_dir, "--max-waiting", "64") as service:
        service.wait_until_ready()
        async with asking(service.port, [REQUEST], clients=CLIENTS, keep_alive=keep_alive, pause_s=0.02) as ledger:
            await asyncio.sleep(1.0)
            ended_at = time.monotonic()
            service.process.terminate()
            exit_code = await asyncio.to_thread(service.process.wait, 60)

    before = {asked.fate for asked in ledger.asked if asked.sent_at < ended_at}
    assert (exit_code, before, ledger.begun) == (0, {"200"}, len(ledger.asked))
    assert ledger.asked[-1].sent_at > ended_at, "nobody asked while it ended"
    assert set(ledger.fates) <= {"200", "503 draining", REFUSED, CUT}


async def test_with_a_drain_delay_a_client_that_listens_loses_nothing(models_dir: Path, bundle: Bundle) -> None:
    """Told by `Connection: close` that its connection will end, it is never cut off, only refused in the end."""
    with serving(models_dir, "--drain-delay-s", "1", "--max-waiting", "64") as service:
        service.wait_until_ready()
        async with asking(service.port, [REQUEST], clients=CLIENTS, pause_s=0.02) as ledger:
            await asyncio.sleep(0.5)
            service.process.terminate()
            exit_code = await asyncio.to_thread(service.process.wait, 60)

    assert (exit_code, set(ledger.fates)) == (0, {"200", REFUSED})


async def test_a_worker_that_is_killed_takes_no_more_with_it_than_it_was_doing(
    models_dir: Path, bundle: Bundle
) -> None:
    """The door stays open, a new worker takes its place, and every client is served again; so for each of them."""
    with serving(models_dir, "--workers", "2", "--max-waiting", "64") as service:
        await come_true(partial(are_two_others, service, 0))
        first = service.workers()
        async with asking(service.port, [REQUEST], clients=CLIENTS) as ledger:
            for worker in first:
                await answers(ledger, 200)
                os.kill(worker, signal.SIGKILL)
                await come_true(partial(are_two_others, service, worker))
            lost = len(ledger.asked) - ledger.fates["200"]
            await answers(ledger, 200)
        now = service.workers()
        assert service.stop() == 0

    assert (len(first), len(now), set(first) & set(now)) == (2, 2, set())
    assert ledger.fates == {"200": ledger.begun - lost, CUT: lost}
    assert 0 < lost <= 2 * CLIENTS, "each client had one request on its way"


def are_two_others(service: Served, gone: int) -> bool:
    """Whether two workers serve, as whichever of them is asked says, and none of them has that id."""
    try:
        _, text = service.get("/metrics")
    except OSError:  # the one that was asked is the one that was killed
        return False
    serving_now = parse_metrics(text).by("finial_generation_info", "worker")
    return len(serving_now) == len(service.workers()) == 2 and gone not in service.workers()


async def answers(ledger: Ledger, count: int) -> None:
    """Wait until clients have had so many more."""
    enough = ledger.fates["200"] + count
    async with asyncio.timeout(30):
        while ledger.fates["200"] < enough:
            await asyncio.sleep(0.02)


async def come_true(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(holds):
            await asyncio.sleep(0.02)
