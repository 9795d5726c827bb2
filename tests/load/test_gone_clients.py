"""Clients that go at each stage of a request: their lanes and memory come back, and nobody is told of an error."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bench.http_client import Line, get, head_of, post
from bench.serving import Served, serving
from tests.load.slow_model import slow_model
from tests.service.bundles import publish_bundle
from tests.service.pictures import GREEN, picture
from tests.shared.pictures import encode, scene

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROUNDS, WARM_UP = 10, 3
PATIENCE_S = 30.0
MOST_GROWTH_MB = 6.0
LARGE = encode(scene(500, 300), "PNG")  # 0.4 MB, so that a few that are kept would show
REQUEST, HEAD = post(LARGE), head_of(f"Content-Length: {len(LARGE)}")

Stage = Callable[[Served, socket.socket], Awaitable[None]]
"""Brings a connection to where its client will go."""


async def test_a_client_that_goes_leaves_nothing_behind_at_any_stage(models_dir: Path, tmp_path: Path) -> None:
    """One lane, so that one that is not given back would be missed at once."""
    log = tmp_path / "log"
    publish_bundle(models_dir, model=slow_model(products=20))
    with serving(models_dir, "--lanes", "1", "--max-waiting", "2", log=log) as service:
        service.wait_until_ready()
        for _ in range(WARM_UP):
            await go_at_each_stage(service)
        before_mb = service.memory_mb()
        for _ in range(ROUNDS):
            await go_at_each_stage(service)
        after_mb, outcomes = service.memory_mb(), service.metrics().by("finial_leases_total", "outcome")
        assert service.stop() == 0

    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [event for event in events if event["level"] not in ("debug", "info")] == []
    assert after_mb - before_mb < MOST_GROWTH_MB
    assert outcomes["gave_up"] >= ROUNDS, "who goes while waiting gives its place to others"


async def go_at_each_stage(service: Served) -> None:
    for stage in (connecting, in_the_head, in_the_body, computed, waiting, answered):
        for reset in (False, True):
            with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
                await stage(service, connection)
                if reset:  # closing then sends RST: what a client that was killed or lost its network looks like
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await nobody_is_left(service)
    with Line(service.port) as line:
        asked = await line.ask(post(picture(GREEN)))
    assert asked.answer is not None
    assert (asked.fate, asked.answer.json()["label"]) == ("200", "green")


async def connecting(_service: Served, _connection: socket.socket) -> None:
    """Not a byte."""


async def in_the_head(_service: Served, connection: socket.socket) -> None:
    connection.sendall(HEAD[:40])


async def in_the_body(_service: Served, connection: socket.socket) -> None:
    connection.sendall(HEAD + LARGE[: len(LARGE) // 2])


async def computed(service: Served, connection: socket.socket) -> None:
    """It has the lane."""
    async with asyncio.timeout(PATIENCE_S):
        connection.sendall(REQUEST)
        while not await is_seen(service, leased=1, waiting=0):
            connection.sendall(REQUEST)


async def waiting(service: Served, connection: socket.socket) -> None:
    """Another one has the lane."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as before:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                before.sendall(REQUEST)
                if await is_seen(service, leased=1, waiting=0):
                    connection.sendall(REQUEST)
                    if await is_seen(service, leased=1, waiting=1):
                        return


async def answered(_service: Served, connection: socket.socket) -> None:
    """More answers than the buffers between the two hold, of which it reads the beginning of the first."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(100 * get("/openapi.json"))
    assert await asyncio.to_thread(connection.recv, 9) == b"HTTP/1.1 "


async def nobody_is_left(service: Served) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while lanes_of(service) != (0, 0):
            await asyncio.sleep(0.002)


async def is_seen(service: Served, *, leased: int, waiting: int) -> bool:
    """Whether the service says so itself before all is over: on a busy machine we may look too late, and try again."""
    for _ in range(200):
        found = lanes_of(service)
        if found == (leased, waiting):
            return True
        await asyncio.sleep(0.002)
    return False


def lanes_of(service: Served) -> tuple[int, int]:
    metrics = service.metrics()
    return int(metrics.total("finial_lanes_leased")), int(metrics.total("finial_waiting"))
