"""A hundred swaps under sixteen clients: nothing fails, nothing is mixed up, nothing stays in memory."""

import asyncio
from pathlib import Path

import pytest

from bench.http_client import Ledger, asking, post
from bench.serving import Served, serving
from shared.publish import rollback
from tests.service.bundles import publish_bundle
from tests.service.pictures import GREEN, picture

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SWAPS, WARM_UP_SWAPS, CLIENTS = 100, 20, 16
MOST_GROWTH = 1.05
SWAPPED_WITHIN_S = 30.0


async def test_no_swap_loses_a_request_mixes_up_an_answer_or_keeps_memory(models_dir: Path) -> None:
    """Memory is compared with that after the first swaps: by then every buffer has its size."""
    label_of = {
        publish_bundle(models_dir, labels=labels).version: labels[1]
        for labels in (("red", "green", "blue"), ("rot", "gruen", "blau"))
    }
    with serving(models_dir, "--poll-interval-s", "0.02", "--max-waiting", "64") as service:
        service.wait_until_ready()
        async with asking(service.port, [post(picture(GREEN))], clients=CLIENTS) as ledger:
            await swap(service, models_dir, list(label_of), ledger, times=WARM_UP_SWAPS)
            before_mb = service.memory_mb()
            await swap(service, models_dir, list(label_of), ledger, times=SWAPS)
            after_mb = service.memory_mb()
        assert service.stop() == 0

    assert (set(ledger.fates), ledger.begun) == ({"200"}, len(ledger.asked))
    answers = [asked.answer.json() for asked in ledger.asked if asked.answer]
    assert [one for one in answers if one["label"] != label_of[one["version"]]] == []
    assert after_mb < MOST_GROWTH * before_mb


async def swap(service: Served, models_dir: Path, versions: list[str], ledger: Ledger, *, times: int) -> None:
    """Point `current` at one version and the other in turn; each is waited for until clients have met it."""
    for number in range(times):
        version = versions[number % len(versions)]
        await asyncio.to_thread(rollback, models_dir, "colours", version)
        seen = len(ledger.asked)
        async with asyncio.timeout(SWAPPED_WITHIN_S):
            while not any(version.encode() in asked.answer.body for asked in ledger.asked[seen:] if asked.answer):
                await asyncio.sleep(0.01)
