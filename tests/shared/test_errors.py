"""Errors: one family, each a sentence that says what was found, what was expected and what to do."""

import inspect
from pathlib import Path

import pytest

from shared import errors
from shared.errors import (
    AddressError,
    AddressUnusable,
    BundleCorrupted,
    BundleError,
    BundleIncomplete,
    BundleInvalid,
    ConfigInvalid,
    FinialError,
    GoldenMismatch,
    ModelMissing,
    PackageMissing,
    PictureCorrupt,
    PictureError,
    PictureTooLarge,
    ProviderUnavailable,
    PublishConflict,
    RunFailed,
    RuntimeConflict,
    SessionError,
    TooManyPixels,
    UnknownFormat,
)

PATH = Path("models/pets")
BRANCHES = (ConfigInvalid, AddressError, PictureError, SessionError, BundleError)
EXAMPLES = [
    (ConfigInvalid(PATH, "expected a table"), "--config models/pets", "expected a table", "Mend the file"),
    (PackageMissing("s3://bucket", "s3fs"), "s3://bucket", "needs the package s3fs", "pip install s3fs"),
    (AddressUnusable("x://place", "Protocol not known"), "x://place", "Protocol not known", "Write scheme://place"),
    (PictureTooLarge(found_bytes=2_000, max_bytes=1_000), "2,000 bytes", "at most 1,000", "Scale it down"),
    (TooManyPixels(width=9, height=8, max_pixels=71), "9 x 8 = 72 pixels", "at most 71", "Scale it down"),
    (UnknownFormat(found="text", accepted=["JPEG", "PNG"]), "looks like text", "one of JPEG, PNG", "Give the picture"),
    (PictureCorrupt(picture_format="GIF", detail="cut"), "GIF cannot be decoded (cut)", "truncated", "copy it again"),
    (RuntimeConflict(["onnxruntime", "onnxruntime-gpu"]), "found onnxruntime and", "exactly one", "Uninstall both"),
    (RuntimeConflict([]), "found no ONNX Runtime", "exactly one", "Install the one"),
    (
        ProviderUnavailable(wanted="CUDA", obtained=["CPU"], reason="library-not-loadable", detail="no libcublasLt.so"),
        "obtained CPU: library-not-loadable (no libcublasLt.so)",
        "CUDA was asked for",
        "Install the CUDA and cuDNN libraries",
    ),
    (RunFailed((1, 2), detail="bad rank"), "shape (1, 2) (bad rank)", "uint8 (N, H, W, 3)", "Give it"),
    (ModelMissing(PATH, choices=["cats"]), "models/pets: no bundle", "there is cats", "train one"),
    (BundleIncomplete(PATH, detail="9 bytes"), "models/pets: 9 bytes", "interrupted", "re-copy"),
    (BundleCorrupted(PATH, expected="a" * 64, found="b" * 64), "starts " + "b" * 12, "says " + "a" * 12, "re-copy"),
    (BundleInvalid(PATH, detail="spec: no"), "models/pets: spec: no", "this version of Finial", "Publish"),
    (GoldenMismatch(PATH, detail="differs"), "golden check failed: differs", "not served", "publish it again"),
    (PublishConflict(PATH, waited_s=60), "models/pets has been locked", "for 60 s", "Wait"),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example[0]).__name__)
def test_a_message_says_what_was_found_what_was_expected_and_what_to_do(
    example: tuple[FinialError, str, str, str],
) -> None:
    error, *parts = example

    assert [part for part in parts if part not in str(error)] == []
    assert str(error).endswith(".")


def test_every_error_is_of_the_family_and_of_one_branch() -> None:
    found = [error for _, error in inspect.getmembers(errors, inspect.isclass) if issubclass(error, Exception)]

    assert len(found) > 15
    for error in found:
        branches = [branch for branch in BRANCHES if issubclass(error, branch)]
        assert issubclass(error, FinialError)
        assert len(branches) == (0 if error is FinialError else 1)


def test_the_reasons_of_picture_errors_differ() -> None:
    """They are the keys of tables and metrics."""
    reasons = [error.reason for error in (PictureError, *PictureError.__subclasses__())]

    assert len(set(reasons)) == len(reasons)
