"""A request's body -> the pictures in it: parts of a multipart form, or the body itself."""

from fastapi import Request

from service.multipart import MultipartForm
from service.request_errors import NoPicture, UnsupportedContentType, UploadMalformed

PART_NAMES = ("file", "image")
MAX_PARTS, MAX_PICTURES = 64, 32


def announces_picture(content_type: str) -> bool:
    """Whether a body of this kind is taken for a picture file."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("image/") or kind == "application/octet-stream"


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
        return await _read_form(request, announced)
    if not announces_picture(kind):
        raise UnsupportedContentType(announced[:80])
    picture = await request.body()
    if not picture:
        raise NoPicture("the body is empty")
    return [picture]


async def _read_form(request: Request, content_type: str) -> list[bytes]:
    form = MultipartForm(content_type, wanted=PART_NAMES, max_parts=MAX_PARTS)
    async for piece in request.stream():
        form.feed(piece)
    parts = form.parts()
    pictures = [bytes(part.data) for part in parts if part.name in PART_NAMES]
    if not pictures:
        found = ", ".join(repr(part.name[:40]) for part in parts) or "no part"
        raise NoPicture(f"the form has {found}, but none named `file` or `image`")
    if not any(pictures):
        raise NoPicture("the file part is empty")
    if len(pictures) > MAX_PICTURES:
        raise UploadMalformed(f"it has {len(pictures)} pictures, at most {MAX_PICTURES} are taken at once")
    return pictures
