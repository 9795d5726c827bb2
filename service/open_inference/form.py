"""The Open Inference Protocol's form of an error, and where it is spoken: everything under /v2, whatever goes wrong."""

import json

PREFIX = "/v2"
MEDIA_TYPE = "application/json"


NO_SUCH_ROUTE = (
    "no such route. docs/open-inference.md lists those that there are; models' statistics and configuration, tracing "
    "and shared memory are not among them"
)


def speaks_open_inference(path: str) -> bool:
    """Whether who asks for this path understands `{"error": ...}` and no problem of RFC 9457."""
    return path.startswith(PREFIX) and path[len(PREFIX) : len(PREFIX) + 1] in ("", "/")


def error_body(sentence: str) -> bytes:
    """What an error is told as."""
    return json.dumps({"error": sentence}).encode()
