"""A real Ray cluster on this machine: each node is what `ray start` starts, and can be killed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.process_tree import tree

PATIENCE_S = 60.0


@dataclass
class Nodes:
    """The nodes of a cluster.

    Attributes:
        folder: for their files; its path must be short, for sockets lie in it.
        address: of the head.
        environment: of all nodes.
    """

    folder: Path
    address: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    _started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start_head(self) -> None:
        """Start the node that leads; it has no room for workers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self._start(
            "--head",
            f"--port={port}",
            "--num-cpus=0",
            "--no-monitor",
            "--include-dashboard=false",
            f"--temp-dir={self.folder}",
        )
        self.wait_for(1)

    def add(self) -> int:
        """Start a node with room for one worker, and wait until it belongs; the process that it began with.

        It says that it has a GPU, which nobody checks.

        One after the other: on one machine, two that look for free ports at once find the same.
        """
        before = self.count()
        started = self._start(f"--address={self.address}", "--num-cpus=1", "--num-gpus=1")
        self.wait_for(before + 1)
        return started.pid

    @staticmethod
    def kill(node: int) -> None:
        """Kill a node and all its workers at once, as when a machine goes away."""
        for pid in reversed(tree(node)):
            with contextlib.suppress(ProcessLookupError):  # it ended with what it belongs to
                os.kill(pid, signal.SIGKILL)

    @staticmethod
    def has_a_lot(node: int) -> bool:
        """Whether a worker of a node is at work: Ray calls its process after what it does."""
        return any(_command(pid).startswith(b"ray::MapBatches(featurize_lot)") for pid in tree(node))

    def count(self) -> int:
        """How many nodes belong, as the head knows."""
        from ray._raylet import GcsClient

        return sum(info.state == 0 for info in GcsClient(address=self.address).get_all_node_info().values())

    def wait_for(self, count: int) -> None:
        """Until so many nodes belong."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                if self.count() == count:
                    return
            except Exception:  # the head is on its way
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                raise TimeoutError(f"the cluster does not have {count} nodes")
            time.sleep(0.1)

    def stop(self) -> None:
        """End all of them."""
        for process in reversed(self._started):
            self.kill(process.pid)
            process.wait()

    def _start(self, *options: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--node-ip-address=127.0.0.1"]
        command += [
            "--min-worker-port=0",
            "--max-worker-port=0",
            "--object-store-memory=100000000",
            "--disable-usage-stats",
            "--block",
            *options,
        ]
        log = (self.folder / f"node-{len(self._started)}.log").open("wb")
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.environment},
            start_new_session=True,
        )
        self._started.append(process)
        return process


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
