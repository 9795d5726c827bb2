"""Judges a request's head: what llhttp lets pass and RFC 9112 does not.

A server and a proxy in front of it that understand one head differently can be made to see different requests
(request smuggling). So what is ambiguous is refused instead of interpreted, and its connection closed.
"""

from collections.abc import Sequence

import httptools

from service.connection_errors import RequestMalformed, UnsupportedHttpVersion
from service.errors import ServiceError

RawHeaders = Sequence[tuple[bytes, bytes]]

_VERSIONS = ("1.0", "1.1")
_LONGEST_LENGTH = len(str(2**64))


def fault_of(version: str, headers: RawHeaders) -> ServiceError | None:
    """Why a request with this head is not answered, or None.

    Args:
        version: of HTTP, e.g. "1.1".
        headers: names in lower case.
    """
    if version not in _VERSIONS:
        return UnsupportedHttpVersion(version)
    hosts = sum(name == b"host" for name, _ in headers)
    if hosts > 1 or (hosts == 0 and version != "1.0"):
        return RequestMalformed(f"it has {hosts} Host headers, expected one")
    coding = b", ".join(value for name, value in headers if name == b"transfer-encoding")
    if coding and version == "1.0":
        return RequestMalformed("HTTP/1.0 knows no Transfer-Encoding")
    if coding and coding.lower() != b"chunked":
        return RequestMalformed(f"its Transfer-Encoding is {coding[:40].decode('latin-1')!r}, expected chunked")
    if any(name == b"content-length" and len(value) > _LONGEST_LENGTH for name, value in headers):
        return RequestMalformed(f"its Content-Length has more than {_LONGEST_LENGTH} digits")
    return None


def origin_form(target: bytes) -> bytes:
    """The path and the query that a request is for, however it names them.

    Raises:
        RequestMalformed: it is neither a path nor an address.

    Source: RFC 9112, 3.2.2: a server takes the absolute form too. RFC 9110, 4.2.3: a path that is empty is `/`.
    """
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserError:
        url = None
    if url is None or not target.isascii():
        shown = target[:80].decode("latin-1")
        raise RequestMalformed(f"its target is {shown!r}, expected a path (/predict) or an address with one")
    return (url.path or b"/") + (b"" if url.query is None else b"?" + url.query)


def waits_for_continue(version: str, headers: RawHeaders) -> bool:
    """Whether the client holds its body back until it is told `100 Continue`.

    Source: RFC 9110, 10.1.1: not in HTTP/1.0, and not without a body.
    """
    fields = dict(headers)
    has_body = b"transfer-encoding" in fields or fields.get(b"content-length", b"0").strip(b"0") != b""
    return version != "1.0" and has_body and fields.get(b"expect", b"").lower() == b"100-continue"


def without_upgrade(method: bytes, target: bytes, version: str, headers: RawHeaders) -> bytes:
    """A head as it would have come from a client that offers no other protocol.

    Source: RFC 9110, 7.8: a server may ignore an Upgrade. CONNECT is left without a target that could be served.
    """
    if method == b"CONNECT":
        method, target = b"GET", b"CONNECT"
    lines = [b"%s %s HTTP/%s" % (method, target, version.encode())]
    kept = [(name, _without_offer(value) if name == b"connection" else value) for name, value in headers]
    lines += [b"%s: %s" % (name, value) for name, value in kept if name != b"upgrade" and (name, value) != _NO_OPTIONS]
    return b"\r\n".join(lines) + b"\r\n\r\n"


_NO_OPTIONS = (b"connection", b"")


def _without_offer(options: bytes) -> bytes:
    """Connection's other options: `close` among them, which the client waits for."""
    each = (option.strip() for option in options.split(b","))
    return b", ".join(option for option in each if option.lower() not in (b"", b"upgrade"))
