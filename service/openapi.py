"""What /openapi.json says beyond the types of the routes: how pictures are sent, and what errors look like."""

from collections import defaultdict
from typing import Any

from service.problems import KINDS, MEDIA_TYPE

_PICTURE = {"type": "string", "format": "binary"}

UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One picture or several: JPEG, PNG, WebP, BMP or GIF.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {"type": "array", "items": _PICTURE, "description": "One part per picture."},
                        "image": {"type": "array", "items": _PICTURE, "description": "The same under another name."},
                    },
                }
            },
            "image/*": {"schema": _PICTURE},
            "application/octet-stream": {"schema": _PICTURE},
        },
    }
}

_PROBLEM_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

ANY_PROBLEM: dict[int | str, dict[str, Any]] = {"default": {"description": "A problem.", "content": _PROBLEM_CONTENT}}


def upload_problems() -> dict[int | str, dict[str, Any]]:
    """The answers to an upload that failed, by status, with every kind of problem that has it."""
    titles = defaultdict(list)
    for kind in dict.fromkeys(KINDS.values()):
        titles[kind.status].append(f"`{kind.slug}`: {kind.title}.")
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": " ".join(lines), "content": _PROBLEM_CONTENT}
        for status, lines in sorted(titles.items())
    }
    responses[503]["headers"] = {
        "Retry-After": {"description": "Seconds to wait before trying again.", "schema": {"type": "integer"}}
    }
    return responses
