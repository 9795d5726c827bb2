"""The listening socket: opened, announced, and closed so that nobody is lost who was let in."""

import asyncio
import ctypes
import json
import logging
import resource
import select
import socket
import struct
import sys

BACKLOG = 2048

logger = logging.getLogger(__name__)

_ATTACH_FILTER = 26  # SO_ATTACH_FILTER of Linux; Python names it not
_DROP_NEW = (
    (0x30, 0, 0, 13),  # load the byte of TCP's flags
    (0x45, 0, 1, 0x02),  # SYN set?
    (0x06, 0, 0, 0),  # then drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # else let it pass whole
)
"""A classic BPF program. Source: Documentation/networking/filter.rst of Linux; the flags of RFC 9293, 3.1."""
_SETTLE_S = 0.2
"""How long a handshake that had begun may take to end."""


def open_listener(host: str, port: int) -> socket.socket:
    """A listening socket; from here on connections wait instead of being refused.

    Raises:
        OSError: the address is taken, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def allow_descriptors(count: int) -> None:
    """Raise this process's own limit of open files as far as the system lets it; many systems begin with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < count:
        logger.warning("too few open files are allowed", extra={"allowed": wanted, "wanted": count})


def announce(listener: socket.socket) -> None:
    """Say on stdout, in one line of JSON, where the service listens."""
    host, port = listener.getsockname()[:2]
    address = f"[{host}]" if ":" in host else host
    line = {"event": "listening", "url": f"http://{address}:{port}", "host": host, "port": port}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def let_in_the_last(listener: socket.socket) -> None:
    """Return when nobody waits any more to be accepted, and nobody new comes; then it may be closed.

    Closing a listening socket resets the connections that wait in its queue, whose clients take themselves for
    connected and may have sent a request. So new handshakes are no longer begun (the client's system tries again a
    second later, and is refused before anything was sent), and whoever is in the queue is still accepted, by
    whichever process accepts from it. Where the system cannot filter (it is not Linux) a few microseconds remain in
    which a connection may be lost.
    """
    if _refuse_new(listener):
        await asyncio.sleep(_SETTLE_S)
    while select.select([listener], [], [], 0)[0]:
        await asyncio.sleep(0)


def _refuse_new(listener: socket.socket) -> bool:
    if sys.platform != "linux":  # where the number means another option, or none
        return False
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in _DROP_NEW)
    program = ctypes.create_string_buffer(code, len(code))
    try:
        where = struct.pack("HP", len(_DROP_NEW), ctypes.addressof(program))
        listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, where)
    except OSError:
        return False
    return True
