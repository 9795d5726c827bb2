"""Forms are taken apart as they arrive, whole or not at all."""

from hypothesis import assume, given
from hypothesis import strategies as st

from service.multipart import MultipartForm
from tests.service.forms import FORM, form


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
