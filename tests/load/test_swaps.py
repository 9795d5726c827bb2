"""A hundred swaps under sixteen clients: nothing fails, nothing is mixed up, nothing stays in memory."""

from pathlib import Path

import pytest

from bench.http_client import asking, post
from bench.serving import serving
from bench.swap import mixed_up, swap
from tests.service.bundles import publish_bundle
from tests.service.pictures import GREEN, picture

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SWAPS, WARM_UP_SWAPS, CLIENTS = 100, 20, 16
MOST_GROWTH = 1.05


async def test_no_swap_loses_a_request_mixes_up_an_answer_or_keeps_memory(models_dir: Path) -> None:
    """Memory is compared with that after the first swaps: by then every buffer has its size."""
    labels_of = {
        publish_bundle(models_dir, labels=labels).version: labels
        for labels in (("red", "green", "blue"), ("rot", "gruen", "blau"))
    }
    turns = list(labels_of) * SWAPS
    with serving(models_dir, "--poll-interval-s", "0.02", "--max-waiting", "64") as service:
        service.wait_until_ready()
        async with asking(service.port, [post(picture(GREEN))], clients=CLIENTS) as ledger:
            await swap(models_dir, "colours", turns[:WARM_UP_SWAPS], ledger)
            before_mb = service.memory_mb()
            await swap(models_dir, "colours", turns[:SWAPS], ledger)
            after_mb = service.memory_mb()
        assert service.stop() == 0

    assert (set(ledger.fates), ledger.begun) == ({"200"}, len(ledger.asked))
    assert mixed_up(ledger, labels_of) == []
    assert {asked.answer.json()["version"] for asked in ledger.asked if asked.answer} == set(labels_of)
    assert after_mb < MOST_GROWTH * before_mb
