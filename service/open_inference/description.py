"""What /openapi.json says of inference requests beyond the types of the routes."""

from typing import Any

from service.open_inference.schemas import InferAnswer, InferenceError, InferRequest, RepositoryRequest

_OCTETS = {"type": "string", "format": "binary"}
_EXAMPLE = {
    "inputs": [{"name": "images", "datatype": "BYTES", "shape": [1], "data": ["iVBORw0KGgo... (a file in base64)"]}],
    "outputs": [{"name": "label"}, {"name": "probabilities"}],
}

_REQUEST = InferRequest.model_json_schema(ref_template="#/components/schemas/{model}")
SCHEMAS: dict[str, dict[str, Any]] = {
    **_REQUEST.pop("$defs"),
    "InferRequest": _REQUEST,
    "RepositoryRequest": RepositoryRequest.model_json_schema(),
}
"""What the body refers to; FastAPI does not know of it, since it is not it that reads the body."""

INFER_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The request in JSON; with Inference-Header-Content-Length, binary tensors after it.",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/InferRequest"}, "example": _EXAMPLE},
            "application/octet-stream": {"schema": _OCTETS},
        },
    }
}

INDEX_BODY: dict[str, Any] = {
    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/RepositoryRequest"}}}}
}

ANY_ERROR: dict[int | str, dict[str, Any]] = {
    "default": {"model": InferenceError, "description": "An error, as the protocol writes it."}
}

INFER_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "model": InferAnswer,
        "description": "The outputs; binary ones after the JSON, whose length is in Inference-Header-Content-Length.",
        "content": {"application/octet-stream": {"schema": _OCTETS}},
    },
    **{
        status: {"model": InferenceError, "description": meaning}
        for status, meaning in {
            400: "The request cannot be used.",
            404: "No such model, or not in that version.",
            413: "Too many bytes, or too many pixels.",
            415: "No picture format that is known here, or compressed in an unknown way.",
            422: "A picture cannot be decoded.",
            503: "Too many requests, or the model is not there; Retry-After says when to ask again.",
            504: "The deadline passed.",
        }.items()
    },
}
