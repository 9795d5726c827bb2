"""A collector: takes spans by OTLP over HTTP and keeps them, as far as tests ask."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """What has arrived.

    Attributes:
        url: where it listens.
        spans: the spans, in their order.
        services: the `service.name` of each batch.
        makers: names of the instrumentation scopes that spans came under.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Any] = []
        self.services: list[str] = []
        self.makers: set[str] = set()

    def take(self, body: bytes) -> None:
        for batch in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services.append(attributes_of(batch.resource)["service.name"])
            for scope in batch.scope_spans:
                self.spans.extend(scope.spans)
                self.makers.add(scope.scope.name)

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    def below(self, span: Any) -> list[str]:
        """Names of a span's children, in the order in which they began."""
        children = [each for each in self.spans if each.parent_span_id == span.span_id]
        return [each.name for each in sorted(children, key=lambda each: each.start_time_unix_nano)]


def attributes_of(of: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if self.path == "/v1/traces":
                collector.take(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
