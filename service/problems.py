"""The one table from errors to HTTP answers: RFC 9457 problems, each with a stable type and a sentence that helps."""

import http
import re
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Scope

from service.access_errors import (
    AdminClosed,
    KeyMissing,
    KeyNotAllowed,
    KeyUnknown,
    OriginNotAllowed,
    RateLimited,
)
from service.admin_errors import (
    AdminBusy,
    BodyNotTaken,
    NoEarlierVersion,
    NoSuchVersionName,
    VersionFixed,
    VersionNotLoadable,
)
from service.connection_errors import (
    HeadersTooLarge,
    HeadersTooSlow,
    RequestBrokenOff,
    RequestMalformed,
    TooManyConnections,
    UnsupportedHttpVersion,
)
from service.errors import ServiceError
from service.model_errors import (
    ModelFailed,
    ModelNotChosen,
    ModelNotLoaded,
    NoModel,
    RepositoryNotControlled,
    UnknownLabel,
    UnknownModel,
    UnknownVersion,
)
from service.open_inference.form import MEDIA_TYPE as INFERENCE_MEDIA_TYPE
from service.open_inference.form import NO_SUCH_ROUTE, error_body, speaks_open_inference
from service.pool_errors import PoolClosed, PoolTimeout, RunnerBroken, TooManyWaiting, WaitTooLong
from service.request_counts import note_problem
from service.request_errors import (
    InferenceMalformed,
    NoPicture,
    RepeatedParameter,
    TooManyPictures,
    TooManyUploads,
    UnknownParameter,
    UnsupportedContentType,
    UnsupportedEncoding,
    UploadMalformed,
    UploadTooLarge,
    UploadTooSlow,
)
from service.request_ids import HEADER, SERVER_TIMING, request_id_of
from service.schemas import Problem
from service.stage_times import known_stage_times
from service.store_errors import StoreClosed, StoreUnreachable
from shared.complaints import expectation
from shared.errors import FinialError, PictureCorrupt, PictureTooLarge, TooManyPixels, UnknownFormat

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:finial:problem:"


@dataclass(frozen=True)
class Kind:
    """One kind of problem: what clients may build on, and how long to wait before trying again, if that helps."""

    status: int
    slug: str
    title: str
    retry_after_s: int | None = None


INTERNAL = Kind(500, "internal-error", "The service made a mistake")
BAD_PARAMETER = Kind(400, "bad-parameter", "A parameter cannot be used")
NOT_FOUND = Kind(404, "not-found", "There is no such route")
METHOD_NOT_ALLOWED = Kind(405, "method-not-allowed", "The route does not know this method")
DRAINING = Kind(503, "draining", "The service is shutting down", retry_after_s=1)

KINDS: dict[type[FinialError], Kind] = {
    UnknownParameter: BAD_PARAMETER,
    BodyNotTaken: BAD_PARAMETER,
    NoSuchVersionName: BAD_PARAMETER,
    RepeatedParameter: BAD_PARAMETER,
    InferenceMalformed: Kind(400, "bad-inference-request", "The inference request cannot be used"),
    RepositoryNotControlled: Kind(400, "models-not-controlled", "Models are not loaded by request"),
    NoPicture: Kind(400, "no-picture", "The request has no picture"),
    RequestMalformed: Kind(400, "bad-request", "The request is not well-formed HTTP"),
    RequestBrokenOff: Kind(400, "request-broken-off", "The request breaks off"),
    UploadMalformed: Kind(400, "bad-multipart", "The multipart body is not well-formed"),
    KeyMissing: Kind(401, "key-missing", "The request needs a key"),
    KeyUnknown: Kind(401, "key-unknown", "The key is not known"),
    AdminClosed: Kind(403, "admin-closed", "Admin verbs are closed"),
    OriginNotAllowed: Kind(403, "origin-not-allowed", "Pages of this origin may not ask"),
    KeyNotAllowed: Kind(403, "key-not-allowed", "The caller may not do this"),
    UnknownLabel: Kind(400, "unknown-label", "The model has no such label"),
    TooManyPictures: Kind(400, "too-many-pictures", "One picture is taken at a time"),
    UnknownModel: Kind(404, "unknown-model", "There is no such model"),
    UnknownVersion: Kind(404, "unknown-version", "The model is served in another version"),
    HeadersTooSlow: Kind(408, "headers-too-slow", "The headers did not arrive in time"),
    UploadTooSlow: Kind(408, "upload-too-slow", "The body did not arrive in time"),
    ModelNotChosen: Kind(409, "model-not-chosen", "There are several models and none is the default"),
    NoEarlierVersion: Kind(409, "no-earlier-version", "There is no earlier version to go back to"),
    VersionFixed: Kind(409, "version-fixed", "The version of this entry cannot be changed"),
    UploadTooLarge: Kind(413, "upload-too-large", "The body is too large"),
    PictureTooLarge: Kind(413, "picture-too-large", "The picture has too many bytes"),
    TooManyPixels: Kind(413, "too-many-pixels", "The picture has too many pixels"),
    UnsupportedContentType: Kind(415, "unsupported-content-type", "The body is announced as something else"),
    UnsupportedEncoding: Kind(415, "unsupported-encoding", "The body is compressed in an unknown way"),
    UnknownFormat: Kind(415, "unknown-format", "Not an accepted picture format"),
    PictureCorrupt: Kind(422, "undecodable-picture", "The picture cannot be decoded"),
    VersionNotLoadable: Kind(422, "version-not-loadable", "The version cannot be served"),
    RateLimited: Kind(429, "rate-limited", "The key has made as many requests as it may"),
    HeadersTooLarge: Kind(431, "headers-too-large", "The headers are too large"),
    ModelFailed: Kind(500, "model-failed", "The model fails with this picture"),
    AdminBusy: Kind(503, "admin-busy", "The model is being looked at", retry_after_s=5),
    TooManyConnections: Kind(503, "too-many-connections", "Too many clients are connected", retry_after_s=1),
    TooManyUploads: Kind(503, "too-many-uploads", "Too much is being uploaded", retry_after_s=1),
    TooManyWaiting: Kind(503, "queue-full", "Too many requests are waiting", retry_after_s=1),
    WaitTooLong: Kind(503, "wait-too-long", "The wait would outlast the deadline", retry_after_s=1),
    PoolClosed: DRAINING,
    StoreClosed: DRAINING,
    StoreUnreachable: Kind(503, "store-unreachable", "Where models come from cannot be read", retry_after_s=5),
    NoModel: Kind(503, "no-model", "No model is served yet", retry_after_s=2),
    RunnerBroken: Kind(503, "broken", "The service must be restarted", retry_after_s=5),
    ModelNotLoaded: Kind(503, "model-not-loaded", "The model is not loaded", retry_after_s=2),
    PoolTimeout: Kind(504, "deadline-passed", "The deadline passed before there was an answer"),
    UnsupportedHttpVersion: Kind(505, "http-version", "The request is of another version of HTTP"),
}


def problem_of(error: FinialError, *, request_id: str) -> Problem:
    """The problem that an error of ours is, for an answer or for an entry in a list of results."""
    kind = kind_of(error)
    detail = str(error) if kind is not INTERNAL else _INTERNAL_DETAIL
    return _problem(kind, detail, request_id)


def problem_response(error: FinialError, scope: Scope) -> Response:
    """The answer that an error of ours is, for whoever stands outside of the app."""
    return respond(kind_of(error), str(error), scope, headers_of(error))


def install_problems(app: FastAPI) -> None:
    """Let every error path of an app end in problem+json."""
    app.exception_handler(FinialError)(answer_finial_error)
    app.exception_handler(RequestValidationError)(_answer_bad_parameter)
    app.exception_handler(HTTPException)(_answer_http_error)
    app.exception_handler(ClientDisconnect)(answer_nobody)
    app.exception_handler(Exception)(_answer_unexpected)


_INTERNAL_DETAIL = "Something unexpected happened; it was logged under this request id. Trying again may help."


def kind_of(error: FinialError) -> Kind:
    """Which kind of problem an error is."""
    return next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), INTERNAL)


_MORE_HEADERS = "more_headers"


def note_headers(scope: Scope, headers: dict[str, str]) -> None:
    """What even the answer to an unexpected error is to say, which is made outside of every middleware."""
    scope.setdefault("state", {})[_MORE_HEADERS] = headers


def headers_of(error: FinialError) -> dict[str, str]:
    """What the answer to an error must say besides the problem."""
    return dict(error.headers) if isinstance(error, ServiceError) else {}


_ADDRESS = re.compile(r"\w+://")


def _problem(kind: Kind, detail: str, request_id: str) -> Problem:
    sentence = detail if _ADDRESS.match(detail) else detail[:1].upper() + detail[1:]
    return Problem(
        type=TYPE_PREFIX + kind.slug, title=kind.title, status=kind.status, detail=sentence, request_id=request_id
    )


def respond(kind: Kind, detail: str, scope: Scope, headers: dict[str, str] | None = None) -> Response:
    """The answer that a problem is; the counts are told of it."""
    request_id = request_id_of(scope)
    note_problem(scope, kind.slug)
    problem = _problem(kind, detail, request_id)
    headers = {**(headers or {}), HEADER: request_id}  # an unexpected error is answered outside of RequestIds
    if kind.retry_after_s is not None:
        headers["Retry-After"] = str(kind.retry_after_s)
    if speaks_open_inference(scope.get("path", "")):
        return Response(error_body(problem.detail), kind.status, headers, media_type=INFERENCE_MEDIA_TYPE)
    return Response(problem.model_dump_json(), kind.status, headers, media_type=MEDIA_TYPE)


async def answer_finial_error(request: Request, error: FinialError) -> Response:
    """The answer that an error of ours is; one that is not meant for clients is raised again."""
    if (kind := kind_of(error)) is INTERNAL:
        raise error  # not meant for clients: logged and answered as unexpected
    return respond(kind, str(error), request.scope, headers_of(error))


async def _answer_bad_parameter(request: Request, error: RequestValidationError) -> Response:
    found = "; ".join(_in_words(e) for e in error.errors())
    if "body" in {e["loc"][0] for e in error.errors()} and not _is_json(request):
        announced = request.headers.get("content-type", "nothing")
        found += f"; it is announced as {announced[:80]!r}, expected is Content-Type: application/json"
    return respond(BAD_PARAMETER, f"{found}. /openapi.json says what is accepted.", request.scope)


def _in_words(found: dict[str, Any]) -> str:
    place, *names = found["loc"]
    if found["type"] == "missing" and place == "body" and not names:
        return "the body is missing"
    field = ".".join(name for name in names if isinstance(name, str))  # a number says where JSON ends to be JSON
    of_body = f"the body's field {field}" if field else "the body"
    where = of_body if place == "body" else f"the parameter {field}"
    return f"{where}: {expectation(found)}, found {str(found.get('input'))[:80]!r}"


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


async def _answer_http_error(request: Request, error: HTTPException) -> Response:
    where = f"{request.method} {request.url.path[:200]}"
    headers = dict(error.headers or {})
    if error.status_code == NOT_FOUND.status:
        known = "no such route. Pictures go to POST /predict; /docs lists the rest"
        told = NO_SUCH_ROUTE if speaks_open_inference(request.url.path) else known
        return respond(NOT_FOUND, f"{where}: {told}.", request.scope)
    if error.status_code == METHOD_NOT_ALLOWED.status:
        allowed = _allowed(request)
        detail = f"{where}: this route knows {allowed}."
        return respond(METHOD_NOT_ALLOWED, detail, request.scope, headers | {"Allow": allowed})
    phrase = http.HTTPStatus(error.status_code).phrase
    kind = Kind(error.status_code, phrase.lower().replace(" ", "-"), phrase)
    return respond(kind, str(error.detail), request.scope, headers)


def _allowed(request: Request) -> str:
    """What is known at this path. Starlette tells the methods of the first route there only."""
    routes = request.app.routes
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    return ", ".join(
        method for method, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)
    )


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


async def answer_nobody(_request: Request, _error: ClientDisconnect) -> Response:
    """The client has gone; whatever is returned here is dropped."""
    return Response(status_code=http.HTTPStatus.BAD_REQUEST)


async def _answer_unexpected(request: Request, _error: Exception) -> Response:
    # uvicorn closes the connection after it; the client is to know.
    more: dict[str, str] = request.scope.get("state", {}).get(_MORE_HEADERS, {})
    headers = {"Connection": "close", **more}
    if (times := known_stage_times(request.scope)) is not None:
        headers[SERVER_TIMING] = times.server_timing()  # as the id: RequestIds does not see this answer
    return respond(INTERNAL, _INTERNAL_DETAIL, request.scope, headers)
