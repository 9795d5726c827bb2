"""Which pictures a request carries."""

import asyncio

import pytest
from fastapi import Request

from service.request_errors import NoPicture, UnsupportedContentType, UploadMalformed
from service.uploads import MAX_PARTS, MAX_PICTURES, read_pictures
from tests.service.asgi import Client, scope_of
from tests.service.forms import FORM, form


def pictures_in(content_type: str, *pieces: bytes) -> list[bytes]:
    request = Request(scope_of(("Content-Type", content_type)), Client(pieces or [b""]).receive)
    return asyncio.run(read_pictures(request))


def test_parts_named_file_or_image_are_pictures_in_the_order_sent() -> None:
    body = form(
        ('name="file"; filename="1.jpg"', b"one"),
        ('name="note"', b"not a picture"),
        ('name="image"; filename="2.jpg"', b"two\r\n--"),
        ('name="file"; filename=""', b"three"),
    )

    assert pictures_in(FORM, body) == [b"one", b"two\r\n--", b"three"]
    assert pictures_in(FORM, *(body[i : i + 1] for i in range(len(body)))) == [b"one", b"two\r\n--", b"three"]


def test_a_part_needs_no_file_name() -> None:
    assert pictures_in(FORM, form(('name="file"', b"\x00\xff"))) == [b"\x00\xff"]


@pytest.mark.parametrize("content_type", ["image/jpeg", "IMAGE/PNG; q=1", "application/octet-stream"])
def test_a_body_may_be_the_picture_itself(content_type: str) -> None:
    assert pictures_in(content_type, b"one ", b"picture") == [b"one picture"]


@pytest.mark.parametrize("content_type", ["", "text/html", "application/json", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused_with_the_ones_that_are_not(content_type: str) -> None:
    with pytest.raises(UnsupportedContentType, match="multipart/form-data"):
        pictures_in(content_type, b"x")


NOTHING = {
    "an empty body": ("image/png", b"", "the body is empty"),
    "an empty file": (FORM, form(('name="file"; filename="a"', b"")), "file part is empty"),
    "a form without parts": (FORM, form(), "the form has no part"),
    "another part": (FORM, form(('name="photo"; filename="a"', b"x")), "the form has 'photo'"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_a_request_without_a_picture_is_told_how_to_send_one(case: str) -> None:
    content_type, body, named = NOTHING[case]

    with pytest.raises(NoPicture, match=named) as refused:
        pictures_in(content_type, body)
    assert "curl" in str(refused.value)


MALFORMED = {
    "no boundary": ("multipart/form-data", form()),
    "another boundary": ("multipart/form-data; boundary=c", form(('name="file"; filename="a"', b"x"))),
    "a part without a name": (FORM, form(("filename=a", b"x"))),
    "no end": (FORM, form(('name="file"; filename="a"', b"x"), end=b"")),
    "an end in a header": (FORM, b"--b\r\nContent-Dispos"),
    "a huge header": (FORM, b"--b\r\nX: " + b"x" * 100_000),
    "too many pictures": (FORM, form(*[('name="file"; filename="a"', b"x")] * (MAX_PICTURES + 1))),
    "too many parts": (FORM, form(*[('name="note"', b"x")] * (MAX_PARTS + 1))),
    "an endless boundary": ("multipart/form-data; boundary=" + "b" * 1000, form()),
    "an empty boundary": ("multipart/form-data; boundary=", form()),
    "headers without end": (FORM, b"--b\r\n" + b"X: y\r\n" * 1000),
    "a second part that breaks off": (FORM, form(('name="file"; filename="a"', b"x"), end=b"--b\r\nContent-Dis")),
    "garbage": (FORM, b"\x00\xff" * 1000),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_form_that_cannot_be_taken_apart_is_refused(case: str) -> None:
    content_type, body = MALFORMED[case]

    with pytest.raises(UploadMalformed):
        pictures_in(content_type, body)
