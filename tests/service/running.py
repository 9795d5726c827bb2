"""A running service: the real app in this process, or the real program in another."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import httpx
from fastapi import FastAPI

from bench.process_tree import children
from service.app import create_app
from service.settings import ServiceSettings
from tests.service.waiting import until

ROOT = Path(__file__).resolve().parents[2]


@contextlib.asynccontextmanager
async def running_app(settings: ServiceSettings) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """The app with its lifespan begun and its models looked at once, and a client that speaks to it."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        async with asyncio.timeout(30):
            while not app.state.runtime.watcher.has_looked:
                await asyncio.sleep(0.005)
        yield app, client


class ServiceProcess:
    """`python -m service` as an operator starts it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.announced = json.loads(process.stdout.readline())
        self.url: str = self.announced["url"]
        self.port: int = self.announced["port"]

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30)

    def wait_until_alive(self) -> None:
        with self.client() as client:
            until(lambda: client.get("/health/live").status_code == httpx.codes.OK)

    def workers(self) -> list[int]:
        """The ids of the processes that it has started."""
        return sorted(children(self.process.pid))

    def wait_until_ready(self) -> None:
        with self.client() as client:
            until(lambda: client.get("/health/ready").status_code == httpx.codes.OK)

    def stop(self) -> int:
        """SIGTERM, and the exit code it leads to."""
        self.process.terminate()
        return self.process.wait(60)


@contextlib.contextmanager
def running_process(
    models_dir: Path | str,
    *arguments: str,
    log: Path | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
    python: str = sys.executable,
    program: Sequence[str] = ("-m", "service"),
) -> Iterator[ServiceProcess]:
    """Started on a free port; stopped at the end if the test has not done so. Its log goes to `log`."""
    command = [python, *program, "--models-dir", str(models_dir), "--port", "0", *arguments]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FINIAL_")}
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(log.open("w")) if log else None
        process = stack.enter_context(
            subprocess.Popen(
                command, cwd=ROOT, env={**inherited, **environment}, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        )
        try:
            yield ServiceProcess(process)
        finally:
            if process.poll() is None:
                process.kill()
