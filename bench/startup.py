"""From the start of the process to ready, and what the time is made of.

    python -m bench.startup                               10 starts with MobileNetV2 (random weights), and with nano
    python -m bench.startup MODELS... --runs 30 --options --lanes 1

Ready is when `/health/ready` answers 200, asked every few milliseconds from another process. The files are in the
kernel's cache after the first start, which is not counted.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path

from bench.arguments import parse, service_arguments, tell
from bench.models import make_alone
from bench.process_tree import processor_s
from bench.serving import serving
from bench.spread import spread

LARGEST = 10
_SERVER = "import service.server"


def main() -> None:
    """Print medians and spread by step for each folder, the costliest imports, and one JSON object at the end."""
    arguments = _arguments()
    folders = arguments.models or [
        make_alone(arguments.folder, backbone=backbone, cache_dir=arguments.cache_dir)
        for backbone in arguments.backbones
    ]
    python_s = statistics.median(_bare_python_s() for _ in range(arguments.runs))
    print(f"Python itself: {python_s:.3f} s; imports of the service by library, in ms (traced, which costs some more):")
    print("  " + ", ".join(f"{name} {ms:.0f}" for name, ms in _largest(imports_ms(_imports_told()))))
    figures: dict[str, object] = {"python_s": round(python_s, 3), "starts": arguments.runs}
    for models in folders:
        starts = [start(models, arguments.options) for _ in range(arguments.runs + 1)][1:]
        print(f"{models}: {arguments.runs} starts")
        for step in starts[0]:
            of_step = sorted(each[step] for each in starts)
            print(f"{step:>14}  {statistics.median(of_step):.3f} s  ({of_step[0]:.3f} to {of_step[-1]:.3f})")
        figures[models.name] = {step: spread([round(each[step], 3) for each in starts]) for step in starts[0]}
    tell(figures, arguments, "fastapi", "uvicorn", "pydantic")


def start(models: Path, options: list[str]) -> dict[str, float]:
    """Seconds from the start of a process until it listens, has loaded its last model and is ready.

    Besides: how many of them loading took, and how much time of the processor was used until then.
    """
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        begun, begun_at = time.perf_counter(), time.time()
        with serving(models, *options, log=log) as service:
            listening = time.perf_counter()
            service.wait_until_ready(every_s=0.002)
            ready, processor = time.perf_counter(), processor_s([service.process.pid])
        events = [json.loads(line) for line in log.read_text().splitlines()]
    loads = [event for event in events if event["event"] == "model loaded"]
    loaded_at = max(datetime.fromisoformat(event["time"]).timestamp() for event in loads)
    return {
        "listening": listening - begun,
        "model loaded": loaded_at - begun_at,
        "ready": ready - begun,
        "of it, loading": max(event["load_s"] for event in loads),
        "processor": processor,
    }


def _largest(spent: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(spent.items(), key=lambda pair: -pair[1])[:LARGEST]


def _bare_python_s() -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - begun


def _imports_told() -> str:
    """What Python says of the time that importing the service takes."""
    command = [sys.executable, "-X", "importtime", "-c", _SERVER]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def imports_ms(told: str) -> dict[str, float]:
    """Time of imports by top-level package: each module's own, without what it imports."""
    spent = defaultdict[str, float](float)
    for line in told.splitlines()[1:]:
        own_us, _, module = line.removeprefix("import time:").split("|")
        top = module.strip().split(".")[0]
        spent["standard library" if top in sys.stdlib_module_names else top] += float(own_us) / 1000
    return dict(spent)


def _arguments() -> argparse.Namespace:
    parser = service_arguments(__doc__)
    parser.add_argument("models", nargs="*", type=Path, help="folders of models; default: they are made")
    parser.add_argument("--runs", type=int, default=10)
    parser.set_defaults(backbones=("mobilenet_v2", "nano"))
    return parse(parser, runs=2, backbones=("nano",))


if __name__ == "__main__":
    main()
