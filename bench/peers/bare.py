"""The limit: the same decoder and graph in a loop, without HTTP, on as many threads or processes as there are cores.

Two of them are measured, and the limit of a point is the faster one, by the median of its rounds:

* threads of one interpreter: for one caller a session on all cores, whose idle threads spin, as nobody else needs them;
  for more a thread for each caller up to the number of cores, all with one session of one thread;
* `--processes`: a process for each caller up to the number of cores, each with a session of one thread. They share no
  interpreter, no heap and no session, as servers with a process for each core do.

The picture's bytes are read once and stay in memory, and no JSON is written: both are cheap, and both are on the
servers' side of the ratio. A window opens after a warm-up, once every caller has been answered, and what *ends* within
it counts, begun before or not. It takes orders on standard input, one JSON object a line, and answers each with one.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from bench.peers.bare_crews import Crew, Processes, Threads, latencies
from bench.peers.model import Answer, Model, peer_arguments
from shared.cores import usable_cores

WARM_WITHIN_S = 60.0


@dataclass(frozen=True)
class Order:
    """Run with so many callers: a warm-up first, then for `seconds`."""

    picture: str
    callers: int
    seconds: float
    warm_s: float


@dataclass(frozen=True)
class Done:
    """What was reached in a window of `seconds`; `latencies_s` of all that ended in it, waiting included."""

    seconds: float
    processor_s: float
    latencies_s: list[float]


class Loop(Protocol):
    """One of the two."""

    def predict(self, data: bytes) -> Answer:
        """One picture, to compare its answer."""

    def crew(self, callers: int) -> Crew:
        """Those who work for so many callers."""


class ThreadLoop:
    """Threads of this interpreter; sessions are opened once.

    Args:
        bundle: the folder of a version.
    """

    def __init__(self, bundle: Path) -> None:
        self._narrow = Model(bundle, threads=1)
        self._wide = Model(bundle, threads=usable_cores(), spinning=True)

    def predict(self, data: bytes) -> Answer:
        """See `Loop`."""
        return self._narrow.predict(data)

    def crew(self, callers: int) -> Crew:
        """See `Loop`."""
        return Threads((self._wide if callers == 1 else self._narrow).predict)


class ProcessLoop:
    """Processes with a session each.

    Args:
        bundle: the folder of a version.
    """

    def __init__(self, bundle: Path) -> None:
        self._processes = Processes(bundle, usable_cores())
        self._model = Model(bundle, threads=1)

    def predict(self, data: bytes) -> Answer:
        """See `Loop`."""
        return self._model.predict(data)

    def crew(self, callers: int) -> Crew:  # noqa: ARG002 -- the same for all
        """See `Loop`."""
        return self._processes


def run(crew: Crew, order: Order) -> Done:
    """Do as ordered.

    Raises:
        TimeoutError: the first answers do not come.
    """
    begun_s = time.monotonic()
    crew.begin(Path(order.picture), min(order.callers, usable_cores()))
    while crew.answered() < order.callers or time.monotonic() < begun_s + order.warm_s:
        if time.monotonic() > begun_s + order.warm_s + WARM_WITHIN_S:
            raise TimeoutError(f"{crew.answered()} answers within {WARM_WITHIN_S:g} s")
        time.sleep(0.002)
    opens_s, used_s = time.monotonic(), crew.processor_s()
    time.sleep(order.seconds)
    closes_s, used_s = time.monotonic(), crew.processor_s() - used_s
    runs = crew.stop()
    waited = latencies(runs, callers=order.callers, opens_s=opens_s, closes_s=closes_s)
    return Done(closes_s - opens_s, used_s, waited)


def main() -> None:
    """Take orders until there are no more."""
    parser = peer_arguments(__doc__)
    parser.add_argument("--processes", action="store_true", help="one for each core, instead of threads")
    given = parser.parse_args()
    loop: Loop = ProcessLoop(given.bundle) if given.processes else ThreadLoop(given.bundle)
    for line in sys.stdin:
        order = json.loads(line)
        if "predict" in order:
            found = loop.predict(Path(order["predict"]).read_bytes())
        else:
            found = asdict(run(loop.crew(order["callers"]), Order(**order)))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
