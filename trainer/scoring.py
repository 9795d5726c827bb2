"""Runs a published bundle over pictures: the graph that serves, from pixels decoded as the service decodes them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.bundle import NOVELTY, PROBABILITIES, Bundle, read_bundle
from shared.cpu_features import Cpu, read_cpu
from shared.decode import TRAINER_LIMITS, decode
from shared.errors import PictureError
from shared.files import sha256_of
from shared.golden import check_golden
from shared.preprocess import preprocess
from shared.publish import resolve
from shared.session import Provider, Session, open_session
from trainer.in_order import in_order
from trainer.progress import Progress


@dataclass(frozen=True)
class Scored:
    """What came of one picture: probabilities of shape (K,), or None and the problem in words.

    `digest` is the SHA-256 of its bytes, "" when the file could not be read; `novelty` is in [0, 1], None when the
    model does not know it.
    """

    path: Path
    digest: str
    probabilities: NDArray[np.float32] | None
    problem: str | None = None
    novelty: float | None = None


class Scorer:
    """One bundle, opened and golden-checked, ready to score pictures from several threads.

    Args:
        path: `models/NAME` or `models/NAME/VERSION`.
        threads: pictures in work at once, each on one thread.
        provider: where ONNX Runtime computes.
        progress: told of golden warnings.
        cpu: what must meet the bundle's requirements; this machine's by default.

    Raises:
        RequirementMissing: it does not.
        BundleError: no whole bundle there, or it fails its golden check.
        SessionError: ONNX Runtime does not open it as asked.
    """

    def __init__(
        self, path: Path, *, threads: int, provider: Provider, progress: Progress, cpu: Cpu | None = None
    ) -> None:
        self.bundle: Bundle = read_bundle(resolve(path))
        (cpu or read_cpu()).require(self.bundle.metadata.requirements, path=self.bundle.path)
        self.labels = self.bundle.metadata.labels
        self._threads = threads
        self._wanted = (PROBABILITIES, NOVELTY) if NOVELTY in self.bundle.metadata.outputs else (PROBABILITIES,)
        self._session: Session = open_session(self.bundle.read_model(), provider=provider, threads=1)
        for warning in check_golden(self.bundle, self._session):
            progress.warn(warning)

    def score(self, paths: Iterable[Path]) -> Iterator[Scored]:
        """Score pictures in their order; an unusable one gives its problem. Memory does not grow with their number."""
        return in_order(paths, self.score_one, threads=self._threads)

    def score_one(self, path: Path) -> Scored:
        """Score one picture; never raises for what is in the file."""
        try:
            data = path.read_bytes()
        except OSError as error:
            return Scored(path, "", None, f"cannot be read: {error.strerror}")
        digest = sha256_of(data)
        spec = self.bundle.metadata.spec
        try:
            pixels = preprocess(decode(data, at_least=spec.decode_at_least, limits=TRAINER_LIMITS), spec)
        except PictureError as error:
            return Scored(path, digest, None, str(error))
        probabilities, *novelty = self._session.run(pixels[None], self._wanted)
        return Scored(path, digest, probabilities[0], novelty=float(novelty[0][0]) if novelty else None)
