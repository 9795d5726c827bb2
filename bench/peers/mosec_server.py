"""Mosec: its Rust front, with as many worker processes as cores.

Chosen: `num` = the number of cores, one process each, and one thread for each session so that they do not compete. One
stage and no batching: its pages advise stages where pre-processing and inference use different hardware, and batches
where a model gains by them. It takes the picture as the request's body. Its log is as it is by default.
"""

import sys
from typing import Any

from mosec import Server, Worker

from bench.peers.model import BUNDLE, Answer, Model, bundle_from_environment, peer_arguments
from shared.cores import usable_cores


class Classify(Worker):
    """One picture a run."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(bundle_from_environment(), threads=1)

    def deserialize(self, data: bytes) -> bytes:
        """The body is the picture."""
        return data

    def forward(self, data: bytes) -> Answer:
        """A picture file -> its answer; JSON is what Mosec makes of it."""
        return self.model.predict(data)


def run(bundle: str, port: int) -> Any:
    """Serve until it is stopped; Mosec reads its options from the command line."""
    sys.argv = [sys.argv[0], "--port", str(port), "--address", "127.0.0.1", "--timeout", "60000"]
    server = Server()
    server.append_worker(Classify, num=usable_cores(), env=[{BUNDLE: bundle}] * usable_cores(), route="/predict")
    return server.run()


if __name__ == "__main__":
    given = peer_arguments(__doc__).parse_args()
    run(str(given.bundle), given.port)
