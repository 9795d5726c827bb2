"""Files elsewhere: opens an address with fsspec, and tells what went wrong there in words that hold no secret."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.addresses import shown, without_secrets
from shared.errors import AddressUnusable, PackageMissing

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PACKAGES = {
    **dict.fromkeys(("http", "https"), "aiohttp"),
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "adlfs"),
}
_ABSENT = (404, 410)


@dataclass(frozen=True)
class RemotePlace:
    """An address that was opened: fsspec's file system, and what that calls the address."""

    files: "AbstractFileSystem"
    path: str
    location: str


def is_http(location: str) -> bool:
    """Whether a web server answers there."""
    return urlsplit(location).scheme.lower() in ("http", "https")


def open_place(location: str, *, patience_s: float) -> RemotePlace:
    """Open an address; nothing is asked of the other side yet, and nothing that it says is remembered.

    Args:
        location: an address.
        patience_s: how long a web server may take to accept a connection, and between two pieces of an answer.

    Raises:
        PackageMissing: fsspec needs a package that is not installed.
        AddressUnusable: nobody knows such addresses, this one is not well-formed, or the keys to it are not.
    """
    options: dict[str, Any] = {}
    try:
        from fsspec.core import url_to_fs

        if is_http(location):
            import aiohttp

            # aiohttp gives up on any download after five minutes, and knows nothing of proxies unless asked.
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=patience_s, sock_read=patience_s)
            options = {"client_kwargs": {"timeout": timeout, "trust_env": True}}
        files, path = url_to_fs(location, use_listings_cache=False, skip_instance_cache=True, **options)
    except ImportError as error:
        scheme = urlsplit(location).scheme.lower()
        raise PackageMissing(shown(location), _PACKAGES.get(scheme, f"for fsspec's {scheme}://")) from error
    except Exception as error:  # ValueError for what nobody knows; keys that are looked for raise whatever they like
        raise AddressUnusable(shown(location), what_failed(error, location)) from error
    return RemotePlace(files, path, location)


def says_absent(error: FileNotFoundError) -> bool:
    """Whether the place itself says so; for http, fsspec raises this also when nobody answered, or not with a file."""
    return error.__cause__ is None or getattr(error.__cause__, "status", None) in _ABSENT


def what_failed(error: BaseException, location: str) -> str:
    """What to tell of an error of any file system; they share no root.

    A server's answer is told by its number and reason, which is all of it that repeats no address.
    """
    if isinstance(error, FileNotFoundError):
        if error.__cause__ is None or says_absent(error):
            return "there is no such file or folder"
        error = error.__cause__
    if (status := getattr(error, "status", None)) is not None:
        message = without_secrets(str(getattr(error, "message", "")), location)
        return f"the server answers {status} {message}".rstrip()
    return without_secrets(str(error), location) or type(error).__name__
