"""Ray Serve: a deployment of as many replicas as cores, behind HAProxy, which its package brings along.

Chosen: one CPU and one session thread for each replica (its page on resources: a replica reserves one CPU);
`RAY_SERVE_THROUGHPUT_OPTIMIZED=1` and `RAY_SERVE_ENABLE_HA_PROXY=1`, as its guide to high throughput says: HAProxy
listens on the port instead of its proxy in Python, which on two cores doubles what is answered. The handler reads the
request's body. A handler is `async def` because it awaits the body; what computes runs in place, since a replica has
one core. The dashboard is off, which saves it work. It is not frozen while others are measured (`Side.freezes`): after
45 s of that its HAProxy ended and did not come back.
"""

import os
import signal
import threading
from pathlib import Path
from typing import Any, cast

from bench.sides import free_port

os.environ.setdefault("RAY_SERVE_THROUGHPUT_OPTIMIZED", "1")
os.environ.setdefault("RAY_SERVE_ENABLE_HA_PROXY", "1")
os.environ.setdefault("RAY_SERVE_HAPROXY_METRICS_PORT", str(free_port()))  # by default they are fixed,
os.environ.setdefault("RAY_SERVE_HAPROXY_STATS_PORT", str(free_port()))  # and HAProxy ends if another one has them
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
