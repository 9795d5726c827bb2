"""A reverse proxy that shows a service below a prefix, as nginx does with `location /some/where/`."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

PASSED_ON = {"content-type", "accept", "authorization"}
NOT_PASSED_BACK = {"content-length", "transfer-encoding", "connection", "date", "server"}


@contextmanager
def proxy_below(prefix: str, target: str) -> Iterator[str]:
    """The URL under which `target` is seen."""
    with httpx.Client(base_url=target, trust_env=False, timeout=30) as client:

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not self.path.startswith(prefix):
                    self.send_error(404)
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
                path = "/" + self.path.removeprefix(prefix)
                answer = client.request(self.command, path, headers=headers, content=body)
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name not in NOT_PASSED_BACK:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_POST = do_GET  # noqa: N815 - http.server's name

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{prefix}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
