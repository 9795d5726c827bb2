"""Predictions over the wire: the same request for the short way, past the app, and for the long one through it."""

import json
import re
import time
from pathlib import Path
from typing import Any

from tests.service.pictures import RED, picture
from tests.service.raw_http import Answer, connected, head
from tests.service.running import ServiceProcess

PICTURE = picture(RED)
LONG_WAY = "?top_k=5"
"""The default, said aloud."""
WAYS = {"short": "", "long": LONG_WAY}


def post(
    *headers: str, path: str = "/predict", body: bytes = PICTURE, version: str = "1.1", name: str = "the-same"
) -> bytes:
    """A prediction; `name` is what its client calls it."""
    line = f"POST {path} HTTP/{version}"
    return head(f"Content-Length: {len(body)}", f"X-Request-Id: {name}", *headers, line=line) + body


def ask(service: ServiceProcess, *pieces: bytes, pause_s: float = 0.0, half: bool = False) -> Answer:
    """Send something in pieces, perhaps no more after that, and read the answer."""
    with connected(service.port) as client:
        for piece in pieces:
            client.send(piece)
            time.sleep(pause_s)
        if half:
            client.half_close()
        return client.answer()


def lines_of(log: Path, name: str) -> list[dict[str, Any]]:
    """What is logged of a request."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [line for line in lines if line.get("request_id") == name]


def counted(service: ServiceProcess) -> dict[str, float]:
    """All series that the service tells of, with their labels."""
    with service.client() as client:
        text = client.get("/metrics").text
    return {name: float(value) for name, value in re.findall(r"^(\S+) (\S+)$", text, re.MULTILINE)}


def said(answer: Answer) -> tuple[int, list[str], str]:
    """Status, headers as they came but for their order, and body; of times only what they were of."""
    lines = (re.sub(r"(?<=dur=)[0-9.]+", "0", line) for line in answer.header_lines)
    varying = (re.sub(r"(?i)^(date|content-length|retry-after):.*", r"\1", line) for line in lines)
    return answer.status, sorted(map(without_names, varying)), without_names(answer.body.decode())


def without_names(text: str) -> str:
    """As it would be if requests of both ways were called alike: the end of their names says which way they took."""
    return re.sub(rf"[a-z0-9-]+[.-]({'|'.join(WAYS)})\b", "NAME", text)
