"""Multipart bodies as hypothesis makes them: a form, well-formed or with something wrong in any of its places."""

from dataclasses import dataclass

from hypothesis import strategies as st

BOUNDARIES = st.one_of(
    st.just("simple"),
    st.sampled_from(["b", "--b", "b--", "0" * 70, "a'()+_,-./:=?b", "----WebKitFormBoundary7MA4YWxkTrZu0gW"]),
    st.text("abc019'()+_,-./:=?", min_size=1, max_size=70),
)
NAMES = st.sampled_from(["file", "file", "image", "File", "junk", "", "file[]", "fïle", 'fi"le', "fi;le", "a" * 300])
DISPOSITIONS = st.sampled_from(
    [
        'form-data; name="{name}"',
        'form-data; name="{name}"; filename="a.png"',
        "form-data; name={name}; filename=a.png",
        "form-data; name=\"{name}\"; filename*=UTF-8''%e2%82%ac.png",
        "form-data; name*=UTF-8''{name}; filename=x",
        'form-data; filename="a; name=junk"; name="{name}"',
        'form-data; filename="a\\"b.png"; name="{name}"',
        'form-data; name="junk"; name="{name}"',
        'FORM-DATA ;  NAME = "{name}"',
        'attachment; name="{name}"',
        'form-data; name="{name}',
        "form-data; name",
        "form-data",
        "",
    ]
)
OTHER_HEADERS = st.sampled_from(
    [
        "Content-Type: image/png",
        "Content-Type: text/plain; charset=utf-16",
        "Content-Type: multipart/mixed; boundary=b",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
        "Content-Transfer-Encoding: binary",
        "Content-Length: 3",
        'content-disposition: form-data; name="file"',
        "X: " + "x" * 5000,
        "X: a\r\n folded",
        "X : space before the colon",
        ": no name",
        "no colon",
        "\x00: zero",
        "Ünïcode: ü",
    ]
)
CONTENTS = st.one_of(
    st.just(b"\x89PNG"),
    st.binary(max_size=40),
    st.sampled_from(
        [b"", b"\r\n", b"\r", b"\n", b"--", b"\r\n--", b"\r\n--b", b"--b--\r\n", b"\r\n--bb\r\n", b"\x89PNG"]
    ),
)
NOISE = st.sampled_from([*[b""] * 12, b"preamble\r\n", b"\r\n", b"--", b"x" * 3000, b"\n"])
CLOSINGS = [*["--"] * 8, "", "-", "--\t ", "----"]


@dataclass(frozen=True)
class Form:
    """A request with a form.

    Attributes:
        content_type: the header.
        body: what is sent.
        is_plain: whether nothing about it is unusual, so that every parser must see the same in it.
    """

    content_type: str
    body: bytes
    is_plain: bool


@st.composite
def plain_forms(draw: st.DrawFn) -> Form:
    """As HTTP libraries write them, with any content."""
    boundary = draw(st.text("abcXYZ019-_", min_size=16, max_size=60)).strip("-") + "z"
    quoted = draw(st.booleans())
    pieces = []
    for name in draw(st.lists(st.sampled_from(["file", "image", "junk", "fïle", "a b"]), max_size=5)):
        filename = draw(st.sampled_from(["", '; filename="a.png"', '; filename="ä;=b.png"', '; filename=""']))
        content_type = draw(st.sampled_from(["", "Content-Type: image/png\r\n", "Content-Type: text/plain\r\n"]))
        content = draw(CONTENTS.filter(lambda data: b"z" not in data))
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n{content_type}\r\n'
        pieces.append(head.encode() + content + b"\r\n")
    body = b"".join(pieces) + f"--{boundary}--\r\n".encode()
    mark = '"' if quoted else ""
    return Form(f"multipart/form-data; boundary={mark}{boundary}{mark}", body, is_plain=True)


@st.composite
def odd_forms(draw: st.DrawFn) -> Form:
    """Forms with unusual names, headers, boundaries and ends; many of them are none."""
    boundary = draw(BOUNDARIES)
    pieces = [draw(NOISE)]
    for _ in range(draw(st.integers(0, 4))):
        disposition = draw(DISPOSITIONS).replace("{name}", draw(NAMES))
        headers = draw(
            st.permutations([f"Content-Disposition: {disposition}", *draw(st.lists(OTHER_HEADERS, max_size=1))])
        )
        head = f"--{boundary}\r\n" + "".join(f"{header}\r\n" for header in headers) + "\r\n"
        pieces += [head.encode(), draw(CONTENTS), b"\r\n"]
    pieces += [f"--{boundary}{draw(st.sampled_from(CLOSINGS))}\r\n".encode(), draw(NOISE)]
    body = b"".join(pieces)
    for mutate in draw(st.lists(st.sampled_from(MUTATIONS), max_size=2)) if draw(st.booleans()) else []:
        body = mutate(body, draw(st.integers(0, len(body))), draw(st.integers(1, 8)))
    content_type = draw(st.sampled_from(CONTENT_TYPES)).replace("{boundary}", boundary)
    return Form(content_type, body, is_plain=False)


CONTENT_TYPES = [
    *['multipart/form-data; boundary="{boundary}"'] * 8,
    'multipart/form-data; boundary="{boundary}"',
    'multipart/form-data; boundary="{boundary}"',
    "multipart/form-data; boundary={boundary}",
    'Multipart/Form-Data;charset=utf-8;BOUNDARY="{boundary}"',
    'multipart/form-data; boundary="{boundary}"; boundary=other',
    "multipart/form-data; boundary*=UTF-8''{boundary}",
    'multipart/form-data; boundary="{boundary}',
    "multipart/form-data; boundary=",
    "multipart/form-data",
]


def _cut(body: bytes, at: int, _count: int) -> bytes:
    return body[:at]


def _leave_out(body: bytes, at: int, count: int) -> bytes:
    return body[:at] + body[at + count :]


def _repeat(body: bytes, at: int, count: int) -> bytes:
    return body[:at] + body[at : at + 20 * count] + body[at:]


def _insert(body: bytes, at: int, count: int) -> bytes:
    return body[:at] + b"\r\n--\x00\xff:;"[:count] + body[at:]


def _without_a_line_end(body: bytes, at: int, count: int) -> bytes:
    lines = body.split(b"\r\n")
    place = at % len(lines)
    return b"\r\n".join(lines[:place]) + b"\r\n".join([b"", *lines[place:]])[2:]


def _with_bare_line_feeds(body: bytes, _at: int, count: int) -> bytes:
    return body.replace(b"\r\n", b"\n", count)


def _nest(body: bytes, at: int, _count: int) -> bytes:
    return body[:at] + body + body[at:]


MUTATIONS = [_cut, _leave_out, _repeat, _insert, _without_a_line_end, _with_bare_line_feeds, _nest]

FORMS = st.one_of(plain_forms(), odd_forms(), odd_forms())
