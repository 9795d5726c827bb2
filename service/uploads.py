"""A request's body -> the pictures in it: parts of a multipart form, or the body itself. Never on disk."""

import sys

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from service.errors import NoPicture, UnsupportedContentType, UploadMalformed

PART_NAMES = ("file", "image")
MAX_PICTURES = 32
MAX_OTHER_PARTS = 32
MAX_OTHER_PART_BYTES = 64 * 1024


class _InMemoryParser(MultiPartParser):
    # The body's size is limited before this parser sees it; a temporary file would only cost time and a clean-up.
    spool_max_size = sys.maxsize


async def read_pictures(request: Request) -> list[bytes]:
    """The pictures that a request carries, at least one and at most MAX_PICTURES, in the order sent.

    Raises:
        UnsupportedContentType: neither a form, nor a picture, nor just bytes.
        UploadMalformed: a form that cannot be taken apart, or with too many parts.
        NoPicture: nothing in it.
        UploadTooLarge, UploadTooSlow: as the limits say.
    """
    announced = request.headers.get("content-type", "")
    kind = announced.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        pictures = await _read_form(request)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        pictures = [await request.body()]
    else:
        raise UnsupportedContentType(announced[:80])
    if not any(pictures):
        raise NoPicture("the body is empty" if kind != "multipart/form-data" else "the file part is empty")
    return pictures


async def _read_form(request: Request) -> list[bytes]:
    parser = _InMemoryParser(
        request.headers,
        request.stream(),
        max_files=MAX_PICTURES,
        max_fields=MAX_OTHER_PARTS,
        max_part_size=MAX_OTHER_PART_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise UploadMalformed(error.message) from error
    try:
        return [await part.read() for part in _picture_parts(form)]
    finally:
        await form.close()


def _picture_parts(form: FormData) -> list[UploadFile]:
    named = [part for name, part in form.multi_items() if name in PART_NAMES]
    files = [part for part in named if isinstance(part, UploadFile)]
    if files:
        return files
    if named:
        raise NoPicture("the part has no filename, so it was read as text")
    found = ", ".join(repr(name[:40]) for name in form) or "nothing"
    raise NoPicture(f"the form has {found}, but no part named `file` or `image`")
