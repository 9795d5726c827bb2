"""A web server of the tests: files of a folder, with ETags, dates or neither, and every way of failing to give them."""

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

Fault = Literal["hangs", "drips", "truncates", "short", "long", "500", "403", "endless"]


@dataclass
class Site:
    """What is served, how, and what was asked for.

    Attributes:
        tells: what an answer says of a file, to be asked with next time.
        faults: what goes wrong, by the end of the path that was asked for.
        asked: path and status of every request.
    """

    folder: Path
    tells: Literal["etag", "date", "nothing"] = "etag"
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def fault_of(self, path: str) -> Fault | None:
        return next((fault for end, fault in self.faults.items() if path.endswith(end)), None)

    def statuses(self, end: str) -> list[int]:
        return [status for path, status in self.asked if path.endswith(end)]


class _Handler(BaseHTTPRequestHandler):
    site: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        fault = self.site.fault_of(path)
        if fault == "hangs":
            self.site.asked.append((path, 0))
            self.site.released.wait()
            self.close_connection = True
        elif fault in ("500", "403"):
            self._answer(path, int(fault), b"")
        elif fault == "endless":
            self._send_endless(path)
        else:
            self._send_file(path, fault)

    def _send_file(self, path: str, fault: Fault | None) -> None:
        file = self.site.folder / path.lstrip("/")
        if not file.is_file():
            return self._answer(path, 404, b"")
        content, headers = file.read_bytes(), self._headers_of(file)
        if self._is_known(headers):
            return self._answer(path, 304, b"", headers)
        if fault == "short":
            return self._answer(path, 200, content[:-10], headers)
        if fault == "long":
            return self._answer(path, 200, content + bytes(200_000), headers)
        if fault in ("truncates", "drips"):
            return self._break_off(path, content, fault)
        return self._answer(path, 200, content, headers)

    def _headers_of(self, file: Path) -> dict[str, str]:
        if self.site.tells == "etag":
            return {"ETag": f'"{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}"'}
        return {"Last-Modified": formatdate(file.stat().st_mtime, usegmt=True)} if self.site.tells == "date" else {}

    def _is_known(self, headers: dict[str, str]) -> bool:
        asked = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
        return any(self.headers.get(asked[name]) == value for name, value in headers.items())

    def _answer(self, path: str, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.site.asked.append((path, status))
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _break_off(self, path: str, content: bytes, fault: Fault) -> None:
        self.site.asked.append((path, 200))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        for byte in content[len(content) // 2 :] if fault == "drips" else b"":
            if self.site.released.wait(0.05):
                break
            self.wfile.write(bytes([byte]))
        self.close_connection = True

    def _send_endless(self, path: str) -> None:
        self.site.asked.append((path, 200))
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        while not self.site.released.is_set():
            self.wfile.write(bytes(65536))

    def log_message(self, *_arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave are part of what is tested."""


@contextlib.contextmanager
def web_site(site: Site) -> Iterator[Site]:
    """Serve it on a free port."""
    with _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site})) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield site
        finally:
            site.released.set()
            server.shutdown()
            thread.join()
