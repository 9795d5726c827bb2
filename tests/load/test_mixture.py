"""Twenty thousand requests of every kind leave nothing behind, and a service that leaks on purpose is caught."""

import itertools
from pathlib import Path

import pytest

from bench.http_client import post
from bench.serving import Served, serving
from shared.bundle import Bundle
from tests.load.mixture import ANY_OF_A_PICTURE, Case, Fates, mixture, play, unexpected

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

REQUESTS, OF_THE_LEAKY = 20_000, 2_000
WARM_UP = 2_000
MOST_GROWTH_MB = 6.0
CLIENTS = 8


@pytest.fixture(scope="module")
def nasty(shared_data: Path) -> list[bytes]:
    folder = shared_data / "datasets" / "nasty"
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]


async def test_every_request_meets_its_fate_and_memory_is_flat(
    nasty: list[bytes], models_dir: Path, bundle: Bundle, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with serving(models_dir, log=log) as service:
        fates, growth_mb = await played(service, nasty, count=REQUESTS)
        ready, _ = service.get("/health/ready")
        assert service.stop() == 0

    assert (unexpected(fates), fates.total(), ready) == ({}, REQUESTS, 200)
    assert growth_mb < MOST_GROWTH_MB
    assert '"level": "error"' not in log.read_text("utf-8")


async def test_a_service_that_keeps_what_it_reads_is_caught(
    nasty: list[bytes], models_dir: Path, bundle: Bundle
) -> None:
    """The same measurement, fewer requests: it would not pass by looking away."""
    with serving(models_dir, program=("-m", "tests.load.leaky_service")) as service:
        fates, growth_mb = await played(service, nasty, count=OF_THE_LEAKY)

    assert unexpected(fates) == {}
    assert growth_mb > MOST_GROWTH_MB


async def played(service: Served, nasty: list[bytes], *, count: int) -> tuple[Fates, float]:
    """What became of so many requests, and by how many MB memory grew meanwhile.

    Before that come some more, and each nasty picture several times at once: then every buffer has its size.
    """
    service.wait_until_ready()
    largest_at_once = (Case(post(data), ANY_OF_A_PICTURE) for data in nasty for _ in range(4))
    before = itertools.chain(mixture(WARM_UP, nasty, seed=1), largest_at_once)
    assert unexpected(await play(service.port, before, clients=CLIENTS)) == {}
    before_mb = service.memory_mb()
    fates = await play(service.port, mixture(count, nasty), clients=CLIENTS)
    return fates, service.memory_mb() - before_mb
