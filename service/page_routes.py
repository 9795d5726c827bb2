"""The try-it page: a browser gets the page at `/`, a program the doors; beside it lie the page's style and script."""

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from service.page_files import INDEX, read_page

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent / "page"
PAGE = read_page(FOLDER)  # a page that is broken is an error here and now, and not in somebody's browser
DOORS = {"predict": "POST /predict", "models": "/models", "ready": "/health/ready", "docs": "/docs"}

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",  # the preview of a picture that was not sent yet is a blob
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # labels and file names are other people's text: none of it is parsed
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Cache-Control": "no-cache",  # kept, but asked about each time: the page after an upgrade is the new one
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


@router.head("/")
@router.get("/")
async def front_door(request: Request) -> Response:
    """Where to go from here: the page for whoever names HTML in `Accept`, else where the doors are, in JSON."""
    wanted = wants_html(request.headers.get("accept", ""))
    response = _answer(request, INDEX) if wanted else JSONResponse(DOORS)
    response.headers["Vary"] = "Accept"
    return response


@router.head("/page/{name}")
@router.get("/page/{name}")
async def page_file(request: Request, name: str) -> Response:
    """The page's style, script and icon; what is asked for in another version than it has is not there.

    Raises HTTPException 404: a page of one version with a script of another would be broken in silence.
    """
    if name not in PAGE or name == INDEX or request.query_params.get("v", PAGE[name].tag) != PAGE[name].tag:
        raise HTTPException(404)
    return _answer(request, name)


def wants_html(accept: str) -> bool:
    """Whether a client with this `Accept` is to get a page: it names text/html, and JSON at most as gladly.

    `*/*`, as programs send it, does not name it.
    """
    weights = dict(map(_media_range, accept.split(",")))
    html = weights.get("text/html", 0.0)
    return html > 0 and html >= weights.get("application/json", 0.0)


def _media_range(text: str) -> tuple[str, float]:
    media_type, *parameters = (part.strip().lower() for part in text.split(";"))
    weight = next((part[2:].strip() for part in parameters if part.startswith("q=")), "1")
    try:
        return media_type, float(weight)
    except ValueError:
        return media_type, 0.0


def _answer(request: Request, name: str) -> Response:
    file = PAGE[name]
    tag = f'"{file.tag}"'
    headers = {**HEADERS, "ETag": tag}
    known = request.headers.get("if-none-match", "")
    if tag in (one.strip().removeprefix("W/") for one in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)
