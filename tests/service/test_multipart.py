"""Forms are taken apart as they arrive, whole or not at all."""

import email
import itertools
from collections.abc import Iterable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser

from service.multipart import MultipartForm
from service.request_errors import UploadMalformed
from tests.service.form_bodies import FORMS, Form, odd_forms, plain_forms
from tests.service.forms import FORM, form

WANTED = ("file", "image")
OTHER = ("", b"")
SEEN_OTHERWISE = b"multipart/mixed"
"""What Python's parser of mails sees in another way, and may: a part that is a form itself."""


def test_what_is_not_wanted_is_not_kept() -> None:
    form_with_junk = MultipartForm(FORM, wanted=("file",), max_parts=9)
    form_with_junk.feed(form(('name="junk"', b"x" * 10_000), ('name="file"', b"one")))

    assert [(part.name, bytes(part.data)) for part in form_with_junk.parts()] == [("junk", b""), ("file", b"one")]


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4), st.integers(1, 40))
def test_pictures_come_out_as_they_went_in_however_they_are_cut(pictures: list[bytes], length: int) -> None:
    assume(not any(b"--b" in picture for picture in pictures))  # clients choose a boundary that is not in the content
    body = form(*[('name="file"; filename="a"', picture) for picture in pictures])
    taken_apart = MultipartForm(FORM, wanted=("file",), max_parts=9)
    for start in range(0, len(body), length):
        taken_apart.feed(body[start : start + length])

    assert [bytes(part.data) for part in taken_apart.parts()] == pictures


def test_a_content_full_of_boundaries_is_given_on_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut behind each, it would keep the event loop for seconds."""
    written: list[bytes] = []
    write = MultipartParser.write

    def counted(parser: MultipartParser, piece: bytes) -> int:
        written.append(piece)
        return write(parser, piece)

    monkeypatch.setattr(MultipartParser, "write", counted)
    taken_apart = MultipartForm(FORM, wanted=("file",), max_parts=9)
    taken_apart.feed(form(('name="file"', b"x" + b"--b--" * 10_000)))

    assert [len(part.data) for part in taken_apart.parts()] == [50_001]
    assert len(written) == 1


# --- forms as hypothesis makes them ---


def told_by(form: Form, pieces: Iterable[bytes]) -> list[tuple[str, bytes]] | None:
    """Names and contents of the wanted parts, names of the others; None for what is no form."""
    try:
        taken_apart = MultipartForm(form.content_type, wanted=WANTED, max_parts=64)
        for piece in pieces:
            taken_apart.feed(piece)
        return [(part.name, bytes(part.data)) for part in taken_apart.parts()]
    except UploadMalformed:
        return None


def told_by_email(form: Form) -> list[tuple[str, bytes]]:
    """The same as Python's parser of mails tells it; unwanted parts have neither name nor content."""
    head = f"MIME-Version: 1.0\r\nContent-Type: {form.content_type}\r\n\r\n".encode()
    found = []
    for part in email.message_from_bytes(head + form.body).walk():
        name = part.get_param("name", header="Content-Disposition")
        del part["Content-Transfer-Encoding"]  # forms have none, says RFC 7578
        if not part.is_multipart() and part.get("Content-Disposition") is not None:
            found.append((name, part.get_payload(decode=True)) if name in WANTED else OTHER)
    return found


@given(FORMS, st.lists(st.integers(1, 50), max_size=30))
def test_a_form_is_the_same_however_its_bytes_are_split(form: Form, lengths: list[int]) -> None:
    """What a network does to a body must not decide what is seen in it."""
    cuts = [0, *itertools.accumulate(lengths), len(form.body)]
    whole = told_by(form, [form.body])

    assert told_by(form, (bytes([byte]) for byte in form.body)) == whole
    assert told_by(form, (form.body[start:end] for start, end in itertools.pairwise(cuts))) == whole


@given(plain_forms())
def test_what_libraries_send_is_seen_as_another_parser_sees_it(form: Form) -> None:
    parts = told_by(form, [form.body])

    assert parts is not None
    assert [part if part[0] in WANTED else OTHER for part in parts] == told_by_email(form)


@given(odd_forms())
def test_an_odd_form_is_refused_or_seen_as_another_parser_sees_it(form: Form) -> None:
    """Else a filter in front of the service can be made to look at another picture than the service does."""
    parts = told_by(form, [form.body])
    if parts and SEEN_OTHERWISE not in form.body:
        assert [part if part[0] in WANTED else OTHER for part in parts] == told_by_email(form)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (form(('name="junk"; name="file"', b"x")), "more than one name"),
        (form(('name="file"\r\nContent-Disposition: form-data; name="junk"', b"x")), "more than one Content-Disp"),
        (form(("filename=x", b"x")), "no name"),
        (form(('name="file"', b"--b\r\nx")), "begins with its boundary"),
        (form(('name="file"', b"x\n--b\r\nx")), "begins with its boundary"),
        (form(('name="junk"', b"x\r--bc")), "begins with its boundary"),
        (form(('name="file"', b"x"), end=b"--b--b\r\n"), "behind its closing boundary"),
        (form(('name="file"', b"x")) + form(('name="file"', b"y")), "behind its closing boundary"),
        (b"\rpreamble\r\n" + form(('name="file"', b"x")), "Expected boundary"),
        (b"preamble\r\n" + form(('name="file"', b"x")), "Expected boundary"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(body: bytes, why: str) -> None:
    for pieces in ([body], [body[:1], body[1:]], [bytes([byte]) for byte in body]):
        with pytest.raises(UploadMalformed, match=why):
            taken_apart = MultipartForm(FORM, wanted=WANTED, max_parts=9)
            for piece in pieces:
                taken_apart.feed(piece)


def test_blank_lines_may_come_first_and_quotes_may_hold_anything() -> None:
    disposition = 'filename="; name=junk; NAME=\\"x\\".png"; name="file"'
    taken_apart = MultipartForm(FORM, wanted=WANTED, max_parts=9)
    for byte in b"\r\n\n" + form((disposition, b"x")):
        taken_apart.feed(bytes([byte]))

    assert [(part.name, bytes(part.data)) for part in taken_apart.parts()] == [("file", b"x")]
