"""What problems look like: one of each kind, in the words that the errors really have."""

from collections.abc import Iterator
from typing import Any

from service import errors as ours
from service.explaining_errors import TooManyPictures, UnknownLabel
from service.problems import problem_of
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
        ours.UnknownParameter("topk", known=["top_k", "threshold"], meant="top_k"),
        ours.KeyMissing(),
        ours.KeyUnknown(),
        ours.KeyNotAllowed("admin"),
        ours.AdminClosed(),
        ours.RateLimited(per_minute=60, retry_after_s=7),
        ours.NoEarlierVersion("flowers"),
        ours.VersionFixed(f"flowers@{VERSION}"),
        ours.VersionNotLoadable("flowers", VERSION, "model.onnx: 437 bytes, bundle.json says 447."),
        ours.AdminBusy("flowers", waited_s=10, doing="fetching"),
        ours.NoPicture("the body is empty"),
        ours.UploadMalformed("it breaks off before its closing boundary"),
        ours.RequestMalformed("it has 2 Host headers, expected one"),
        ours.RequestBrokenOff(),
        ours.InferenceMalformed("its shape is [33, 224, 224, 3]; 1 to 32 pictures are taken at once"),
        ours.RepositoryNotControlled(),
        ours.UnknownVersion("flowers", "1", served=VERSION),
        ours.UnsupportedEncoding("br"),
        UnknownLabel("dasy", ["daisy", "rose", "tulip"]),
        TooManyPictures(2),
        ours.UnknownModel("flower", choices=["cracks", "flowers"]),
        ours.HeadersTooSlow(waited_s=10),
        ours.UploadTooSlow(waited_s=10, is_silent=True),
        ours.ModelNotChosen(["cracks", "flowers"]),
        ours.UploadTooLarge(found="12,582,912", max_bytes=10 * 1024**2),
        PictureTooLarge(found_bytes=9_000_000, max_bytes=8 * 1024**2),
        TooManyPixels(width=9000, height=6000, max_pixels=50_000_000),
        ours.UnsupportedContentType("application/json"),
        UnknownFormat(found="text or SVG", accepted=["JPEG", "PNG", "WEBP", "BMP", "GIF"]),
        PictureCorrupt(picture_format="JPEG", detail="it ends in the middle of its pixels"),
        ours.HeadersTooLarge(32 * 1024),
        ours.ModelFailed("flowers", VERSION),
        ours.TooManyConnections(1000),
        ours.TooManyUploads(max_bytes=256 * 1024**2),
        ours.TooManyWaiting(waiting=64, lanes=2),
        ours.WaitTooLong(waiting=41),
        ours.PoolClosed(),
        ours.NoModel(),
        ours.ModelNotLoaded("flowers", failure="/models/flowers/current: 'latest' is not a version."),
        ours.RunnerBroken("nothing can be computed any more (the device is lost)"),
        ours.PoolTimeout("no lane was free within 5 s; 12 requests are waiting"),
        ours.UnsupportedHttpVersion("2.0"),
    )
