"""What /openapi.json says of keys: how one is sent, and which operations take one."""

from typing import Any

from service.open_paths import right_for

SCHEMES: dict[str, dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of this service."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same in another header."},
}
ADMIN_TAG = {"name": "admin", "description": "For whoever runs the service; only with an admin's key."}

_EITHER: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
_OR_NONE: list[dict[str, list[str]]] = [*_EITHER, {}]


def describe_keys(description: dict[str, Any]) -> None:
    """Add to a description what its operations need. Without --api-keys nobody needs a key but an admin."""
    description["components"]["securitySchemes"] = SCHEMES
    for path, operations in description["paths"].items():
        right = right_for(path)
        for operation in operations.values():
            if right is not None:
                operation["security"] = _EITHER if right == "admin" else _OR_NONE
