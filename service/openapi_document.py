"""The app that describes itself whole: /openapi.json with the examples, headers and names that clients are made from.

What one route alone knows stands beside it (`service.openapi`); here is what all have in common.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from service.open_inference.description import SCHEMAS as INFERENCE_SCHEMAS
from service.openapi import OF_OPEN_INFERENCE, SCHEMAS
from service.openapi_keys import ADMIN_TAG, describe_keys
from service.problem_examples import problem_examples
from service.problems import KINDS, MEDIA_TYPE

SUMMARY = "Picture classification from published bundles."
DESCRIPTION = """
Send a picture to `POST /predict` as a form's part named `file`, or as the body; the answer is its label and score.

Errors are `application/problem+json` (RFC 9457); build on their `type`. Each has a page in Finial's documents,
`docs/problems/NAME.md`: why it comes, what a client does, what an operator does. What comes with `Retry-After` can be
sent again after that many seconds.
"""
TAGS = [
    {"name": "predict", "description": "Pictures in, labels out."},
    {"name": "open inference", "description": "The Open Inference Protocol v2, for clients of KServe and Triton."},
    {"name": "models", "description": "What is served."},
    ADMIN_TAG,
    {"name": "health", "description": "For orchestrators, balancers and Prometheus."},
]
SERVERS = [{"url": "/", "description": "Where this description is from."}]

_SECONDS = {"schema": {"type": "integer", "minimum": 0}, "example": 1}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "The request's own, if it is a sane one, or a fresh one; it is in the service's log.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait before the same is sent again.", **_SECONDS},
}


class DescribedApp(FastAPI):
    """FastAPI with a description that is completed when it is first asked for.

    Args:
        lifespan: FastAPI's.
    """

    def __init__(self, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> None:
        super().__init__(
            title="Finial",
            summary=SUMMARY,
            description=DESCRIPTION,
            openapi_tags=TAGS,
            servers=SERVERS,
            generate_unique_id_function=operation_id,
            redirect_slashes=False,
            lifespan=lifespan,
            # Spans that nobody takes cost 20 us each request; `service.tracing` makes those that are wanted. FastAPI's
            # versions that make none do not know the option, and pass it over.
            telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        )

    def openapi(self) -> dict[str, Any]:
        """What /openapi.json says."""
        if not self.openapi_schema:
            _complete(super().openapi())
        return super().openapi()


def operation_id(route: APIRoute) -> str:
    """Name of an operation, and so of a generated client's method: the function's."""
    return route.name


def _complete(description: dict[str, Any]) -> None:
    examples = dict(problem_examples())
    components = description["components"]
    components["headers"], components["examples"] = HEADERS, examples
    components["schemas"].update(SCHEMAS | INFERENCE_SCHEMAS)
    describe_keys(description)
    for operations in description["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                _complete_parameter(parameter)
            for status, response in operation["responses"].items():
                _complete_response(str(status), response, examples)


def _complete_parameter(parameter: dict[str, Any]) -> None:
    """A parameter is left out or has a value; it is never null, as the type in Python says."""
    schema = parameter["schema"]
    values = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    if len(values) == 1:
        schema.update(values[0])
    elif values:
        schema["anyOf"] = values


def _complete_response(status: str, response: dict[str, Any], examples: dict[str, Any]) -> None:
    headers = response.setdefault("headers", {})
    headers["X-Request-Id"] = {"$ref": "#/components/headers/X-Request-Id"}
    problems = response.get("content", {}).get(MEDIA_TYPE)
    slugs = sorted({kind.slug for kind in KINDS.values() if str(kind.status) == status} - OF_OPEN_INFERENCE)
    if problems is None or not slugs:
        return
    if any(kind.retry_after_s for kind in KINDS.values() if str(kind.status) == status):
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    shown = {slug: {"$ref": f"#/components/examples/{slug}"} for slug in slugs if slug in examples}
    if shown:
        problems["examples"] = shown
