"""shared/remote.py: addresses are opened for trainer and service alike, and failures are told in words of ours."""

import pytest

from shared.errors import AddressUnusable, PackageMissing
from shared.remote import is_http, open_place, says_absent, what_failed

aiohttp = pytest.importorskip("aiohttp", reason="reading https:// needs aiohttp, which is not installed here")

SIGNED = "https://me:SECRET@host/models?sig=SECRET"


def answered(status: int, message: str) -> Exception:
    error: Exception = aiohttp.ClientResponseError(None, (), status=status, message=message)
    return error


def test_an_address_is_opened_without_asking_anybody() -> None:
    place = open_place("memory://bucket/models", patience_s=1.0)

    assert (place.path, place.location) == ("/bucket/models", "memory://bucket/models")


def test_a_package_that_is_missing_is_named() -> None:
    try:
        import adlfs  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        with pytest.raises(PackageMissing, match="pip install adlfs"):
            open_place("az://container/models", patience_s=1.0)
    else:
        pytest.skip("adlfs is installed here, so that nothing is missing")


def test_an_address_that_nobody_knows_is_told_without_its_secrets() -> None:
    with pytest.raises(AddressUnusable, match="Protocol not known") as failed:
        open_place("ftpx://me:SECRET@host/models?sig=SECRET", patience_s=1.0)

    assert "SECRET" not in str(failed.value)


def test_web_servers_are_known_by_their_scheme() -> None:
    assert is_http("http://host") and is_http("HTTPS://host")
    assert not is_http("s3://http") and not is_http("httpsfs://host")


def absent(cause: Exception | None) -> FileNotFoundError:
    error = FileNotFoundError(SIGNED)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "told", "is_absent"),
    [
        (absent(None), "there is no such file or folder", True),
        (absent(answered(404, "Not Found")), "there is no such file or folder", True),
        (absent(answered(503, "Busy")), "the server answers 503 Busy", False),
        (absent(OSError(f"no route to {SIGNED}")), "no route to https://host/models", False),
    ],
)
def test_a_file_that_is_not_there_is_told_apart_from_a_server_that_does_not_give_it(
    error: FileNotFoundError, told: str, *, is_absent: bool
) -> None:
    """fsspec calls both a FileNotFoundError."""
    assert (what_failed(error, SIGNED), says_absent(error)) == (told, is_absent)


def test_what_failed_is_told_without_secrets() -> None:
    assert (
        what_failed(answered(500, f"failed: {SIGNED}"), SIGNED) == "the server answers 500 failed: https://host/models"
    )
    assert what_failed(TimeoutError(), SIGNED) == "TimeoutError"
