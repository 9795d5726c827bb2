"""What problems look like: one of each kind, in the words that the errors really have."""

from collections.abc import Iterator
from typing import Any

from service.access_errors import AdminClosed, KeyMissing, KeyNotAllowed, KeyUnknown, OriginNotAllowed, RateLimited
from service.admin_errors import AdminBusy, NoEarlierVersion, VersionFixed, VersionNotLoadable
from service.connection_errors import (
    HeadersTooLarge,
    HeadersTooSlow,
    RequestBrokenOff,
    RequestMalformed,
    TooManyConnections,
    UnsupportedHttpVersion,
)
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
from service.pool_errors import PoolClosed, PoolTimeout, RunnerBroken, TooManyWaiting, WaitTooLong
from service.problems import problem_of
from service.request_errors import (
    InferenceMalformed,
    NoPicture,
    TooManyPictures,
    TooManyUploads,
    UnknownParameter,
    UnsupportedContentType,
    UnsupportedEncoding,
    UploadMalformed,
    UploadTooLarge,
    UploadTooSlow,
)
from service.store_errors import StoreUnreachable
from shared.errors import FinialError, PictureCorrupt, PictureTooLarge, TooManyPixels, UnknownFormat

REQUEST_ID = "6f0f2c4d9a8b4e0f8d1c5b7a3e2f1d0c"
VERSION = "20260102T030405678Z-0a1b2c3d"


def problem_examples() -> Iterator[tuple[str, dict[str, Any]]]:
    """The kinds' names, each with an example as OpenAPI has them."""
    for error in _errors():
        problem = problem_of(error, request_id=REQUEST_ID)
        yield problem.type.rpartition(":")[2], {"summary": problem.title, "value": problem.model_dump()}


def _errors() -> Iterator[FinialError]:
    # made when they are asked for: hardly any service is ever asked
    yield from (
        UnknownParameter("topk", known=["top_k", "threshold"], meant="top_k"),
        KeyMissing(),
        KeyUnknown(),
        KeyNotAllowed("admin"),
        AdminClosed(),
        OriginNotAllowed("https://b.example"),
        RateLimited(per_minute=60, retry_after_s=7),
        NoEarlierVersion("flowers", serving=VERSION),
        VersionFixed(f"flowers@{VERSION}"),
        VersionNotLoadable("flowers", VERSION, "model.onnx: 437 bytes, bundle.json says 447."),
        AdminBusy("flowers", waited_s=10, doing="fetching"),
        NoPicture("the body is empty"),
        UploadMalformed("it breaks off before its closing boundary"),
        RequestMalformed("it has 2 Host headers, expected one"),
        RequestBrokenOff(),
        InferenceMalformed("its shape is [33, 224, 224, 3]; 1 to 32 pictures are taken at once"),
        RepositoryNotControlled(),
        UnknownVersion("flowers", "1", served=VERSION),
        UnsupportedEncoding("br"),
        UnknownLabel("dasy", ["daisy", "rose", "tulip"]),
        TooManyPictures(2),
        UnknownModel("flower", choices=["cracks", "flowers"]),
        HeadersTooSlow(waited_s=10),
        UploadTooSlow(waited_s=10, is_silent=True),
        ModelNotChosen(["cracks", "flowers"]),
        UploadTooLarge(found="12,582,912", max_bytes=10 * 1024**2),
        PictureTooLarge(found_bytes=9_000_000, max_bytes=8 * 1024**2),
        TooManyPixels(width=9000, height=6000, max_pixels=50_000_000),
        UnsupportedContentType("application/json"),
        UnknownFormat(found="text or SVG", accepted=["JPEG", "PNG", "WEBP", "BMP", "GIF"]),
        PictureCorrupt(picture_format="JPEG", detail="it ends in the middle of its pixels"),
        HeadersTooLarge(32 * 1024),
        ModelFailed("flowers", VERSION),
        TooManyConnections(1000),
        TooManyUploads(max_bytes=256 * 1024**2),
        TooManyWaiting(waiting=64, lanes=2),
        WaitTooLong(waiting=41),
        PoolClosed(),
        StoreUnreachable("https://models.example", "HTTP 500"),
        NoModel(),
        ModelNotLoaded("flowers", failure="/models/flowers/current: 'latest' is not a version."),
        RunnerBroken("nothing can be computed any more (the device is lost)"),
        PoolTimeout("no lane was free within 5 s; 12 requests are waiting"),
        UnsupportedHttpVersion("2.0"),
    )
