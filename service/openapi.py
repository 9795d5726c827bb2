"""What /openapi.json says beyond the types of the routes: how pictures are sent, and what errors look like."""

from collections import defaultdict
from typing import Any

from service.problems import KINDS, MEDIA_TYPE

_PICTURE = {"type": "string", "format": "binary", "minLength": 1}

SCHEMAS: dict[str, dict[str, Any]] = {
    "Pictures": {
        "title": "Pictures",
        "description": "A form with one part per picture; parts named `image` are taken as well, others are ignored.",
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "array", "items": _PICTURE, "minItems": 1, "maxItems": 32}},
    }
}
"""What is named in the description and is no model of `schemas`."""

UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One picture or several: JPEG, PNG, WebP, BMP or GIF, told by their content.",
        "content": {
            "multipart/form-data": {"schema": {"$ref": "#/components/schemas/Pictures"}},
            "image/*": {"schema": _PICTURE},
            "application/octet-stream": {"schema": _PICTURE},
        },
    }
}

OF_ADMIN_VERBS = frozenset(
    {
        "admin-busy",
        "admin-closed",
        "no-earlier-version",
        "origin-not-allowed",
        "store-unreachable",
        "version-fixed",
        "version-not-loadable",
    }
)
"""Kinds of problems that no upload ends in."""

OF_OPEN_INFERENCE = frozenset(
    {"bad-inference-request", "models-not-controlled", "unknown-version", "unsupported-encoding"}
)
"""Kinds that come only below /v2, where errors have another form."""

_PROBLEM_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

ANY_PROBLEM: dict[int | str, dict[str, Any]] = {"default": {"description": "A problem.", "content": _PROBLEM_CONTENT}}


def upload_problems() -> dict[int | str, dict[str, Any]]:
    """The answers to an upload that failed, by status, with every kind of problem that has it."""
    titles = defaultdict(list)
    for kind in dict.fromkeys(kind for kind in KINDS.values() if kind.slug not in OF_ADMIN_VERBS | OF_OPEN_INFERENCE):
        titles[kind.status].append(f"`{kind.slug}`: {kind.title}.")
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": " ".join(lines), "content": _PROBLEM_CONTENT}
        for status, lines in sorted(titles.items())
    }
    return responses
