"""Memory of a run by a cluster of this machine, of its workers and of Ray: a few pictures against many.

    python -m bench.ray_memory  2,000 against 20,000 small pictures, the embedded backbone

The run is that of `bench.memory`, with `--engine ray`, and tells the same: its peak when the last picture is computed,
and when features and statistics are handed over. Peaks are the kernel's (VmHWM), as that of the largest worker; of
Ray's own process for the node (the raylet) it is what is resident without the object store. Of the store it is the
pages that were ever in use, since none is given back. Processes are looked at 20 times a second.
"""

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.arguments import tell
from bench.memory import export, measuring, sized_arguments, write_pictures
from bench.process_tree import tree

_LOOKS_AFTER_S = 0.05


def main() -> None:
    """Print one line a run, the growth for each thousand pictures, and one JSON object at the end."""
    arguments = sized_arguments(__doc__, small=2_000, large=20_000)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        graph = Path(scratch) / "graph.onnx"
        backbone = export(arguments, graph)
        runs = {}
        for count in (arguments.small, arguments.large):
            write_pictures(Path(scratch, str(count), "pictures"), count)
            runs[count] = run(Path(scratch, str(count)), graph, arguments.threads)
            print(f"{count:>8,} pictures: {_words(runs[count])}", flush=True)
    few, many = runs.values()
    thousands = (arguments.large - arguments.small) / 1000
    growth = {name: round((many[name] - few[name]) / thousands, 3) for name in few}
    print(f"growth for each thousand pictures: {_words(growth)}")
    found = {"backbone": backbone, "threads": arguments.threads, "runs": runs, "growth_mb_per_thousand": growth}
    tell(found, arguments, "pyarrow", "ray")


def run(folder: Path, graph: Path, threads: int) -> dict[str, float]:
    """Peaks in MB (10^6 bytes) of featurising folder/pictures with a graph, on a cluster of this machine."""
    command = measuring(folder, graph, threads, "ray")
    peaks: dict[str, float] = dict.fromkeys(("worker", "raylet", "store"), 0.0)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        while running.poll() is None:
            for name, peak in _seen(running.pid):
                peaks[name] = max(peaks[name], peak)
            time.sleep(_LOOKS_AFTER_S)
        told = running.stdout.read() if running.stdout else ""
    if running.returncode:
        raise SystemExit(f"the run over {folder} ended with {running.returncode}")
    return {**json.loads(told.splitlines()[-1]), **peaks}


def _seen(run: int) -> Iterator[tuple[str, float]]:
    """Names of `peaks`, each with MB (10^6 bytes) of one process."""
    for pid in tree(run):
        with contextlib.suppress(OSError, IndexError):  # one that has just ended has no command
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
            status = _status_mb(pid)
            if command.startswith(b"ray::"):
                yield "worker", status["VmHWM"]
            elif command.endswith(b"/raylet"):
                yield "raylet", status["RssAnon"] + status["RssFile"]
                yield "store", _store_mb(pid)


def _store_mb(raylet: int) -> float:
    """Pages of the file that the store is, which has no name any more and which the raylet keeps open."""
    blocks = 0
    for file in Path(f"/proc/{raylet}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed since
            if str(file.readlink()).startswith("/dev/shm/"):  # noqa: S108 (nothing is written there)
                blocks = max(blocks, file.stat().st_blocks)
    return blocks * 512 / 1e6


def _status_mb(pid: int) -> dict[str, float]:
    """Sizes that the kernel tells of a process; nothing of one that has ended."""
    lines = [line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    found = {words[0].rstrip(":"): int(words[1]) * 1024 / 1e6 for words in lines if words[-1] == "kB"}
    return {name: found.get(name, 0.0) for name in ("VmHWM", "RssAnon", "RssFile")}


def _words(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:,.2f} MB" for name, value in figures.items())


if __name__ == "__main__":
    main()
