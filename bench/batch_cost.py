"""Does a CPU compute pictures faster in batches? `python -m bench.batch_cost BUNDLE...`

Tells pictures per second of processor time, as a ratio to one picture after the other on one thread; measured in turns,
so that it holds on a busy machine as well. Processor time, not wall time: what counts when all cores are busy.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.loading import wanted_outputs
from shared.bundle import read_bundle
from shared.session import Session, open_session

PICTURES, ROUNDS, BATCHES = 16, 9, (1, 4, 16)


def main(paths: Sequence[str]) -> None:
    """Measure each bundle and print its ratios."""
    for path in paths:
        bundle = read_bundle(Path(path))
        spec, outputs, model = bundle.metadata.spec, wanted_outputs(bundle), bundle.read_model()
        shape = (PICTURES, spec.height, spec.width, 3)
        images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        sessions = {threads: open_session(model, provider="cpu", threads=threads) for threads in (1, 2)}
        print(f"{bundle.metadata.backbone.name} {bundle.metadata.precision}")
        for (threads, batch), ratios in _ratios(sessions, images, outputs).items():
            spread = f"{np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"  {threads} threads, batches of {batch}: {spread}")


def _ratios(
    sessions: dict[int, Session], images: NDArray[np.uint8], outputs: Sequence[str]
) -> dict[tuple[int, int], list[float]]:
    found: dict[tuple[int, int], list[float]] = {}
    for _ in range(ROUNDS):
        alone_s = _cost_s(sessions[1], images, outputs, 1)
        for threads, session in sessions.items():
            for batch in BATCHES:
                ratio = alone_s / _cost_s(session, images, outputs, batch)
                found.setdefault((threads, batch), []).append(ratio)
    return found


def _cost_s(session: Session, images: NDArray[np.uint8], outputs: Sequence[str], batch: int) -> float:
    began = time.process_time()
    for start in range(0, len(images), batch):
        session.run(images[start : start + batch], outputs)
    return time.process_time() - began


if __name__ == "__main__":
    main(sys.argv[1:])
