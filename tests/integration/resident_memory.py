"""A program that tells, in MiB, what serving a version adds to its memory, and what is left once it is closed.

Arguments: folder of the version; folder of a small one, for what libraries take; lanes; --wide-lane-max-mb.
"""

import json
import resource
import sys
import threading
from pathlib import Path

import numpy as np

from service.generation import Generation
from service.loading import open_generation

IMAGES = np.zeros((1, 16, 16, 3), np.uint8)


def resident_mib() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def run(generation: Generation, *, lanes: int) -> None:
    """One wide run, then narrow ones on as many threads as lanes."""
    generation.run(IMAGES, wide=True)
    threads = [threading.Thread(target=generation.run, args=(IMAGES,)) for _ in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main(version: str, small: str, lanes: str, wide_lane_max_mb: str) -> None:
    """Serve the small one, then the other beside it, then close that."""
    first = open_generation("small", Path(small), cores=2)
    run(first, lanes=int(lanes))
    before = resident_mib()
    generation = open_generation("large", Path(version), cores=2, wide_lane_max_mb=int(wide_lane_max_mb))
    run(generation, lanes=int(lanes))
    serving = resident_mib()
    generation.retire()
    sys.stdout.write(json.dumps({"serving": serving - before, "closed": resident_mib() - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
