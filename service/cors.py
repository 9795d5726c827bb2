"""Which pages of other origins may read the answers: none, unless their origin was named.

An answer without these headers is shown by a browser as "network error", so every answer has them: refusals too.

Source: the Fetch standard, 3.2 (CORS protocol).
"""

from collections.abc import Collection, Iterable

from service.access_errors import OriginNotAllowed

ANY = "*"
ALLOWED_METHODS = "GET, HEAD, POST, DELETE"
ALLOWED_HEADERS = ", ".join(
    (
        "Authorization",
        "X-Api-Key",
        "Content-Type",
        "X-Request-Id",
        "X-Request-Timeout-Ms",
        "Inference-Header-Content-Length",
        "traceparent",
        "tracestate",
    )
)
EXPOSED_HEADERS = "X-Request-Id, Server-Timing, Retry-After, WWW-Authenticate, Inference-Header-Content-Length"
REMEMBERED_S = 600

RawHeaders = Iterable[tuple[bytes, bytes]]


class Cors:
    """What a browser is told.

    Args:
        origins: that may read answers, as browsers write them; `*` for all, none for none. Cookies are never allowed,
            so what a page may do here is what its script could do from anywhere with the key that it was given.
    """

    def __init__(self, origins: Collection[str]) -> None:
        self._origins, self._any = frozenset(origins), ANY in origins

    def headers_for(self, asked: RawHeaders) -> dict[str, str]:
        """What the answer to a request must say besides; nothing where no browser asks from elsewhere."""
        if not self._origins:
            return {}
        if self._any:
            found = ANY if _value(asked, b"origin") is not None else None
        else:
            found = _origin_in(asked, self._origins)
        told = {} if self._any else {"Vary": "Origin"}  # else a cache might give one origin's answer to another
        if found is None:
            return told
        return {"Access-Control-Allow-Origin": found, "Access-Control-Expose-Headers": EXPOSED_HEADERS, **told}

    def preflight(self, method: str, asked: RawHeaders) -> dict[str, str] | None:
        """The headers of the answer to a browser that asks beforehand; None where the request is no such question.

        Raises:
            OriginNotAllowed: it asks for a page that may not.
        """
        if method != "OPTIONS" or _value(asked, b"access-control-request-method") is None:
            return None
        if (origin := _value(asked, b"origin")) is None:
            return None
        told = self.headers_for(asked)
        if "Access-Control-Allow-Origin" not in told:
            raise OriginNotAllowed(origin)
        del told["Access-Control-Expose-Headers"]
        return told | {
            "Access-Control-Allow-Methods": ALLOWED_METHODS,
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": str(REMEMBERED_S),
        }


def _value(headers: RawHeaders, wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in headers if name == wanted), None)


def _origin_in(headers: RawHeaders, origins: Collection[str]) -> str | None:
    origin = _value(headers, b"origin")
    return origin if origin in origins else None
