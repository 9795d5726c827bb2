"""The service as a process of its own, watched from outside: its memory, its log, its metrics, its workers."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.process_tree import children, memory_mb, tree

ROOT = Path(__file__).resolve().parents[1]
READY_WITHIN_S = 60.0
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Labels = frozenset[tuple[str, str]]


class Metrics(dict[tuple[str, Labels], float]):
    """What `/metrics` said: (name, labels) -> value."""

    def total(self, name: str, **labels: str) -> float:
        """The sum over all samples of a name that have these labels."""
        wanted = set(labels.items())
        return sum(value for (found, having), value in self.items() if found == name and wanted <= having)

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The sums over all samples of a name, for each value of one label."""
        wanted, sums = set(labels.items()), dict[str, float]()
        for (found, having), value in self.items():
            if found == name and wanted <= having:
                key = dict(having)[label]
                sums[key] = sums.get(key, 0.0) + value
        return sums


class Served:
    """A service that was started; see `serving`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None or not (line := process.stdout.readline()):
            raise RuntimeError("the service ended before it listened; its log says why")
        self.process = process
        self.port: int = json.loads(line)["port"]

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of an answer."""
        try:
            with _OPENER.open(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def wait_until_ready(self, *, every_s: float = 0.005) -> None:
        """Return as soon as it is ready to serve."""
        give_up = time.monotonic() + READY_WITHIN_S
        while self.get("/health/ready")[0] != 200:
            if time.monotonic() > give_up:
                raise TimeoutError(f"not ready within {READY_WITHIN_S:g} s: {self.get('/models')[1]}")
            time.sleep(every_s)

    def metrics(self) -> Metrics:
        """What it says of itself now."""
        return parse_metrics(self.get("/metrics")[1])

    def workers(self) -> list[int]:
        """The ids of the processes that it has started."""
        return sorted(children(self.process.pid))

    def memory_mb(self) -> float:
        """Resident memory of it and its workers, in 10^6 bytes."""
        return memory_mb(tree(self.process.pid))

    def stop(self) -> int:
        """SIGTERM, and the exit code that it leads to."""
        self.process.terminate()
        return self.process.wait(60)


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextlib.contextmanager
def serving(
    models_dir: Path,
    *arguments: str,
    log: Path | None = None,
    program: Sequence[str] = ("-m", "service"),
    python: str = sys.executable,
) -> Iterator[Served]:
    """Start the service on a free port; it is stopped at the end, if it still runs.

    Args:
        models_dir: what it serves.
        arguments: its options.
        log: where its log goes; by default nowhere.
        program: what Python runs; it must take the service's options and say where it listens.
        python: the interpreter.
    """
    command = [python, *program, "--models-dir", str(models_dir), "--port", "0", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FINIAL_")}
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(log.open("w")) if log else subprocess.DEVNULL
        process = stack.enter_context(
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        )
        try:
            yield Served(process)
        finally:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(30)
                process.kill()


def parse_metrics(text: str) -> Metrics:
    """Prometheus's text format -> its samples."""
    metrics = Metrics()
    for line in text.splitlines():
        if found := _SAMPLE.match(line):
            name, labels, value = found.groups()
            metrics[name, frozenset(_LABEL.findall(labels or ""))] = float(value)
    return metrics
