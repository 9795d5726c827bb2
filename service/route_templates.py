"""Which route a path would have come to: for the counts and the log of requests that are refused before the routes.

Only what needs a key is here; all else is refused by nobody beforehand. A path that is none of these is no template's.
"""

PREDICT, PREDICT_WITH = "/predict", "/models/{name}/predict"
INFER, INFER_VERSION = "/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer"

_TEMPLATES = (
    PREDICT,
    PREDICT_WITH,
    INFER,
    INFER_VERSION,
    "/explain",
    "/models/{name}/explain",
    "/models",
    "/models/{name}",
    "/admin/models/{name}/reload",
    "/admin/models/{name}/pin",
    "/admin/models/{name}/rollback",
    "/v2",
    "/v2/models/stats",  # before the next one, which it fits as well
    "/v2/models/{name}",
    "/v2/models/{name}/versions/{version}",
    "/v2/models/{name}/ready",
    "/v2/models/{name}/versions/{version}/ready",
    "/v2/repository/index",
    "/v2/repository/models/{name}/load",
    "/v2/repository/models/{name}/unload",
)
_PARTS = tuple((template, template.split("/")) for template in _TEMPLATES)


def template_of(path: str) -> str | None:
    """The template that a path fits; None where it fits none."""
    found = path.split("/")
    return next((template for template, parts in _PARTS if _fits(found, parts)), None)


def _fits(found: list[str], parts: list[str]) -> bool:
    return len(found) == len(parts) and all(
        bool(one) if part.startswith("{") else one == part for one, part in zip(found, parts, strict=True)
    )
