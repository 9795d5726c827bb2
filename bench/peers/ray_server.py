"""Ray Serve: a deployment of as many replicas as cores, behind its HTTP proxy.

Chosen: one CPU and one session thread for each replica (its page on resources: a replica reserves one CPU);
`RAY_SERVE_THROUGHPUT_OPTIMIZED=1`, as its guide to high throughput says (HAProxy, also named there, is a program of its
own and left out). The handler reads the request's body. A handler is `async def` because it awaits the body; what
computes runs in place, since a replica has one core. The dashboard is off, which saves it work.
"""

import os
import signal
import threading
from pathlib import Path
from typing import Any, cast

os.environ.setdefault("RAY_SERVE_THROUGHPUT_OPTIMIZED", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray  # reads the variables above
from ray import serve
from starlette.requests import Request

from bench.peers.model import Answer, Model, peer_arguments
from shared.cores import usable_cores


@serve.deployment(num_replicas=usable_cores(), ray_actor_options={"num_cpus": 1}, max_ongoing_requests=100)
class Classify:
    """One picture a run."""

    def __init__(self, bundle: str) -> None:
        self.model = Model(Path(bundle), threads=1)

    async def __call__(self, request: Request) -> Answer:
        """A request -> the answer of the picture that is its body."""
        return self.model.predict(await request.body())


if __name__ == "__main__":
    given = peer_arguments(__doc__).parse_args()
    over = threading.Event()
    ray.init(num_cpus=usable_cores(), include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": given.port}, proxy_location="HeadOnly")
    serve.run(cast("Any", Classify).bind(str(given.bundle)), route_prefix="/predict")
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    over.wait()
    serve.shutdown()
    ray.shutdown()
