"""Who may do what: keys, their rights and rates, and the file that they stand in."""

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from service.errors import ServiceError
from shared.errors import FinialError


class KeyMissing(ServiceError):
    """The request brings no key, and needs one."""

    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})

    def __init__(self, *, has_authorization: bool = False) -> None:
        found = "; its header `Authorization` does not begin with `Bearer `" if has_authorization else ""
        super().__init__(
            f"the request brings no key{found}; expected `Authorization: Bearer KEY` or `X-Api-Key: KEY`. "
            "The operator hands keys out."
        )


class KeyUnknown(ServiceError):
    """The key is nobody's, or its time is over; which of the two is not told."""

    headers = MappingProxyType({"WWW-Authenticate": 'Bearer error="invalid_token"'})

    def __init__(self) -> None:
        super().__init__(
            "the key is not known here, or not valid any more. Look for a slip, a missing end or a stray quote; "
            "else ask the operator for another one."
        )


class KeyNotAllowed(ServiceError):
    """The key is known, but not for this."""

    def __init__(self, right: str) -> None:
        super().__init__(
            f"the key has not the right {right!r}, which this needs. Take a key that has it, or ask the operator."
        )


class AdminClosed(ServiceError):
    """No keys are in use, so nobody can be known to be an admin."""

    def __init__(self) -> None:
        super().__init__(
            "admin verbs need a key with the right 'admin', and this service was started without keys. "
            "The operator may make one (`python -m service.keys new`) and name its file by --api-keys."
        )


class RateLimited(ServiceError):
    """The key has made as many requests as it may, for now."""

    def __init__(self, *, per_minute: int, retry_after_s: int, share: float = 1.0) -> None:
        self.headers = {"Retry-After": str(retry_after_s)}
        own = "" if share == 1 else f", of which the worker that was asked grants {per_minute * share:,.3g}"
        super().__init__(
            f"the key's limit is reached, which is {per_minute:,} a minute{own}. The next request is taken in "
            f"{retry_after_s} s; spread them out, or ask the operator for more."
        )


class KeyFileError(FinialError):
    """What is wrong with the file of keys; for the operator, and never told to a client."""


class KeyFileInvalid(KeyFileError):
    """The file of keys cannot be read, or is not as it must be."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"the file of keys {path}: {detail.rstrip('.')}. Expected a line for each key, as "
            "`python -m service.keys new` writes them."
        )


class KeyNameTaken(KeyFileError):
    """There is a key of this name already."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(
            f"{path} has a key named {name!r} already. Choose another name, or remove that one first: "
            f"python -m service.keys remove --name {name}."
        )


class KeyNameUnknown(KeyFileError):
    """There is no key of this name."""

    def __init__(self, path: Path, name: str, *, choices: Sequence[str]) -> None:
        super().__init__(f"{path} has no key named {name!r}; it has {', '.join(choices) or 'none'}.")


class OriginNotAllowed(ServiceError):
    """A browser asks beforehand whether a page of another origin may ask, and it may not."""

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"pages of the origin {origin[:200]!r} may not ask this service. The operator names those that may by "
            "--allow-origin, letter by letter as the browser sends them."
        )


class KeyNotShown(KeyFileError):
    """A new key could not be printed, so that nobody knows it."""

    def __init__(self, path: Path, name: str, detail: str) -> None:
        super().__init__(
            f"the key of {name!r} cannot be shown ({detail}), so nothing was added to {path}. "
            "Let stdout go where it can be written, and do it again."
        )
