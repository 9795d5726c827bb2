"""What breaks HTTP itself, before there is a request that a route could see."""

from service.errors import ServiceError


class RequestMalformed(ServiceError):
    """Not HTTP/1.1 as it is to be, or not only one thing that it can mean."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"the request cannot be understood ({detail.rstrip('.')}). Let your HTTP library write the request, "
            "and look at what stands between it and the service."
        )


class RequestBrokenOff(ServiceError):
    """The connection was closed in the middle of a request; nearly always the client is not there any more."""

    def __init__(self) -> None:
        super().__init__(
            "the request breaks off: the connection was closed before its end. Keep it open, and send as many bytes as "
            "Content-Length says."
        )


class UnsupportedHttpVersion(ServiceError):
    """Another version of HTTP."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the request is of HTTP/{found}; 1.1 and 1.0 are spoken here.")


class HeadersTooLarge(ServiceError):
    """The request's head has too many bytes; the rest was not read."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            f"request line and headers have more than {max_bytes:,} bytes. Send fewer or shorter ones (cookies?), "
            "or ask the operator to raise --max-headers."
        )


class HeadersTooSlow(ServiceError):
    """The request's head did not arrive in time."""

    def __init__(self, *, waited_s: float) -> None:
        super().__init__(f"the request's headers were not complete after {waited_s:g} s. Send them at once.")


class TooManyConnections(ServiceError):
    """As many clients as the service takes are connected."""

    def __init__(self, max_connections: int) -> None:
        super().__init__(
            f"{max_connections:,} connections are open already. Try again shortly, and use one connection for "
            "several requests; the operator may raise --max-connections."
        )
