"""What a client may get wrong in what it sends: parameters, bodies, pictures."""

from collections.abc import Sequence

from service.errors import ServiceError


class UnknownParameter(ServiceError):
    """A parameter that the route does not have."""

    def __init__(self, found: str, *, known: Sequence[str], meant: str | None) -> None:
        hint = f" Did you mean {meant}?" if meant else " Take it out of the address."
        super().__init__(f"the parameter {found[:80]!r} is unknown here; choose from {', '.join(known)}.{hint}")


class RepeatedParameter(ServiceError):
    """A parameter that is given several times."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the parameter {found} is given more than once, expected once. Send the one that is meant.")


class NoPicture(ServiceError):
    """The request carries nothing to classify."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"{found}; expected a picture. Send a multipart part named `file` (curl -F file=@picture.jpg URL), "
            "or the picture itself as the body with Content-Type image/jpeg."
        )


class TooManyPictures(ServiceError):
    """Several pictures, where one is taken."""

    def __init__(self, found: int) -> None:
        super().__init__(f"the form has {found} pictures; one at a time is explained. Send a request for each.")


class UploadMalformed(ServiceError):
    """The multipart body cannot be taken apart."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"the multipart body is not well-formed ({detail.rstrip('.')}). "
            "Let your HTTP library write body and boundary."
        )


class UnsupportedContentType(ServiceError):
    """The body is announced as something else than a picture or a form with pictures."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the body is announced as {found or 'nothing (no Content-Type)'}, expected multipart/form-data, image/* "
            "or application/octet-stream. With curl: -F file=@picture.jpg, "
            "or -H 'Content-Type: image/jpeg' --data-binary @picture.jpg."
        )


class UnsupportedEncoding(ServiceError):
    """The body is compressed in a way that is not known here."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the body is encoded as {found[:40]!r}; expected gzip, deflate or none.")


class UploadTooLarge(ServiceError):
    """More bytes of body than the limit allows; the rest was not read."""

    def __init__(self, *, found: str, max_bytes: int) -> None:
        super().__init__(
            f"the body has {found} bytes; at most {max_bytes:,} are accepted. Send a smaller picture, fewer at once, "
            "or ask the operator to raise --max-upload."
        )


class UploadTooSlow(ServiceError):
    """The body did not arrive in time, or nothing of it came for too long."""

    def __init__(self, *, waited_s: float, is_silent: bool = False) -> None:
        found = (
            f"nothing more of the body came for {waited_s:g} s"
            if is_silent
            else f"the body was not complete after {waited_s:g} s"
        )
        super().__init__(
            f"{found}. Send it again over a better line or send less, and as many bytes as Content-Length says."
        )


class TooManyUploads(ServiceError):
    """All bodies together would take more memory than they may."""

    def __init__(self, *, max_bytes: int) -> None:
        super().__init__(
            f"too many uploads at once; {max_bytes:,} bytes are held for all of them together. Try again shortly."
        )


class InferenceMalformed(ServiceError):
    """The body is no inference request of the Open Inference Protocol, or not one that this model can be asked."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"the inference request cannot be used: {detail.rstrip('.')}. docs/open-inference.md has examples, "
            "GET /v2/models/NAME says what the model takes."
        )
