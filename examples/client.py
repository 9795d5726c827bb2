"""Asks a Finial service what is in pictures: `python examples/client.py http://localhost:8000 PICTURE...`.

To copy: it needs httpx alone. A refusal that says when to come back is tried again then, and so is a connection that
was lost: asking twice changes nothing. What the same request cannot mend is not: the answer would be the same.
"""

import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import httpx

DEADLINE_S = 30.0  # for one picture, all attempts and pauses together
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 8.0  # doubled each time, where nothing else is said
MAY_PASS = {408, 502, 504}  # too slow, or said by a proxy; 503 and 429 say when to come back


class Refused(Exception):
    """There is no answer, and why, in a sentence. `kind` is the problem's; without `retry_after_s` trying is vain."""

    def __init__(self, why: str, *, kind: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(why)
        self.kind, self.retry_after_s = kind, retry_after_s


def classify(client: httpx.Client, picture: bytes, *, deadline_s: float = DEADLINE_S) -> dict[str, Any]:
    """What the service says about a picture, the bytes of a JPEG, PNG, WebP, BMP or GIF file.

    Raises:
        Refused: nothing, or not in time.
    """
    end, pause_s = time.monotonic() + deadline_s, FIRST_PAUSE_S
    while True:
        try:
            return _ask_once(client, picture, left_s=end - time.monotonic())
        except Refused as refused:
            if refused.retry_after_s is None:
                raise
            # Never sooner than asked for; and not when all others who were refused come back, too.
            wait_s = max(refused.retry_after_s, pause_s) * random.uniform(1.0, 1.5)  # noqa: S311 - no secret
            if time.monotonic() + wait_s >= end:
                raise
        time.sleep(wait_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _ask_once(client: httpx.Client, picture: bytes, *, left_s: float) -> dict[str, Any]:
    headers = {"Content-Type": "application/octet-stream", "X-Request-Timeout-Ms": str(max(1, int(left_s * 1000)))}
    try:
        response = client.post("/predict", content=picture, headers=headers, timeout=max(left_s, 0.001))
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.DecodingError) as error:
        raise Refused(f"cannot be asked: {error}") from error
    except httpx.TransportError as error:
        raise Refused(f"no answer: {str(error) or type(error).__name__}", retry_after_s=0) from error
    body = _json_of(response)
    if response.is_success and "predictions" in body:
        return body
    kind = str(body.get("type", "")).rpartition(":")[2]
    why = body.get("detail", f"this is no answer of Finial: {response.text[:80]!r}")
    raise Refused(f"{response.status_code} {kind}: {why}", kind=kind, retry_after_s=_retry_after_s(response))


def _json_of(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after_s(response: httpx.Response) -> float | None:
    said = response.headers.get("Retry-After", "")
    if said.isdigit():
        return float(said)
    return 0.0 if said or response.status_code in MAY_PASS else None  # said: a date, of a proxy


def main(arguments: list[str]) -> int:
    """Print a line for each picture; 0 if all have an answer."""
    if len(arguments) < 2:
        print("usage: python client.py URL PICTURE...   URL: http://host:8000, or .../models/NAME for one of several")
        return 2
    url, *paths = arguments
    key = os.environ.get("FINIAL_KEY")  # where the service asks for one
    failed = 0
    # One client for all pictures: it keeps the connection.
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"} if key else None) as client:
        for path in paths:
            try:
                answer = classify(client, Path(path).read_bytes())
            except (OSError, Refused) as error:
                failed += 1
                print(f"{path}: {error}", file=sys.stderr)
            else:
                doubt = " (unlike the training pictures)" if answer["unfamiliar"] else ""
                print(f"{path}: {answer['label'] or 'no label is likely enough'} {answer['score']:.3f}{doubt}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
