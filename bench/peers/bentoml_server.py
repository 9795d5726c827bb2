"""BentoML: a service class with `workers="cpu_count"` and a mounted route, served by `bentoml serve`.

Chosen: one worker for each core, as its page on workers advises where inference is bound by the CPU, and one thread for
each session so that workers do not compete. The route is an ASGI app mounted into the service (its page on mounting
such apps): it has the request's body as bytes, and computes in place, since a worker has one core. An endpoint of its
own (`@bentoml.api`) takes a picture as a temporary file for each request or decodes it with Pillow itself; with the
file it answered 0.55 to 0.75 as many. No batching: its page on that is about models which gain by it, and this one does
not on a CPU. Log and metrics as they are by default.
"""

import os
import sys

import bentoml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.peers.model import BUNDLE, Model, bundle_from_environment, peer_arguments


async def predict(request: Request) -> JSONResponse:
    """A request -> the answer of the picture that is its body."""
    return JSONResponse(bentoml.get_current_service().model.predict(await request.body()))


@bentoml.asgi_app(Starlette(routes=[Route("/predict", predict, methods=["POST"])]))
@bentoml.service(workers="cpu_count")
class Classify:
    """One picture a run."""

    def __init__(self) -> None:
        self.model = Model(bundle_from_environment(), threads=1)


if __name__ == "__main__":
    given = peer_arguments(__doc__).parse_args()
    environment = {**os.environ, BUNDLE: str(given.bundle)}
    command = [sys.executable, "-m", "bentoml", "serve", "bench.peers.bentoml_server:Classify"]
    command += ["--host", "127.0.0.1", "--port", str(given.port)]
    os.execve(sys.executable, command, environment)  # noqa: S606
