"""What is answered without a key even where keys are in use: probes, metrics, the page and the description of the API.

All else needs one, also what there is not: a route that is added is closed until it is named here.
"""

from service.key_file import Right

OPEN_PATHS = frozenset(
    {
        "/",
        "/health/live",
        "/health/ready",
        "/v2/health/live",
        "/v2/health/ready",
        "/metrics",
        "/docs",
        "/docs/oauth2-redirect",
        "/redoc",
        "/openapi.json",
    }
)
OPEN_PREFIXES = ("/page/",)
"""Folders of static files."""
ADMIN_PREFIX = "/admin/"


def right_for(path: str) -> Right | None:
    """What a key must be good for to ask for a path; None for what is open."""
    if path.startswith(ADMIN_PREFIX):
        return "admin"
    return None if path in OPEN_PATHS or path.startswith(OPEN_PREFIXES) else "predict"
