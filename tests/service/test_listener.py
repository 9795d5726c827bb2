"""The listening socket and what the process may open."""

import asyncio
import contextlib
import socket
import subprocess
import sys

import pytest

from service.listener import let_in_the_last, open_listener
from tests.service.running import ROOT

PROGRAM = """
import logging, resource, sys
from service.listener import allow_descriptors
logging.basicConfig(format="%(message)s %(allowed)s %(wanted)s")
resource.setrlimit(resource.RLIMIT_NOFILE, (64, int(sys.argv[1])))
allow_descriptors(int(sys.argv[2]))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("hard", "wanted", "allowed", "said"),
    [
        (1000, 900, "900", ""),
        (1000, 1000, "1000", ""),
        (1000, 1001, "1000", "too few open files are allowed 1000 1001"),
        (1000, 10, "64", ""),
    ],
)
def test_open_files_are_allowed_as_far_as_the_system_lets_us(hard: int, wanted: int, allowed: str, said: str) -> None:
    """In a process of its own: a hard limit cannot be raised again."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(hard), str(wanted)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (ended.stdout.strip(), ended.stderr.strip()) == (allowed, said)


@pytest.mark.skipif(sys.platform != "linux", reason="filters are Linux's")
def test_before_it_is_closed_everybody_is_let_in_and_nobody_new() -> None:
    """The system holds connections that nobody has accepted yet; closing the socket would reset them."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(open_listener("127.0.0.1", 0))
        where = listener.getsockname()
        for _ in range(3):
            stack.enter_context(socket.create_connection(where))
        accepted = asyncio.run(accept_slowly_until_let_in(listener, stack))
        assert len(accepted) == 3

        late = stack.enter_context(socket.socket())
        late.settimeout(0.2)
        with pytest.raises(TimeoutError):
            late.connect(where)


async def accept_slowly_until_let_in(listener: socket.socket, stack: contextlib.ExitStack) -> list[socket.socket]:
    accepted = list[socket.socket]()

    async def accept() -> None:
        while True:
            await asyncio.sleep(0.15)
            accepted.append(stack.enter_context(listener.accept()[0]))

    accepting = asyncio.create_task(accept())
    await let_in_the_last(listener)
    accepting.cancel()
    return accepted
