"""LitServe: decode, predict and encode in worker processes of a LitAPI; `--batched` for its dynamic batching.

Chosen: `accelerator="cpu"` and `workers_per_device` = the number of cores, as its reference says for CPUs ("For CPU,
set to the number of cores"), one thread for each session so that workers do not compete, and as many API servers as
workers, which is its default; `fast_queue=True` (ZeroMQ instead of a manager's queues), as the same page says for more
than 100 requests a second. A picture comes as a form's part that FastAPI reads into bytes, so that the whole of it can
be handed to a worker however large it is; base64 in JSON, as in its image examples, is a third more to send and to hand
over. Batched: up to 8 pictures, waiting at most 10 ms for company, after its page on batching; the session then has one
thread as well, since there are as many workers as cores. Its access log is uvicorn's, on.
"""

from typing import Annotated, Any

import litserve
import numpy as np
from fastapi import File
from numpy.typing import NDArray

from bench.peers.model import Answer, Model, peer_arguments
from shared.cores import usable_cores

MAX_BATCH, WAIT_S = 8, 0.01
Pixels = NDArray[np.uint8]


class Classify(litserve.LitAPI):
    """One picture a run."""

    def __init__(self, bundle: Any, **options: Any) -> None:
        super().__init__(api_path="/predict", **options)
        self.bundle = bundle

    def setup(self, device: str) -> None:  # noqa: ARG002 -- it is the CPU
        """Open the session in the worker."""
        self.model = Model(self.bundle, threads=1)

    def decode_request(self, request: Annotated[bytes, File(alias="file")]) -> Pixels:
        """A picture file -> pixels."""
        return self.model.pixels(request)

    def predict(self, x: Any) -> Any:
        """Pixels -> their answer."""
        return self.model.predict_pixels([x])[0]

    def encode_response(self, output: Answer) -> Answer:
        """An answer is JSON already."""
        return output


class ClassifyBatches(Classify):
    """Several pictures a run."""

    def predict(self, x: Any) -> Any:
        """A list of pixels -> as many answers."""
        return self.model.predict_pixels(x)

    def batch(self, inputs: list[Pixels]) -> list[Pixels]:
        """A list stays one; the run stacks it."""
        return inputs

    def unbatch(self, output: list[Answer]) -> list[Answer]:
        """One answer a request."""
        return output


if __name__ == "__main__":
    parser = peer_arguments(__doc__)
    parser.add_argument("--batched", action="store_true")
    given = parser.parse_args()
    if given.batched:
        api: Classify = ClassifyBatches(given.bundle, max_batch_size=MAX_BATCH, batch_timeout=WAIT_S)
    else:
        api = Classify(given.bundle)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=usable_cores(), fast_queue=True)
    server.run(host="127.0.0.1", port=given.port, generate_client_file=False)
