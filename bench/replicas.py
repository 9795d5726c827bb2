"""Answers a second of replicas behind the balancer of deploy/haproxy, and what the balancer itself takes.

    python -m bench.replicas                         one to three replicas, MobileNetV2 (random weights)
    python -m bench.replicas MODELS --haproxy FOLDER/usr/sbin/haproxy --callers 16

Services, balancer and client are processes of one machine, which has no more cores for three replicas than for one: of
replicas with one lane each, the second one is seen to add a core, and the third one what is left. HAProxy runs with the
shipped configuration; only addresses are others.
"""

import argparse
import contextlib
import re
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.arguments import parse, service_arguments, tell
from bench.drawn import picture_of
from bench.http_client import post
from bench.load import Load, closed_loop
from bench.models import make_alone
from bench.process_tree import memory_mb, processor_s, tree
from bench.serving import serving

ROOT = Path(__file__).resolve().parents[1]
CONFIGURATION = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
READY_WITHIN_S = 30.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Balancer:
    """One that runs: where clients ask, and its processes."""

    port: int
    pid: int


def main() -> None:
    """Print one line a side, and one JSON object at the end."""
    arguments = _arguments()
    models = arguments.models or make_alone(
        arguments.folder, backbone="nano" if arguments.quick else "mobilenet_v2", cache_dir=arguments.cache_dir
    )
    request = post(picture_of(arguments.picture))
    with contextlib.ExitStack() as stack:
        services = [
            stack.enter_context(serving(models, "--lanes", lanes, *arguments.options)) for lanes in ("2", "1", "1", "1")
        ]
        for service in services:
            service.wait_until_ready()
        two_lanes, *one_lane = (service.port for service in services)
        behind = {"1 of 2 lanes": [two_lanes]} | {f"{n} of 1 lane": one_lane[:n] for n in (1, 2, 3)}
        sides = {"direct, 2 lanes": (two_lanes, [0])}
        for name, ports in behind.items():
            balancer = stack.enter_context(balancing(arguments.haproxy, ports))
            sides[f"balancer, {name}"] = (balancer.port, tree(balancer.pid))
        found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        for _ in range(arguments.rounds):
            for name, (port, pids) in sides.items():
                found[name].append(_measure(port, pids, request, arguments))
                print(f"{name:>24}  {found[name][-1]}")
    tell({"sides": found, "callers": arguments.callers, "seconds": arguments.seconds}, arguments)


def _measure(port: int, pids: Sequence[int], request: bytes, arguments: argparse.Namespace) -> dict[str, float]:
    load = closed_loop(
        port,
        request,
        callers=arguments.callers,
        seconds=arguments.seconds,
        warm_s=arguments.warm_s,
        watch=lambda: processor_s(pids),
    )
    return _figures(load, memory_mb(pids))


def _figures(load: Load, balancer_mb: float) -> dict[str, float]:
    begun, ended = load.watched
    p50, p99 = np.percentile(load.latencies_s, [50, 99]) * 1000 if load.latencies_s else (0.0, 0.0)
    return {
        "answers_per_s": round(load.answered / load.seconds, 1),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "failed": load.failures.total(),
        "balancer_ms": round(1000 * (ended - begun) / max(1, load.answered), 3),
        "balancer_mb": round(balancer_mb, 1),
        "client_ms": round(1000 * load.client_s / max(1, load.answered), 3),
    }


@contextlib.contextmanager
def balancing(program: str, ports: Sequence[int]) -> Iterator[Balancer]:
    """HAProxy before services on these ports of this machine, all of which take requests."""
    clients, operators = _free_port(), _free_port()
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "haproxy.cfg"
        file.write_text(configured(CONFIGURATION.read_text("utf-8"), clients, operators, ports), encoding="utf-8")
        command = [program, "-db", "-f", str(file)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                _wait_until_ready(f"http://127.0.0.1:{operators}/ready")
                yield Balancer(clients, process.pid)
            finally:
                process.kill()


def configured(shipped: str, clients: int, operators: int, ports: Sequence[int]) -> str:
    """The shipped configuration with other addresses, and as many servers as there are ports."""
    text = shipped.replace("bind :8000", f"bind 127.0.0.1:{clients}").replace(
        "bind :8404", f"bind 127.0.0.1:{operators}"
    )
    servers = "".join(f"    server replica-{n} 127.0.0.1:{port}\n" for n, port in enumerate(ports, 1))
    text = re.sub(r"(?m)(^    server \S+ \S+\n)+", servers, text)
    return re.sub(r"(nbsrv\(replicas\) ge) \d+", rf"\1 {len(ports)}", text)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_ready(url: str) -> None:
    give_up = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError), _OPENER.open(url, timeout=5):
            return
        time.sleep(0.1)
    raise TimeoutError(f"{url} did not answer 200 within {READY_WITHIN_S:g} s: is --haproxy a HAProxy from 2.6 on?")


def _arguments() -> argparse.Namespace:
    parser = service_arguments(__doc__)
    parser.add_argument("models", nargs="?", type=Path, help="a folder of models; default: one is made")
    parser.add_argument("--haproxy", default="haproxy", help="the program; default: the one that PATH leads to")
    parser.add_argument("--callers", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--warm-s", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=1)
    return parse(parser, seconds=1.0, warm_s=0.5, rounds=1)


if __name__ == "__main__":
    main()
