"""What every peer does with a picture: our decoder, the bundle's ONNX graph, the five best labels."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.bundle import MODEL_FILE, read_bundle
from shared.decode import decode
from shared.prediction import top_k
from shared.preprocess import preprocess
from shared.session import open_session

BUNDLE = "BENCH_BUNDLE"
"""The variable that names the bundle to peers whose server imports them by name."""

COUNT = 5
Answer = dict[str, Any]


class Pictures:
    """Decodes and names as the bundle says; what computes in between is the peer's.

    Args:
        bundle: the folder of a version.
    """

    def __init__(self, bundle: Path) -> None:
        self.path = bundle
        metadata = read_bundle(bundle).metadata
        self.labels, self._spec = metadata.labels, metadata.spec

    def pixels(self, data: bytes) -> NDArray[np.uint8]:
        """A picture file -> uint8 (H, W, 3)."""
        return preprocess(decode(data, at_least=self._spec.decode_at_least), self._spec)

    def answer(self, probabilities: NDArray[np.float32]) -> Answer:
        """Probabilities (K,) -> label, score and the five best."""
        best = top_k(probabilities, self.labels, COUNT)
        predictions = [{"label": each.label, "score": each.score} for each in best]
        return {"label": best[0].label, "score": best[0].score, "predictions": predictions}


class Model(Pictures):
    """The same with a session of ours on some threads."""

    def __init__(self, bundle: Path, *, threads: int, spinning: bool = False) -> None:
        super().__init__(bundle)
        self._session = open_session(bundle / MODEL_FILE, provider="cpu", threads=threads, spinning=spinning)

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, H, W, 3) -> (N, K)."""
        return self._session.run(pixels, ["probabilities"])[0]

    def predict(self, data: bytes) -> Answer:
        """All of it, for one picture."""
        return self.answer(self.probabilities(self.pixels(data)[np.newaxis])[0])

    def predict_pixels(self, pixels: Sequence[NDArray[np.uint8]]) -> list[Answer]:
        """A batch of decoded pictures, in one run."""
        return [self.answer(row) for row in self.probabilities(np.stack(pixels))]


def peer_arguments(description: str | None) -> argparse.ArgumentParser:
    """BUNDLE and --port; a peer adds its own."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="the folder of a version")
    parser.add_argument("--port", type=int, default=8000)
    return parser


def bundle_from_environment() -> Path:
    """The bundle, where a server imports the peer in processes of its own."""
    return Path(os.environ[BUNDLE])
