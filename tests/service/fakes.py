"""Small stand-ins: a clock that is turned by hand, a session that answers as told."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.generation import Generation
from service.loading import wanted_outputs
from service.runner import SessionRunner
from shared.bundle import PROBABILITIES, Bundle, BundleMetadata, FileEntry
from tests.service.bundles import COLOURS, NO_DIGEST, SPEC, metadata_fields


class FakeClock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeSession:
    """Prefers one label whatever the picture, and remembers the shapes it was run on."""

    provider = "CPUExecutionProvider"
    only_shape: tuple[int, ...] | None = None

    def __init__(self, *, novelty: float = 0.0) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self._novelty = novelty

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        self.shapes.append(images.shape)
        answers = {PROBABILITIES: [[0.2, 0.7, 0.1]]}
        return [np.array(answers.get(name, [self._novelty]), np.float32) for name in outputs]


def fake_generation(
    name: str = "colours", version: str = "v1", *, session: FakeSession | None = None, **fields: object
) -> Generation:
    """A generation without a file behind it; `fields` replace those of its metadata."""
    entry = FileEntry(sha256=NO_DIGEST, size_bytes=0)
    given = metadata_fields(name.partition("@")[0], COLOURS, SPEC) | {
        "files": {"model.onnx": entry},
        "content_sha256": NO_DIGEST,
    }
    metadata = BundleMetadata(**(given | fields))
    bundle = Bundle(path=Path("models") / name / version, metadata=metadata)
    return Generation(name, bundle, SessionRunner(session or FakeSession(), outputs=wanted_outputs(bundle)))  # type: ignore[arg-type]
