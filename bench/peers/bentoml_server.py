"""BentoML: a service class with `workers="cpu_count"`, served by `bentoml serve`.

Chosen: one worker for each core, as its page on workers advises where inference is bound by the CPU, and one thread for
each session so that workers do not compete. The endpoint takes the picture as the request's body (a single positional
argument, an `image/jpeg` file), which costs less than a form. No batching: its page on that is about models which gain
by it, and this one does not on a CPU. Log and metrics as they are by default.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import bentoml
from bentoml.validators import ContentType

from bench.peers.model import BUNDLE, Answer, Model, bundle_from_environment, peer_arguments


@bentoml.service(workers="cpu_count")
class Classify:
    """One picture a run."""

    def __init__(self) -> None:
        self.model = Model(bundle_from_environment(), threads=1)

    @bentoml.api
    def predict(self, image: Annotated[Path, ContentType("image/jpeg")], /) -> Answer:
        """A picture file -> its answer."""
        return self.model.predict(image.read_bytes())


if __name__ == "__main__":
    given = peer_arguments(__doc__).parse_args()
    environment = {**os.environ, BUNDLE: str(given.bundle)}
    command = [sys.executable, "-m", "bentoml", "serve", "bench.peers.bentoml_server:Classify"]
    command += ["--host", "127.0.0.1", "--port", str(given.port)]
    os.execve(sys.executable, command, environment)  # noqa: S606
