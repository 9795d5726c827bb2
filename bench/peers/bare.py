"""The limit: the same decoder and graph in a loop, without HTTP, on as many threads as there are cores.

One caller: a session on all cores, whose idle threads spin, as nobody else needs them. More: a thread for each core,
each picture on one of them with a session of one thread. Callers stand in a line, first come first served, so latencies
are those of callers who wait for each other. It takes orders on standard input, one JSON object a line, and answers
each with one.
"""

import json
import queue
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.peers.model import Answer, Model, peer_arguments
from shared.cores import usable_cores


@dataclass(frozen=True)
class Order:
    """Run with so many callers: a warm-up first, then for `seconds`."""

    picture: str
    callers: int
    seconds: float
    warm_s: float


@dataclass(frozen=True)
class Done:
    """What was reached; `latencies_s` of what was begun and ended within the time, waiting included."""

    answered: int
    seconds: float
    processor_s: float
    latencies_s: list[float]


class Bare:
    """The loop; sessions are opened once.

    Args:
        bundle: the folder of a version.
    """

    def __init__(self, bundle: Path) -> None:
        self._narrow = Model(bundle, threads=1)
        self._wide = Model(bundle, threads=usable_cores(), spinning=True)

    def predict(self, data: bytes) -> Answer:
        """One picture, to compare its answer."""
        return self._narrow.predict(data)

    def run(self, order: Order) -> Done:
        """Do as ordered."""
        data = Path(order.picture).read_bytes()
        model = self._wide if order.callers == 1 else self._narrow
        self._loop(model, data, order.callers, order.warm_s)
        return self._loop(model, data, order.callers, order.seconds)

    @staticmethod
    def _loop(model: Model, data: bytes, callers: int, seconds: float) -> Done:
        line = queue.SimpleQueue[float]()
        begun, used = time.monotonic(), time.process_time()
        over = begun + seconds
        latencies: list[float] = []
        for _ in range(callers):
            line.put(begun)

        def work() -> None:
            while (asked := line.get()) < over:
                model.predict(data)
                now = time.monotonic()
                if now < over:
                    latencies.append(now - asked)
                line.put(now)
            line.put(asked)

        threads = [threading.Thread(target=work) for _ in range(min(callers, usable_cores()))]
        for thread in threads:
            thread.start()
        time.sleep(max(0.0, over - time.monotonic()))
        processor_s = time.process_time() - used
        for thread in threads:
            thread.join()
        return Done(len(latencies), seconds, processor_s, latencies)


def main() -> None:
    """Take orders until there are no more."""
    parser = peer_arguments(__doc__)
    bare = Bare(parser.parse_args().bundle)
    for line in sys.stdin:
        order = json.loads(line)
        found = (
            bare.predict(Path(order["predict"]).read_bytes())
            if "predict" in order
            else asdict(bare.run(Order(**order)))
        )
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
