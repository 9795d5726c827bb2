"""Takes a multipart/form-data body apart as it arrives: the wanted parts are kept in memory, the others dropped.

Starlette's own form parser writes large parts to temporary files and takes a body that breaks off for a whole one.
Where another reader of the same bytes (a proxy that filters uploads) might see other parts, the form is refused.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.request_errors import UploadMalformed

_QUOTED, _NAME = re.compile(rb'"(?:[^"\\]|\\.)*"'), re.compile(rb";\s*name\s*=", re.IGNORECASE)


@dataclass
class Part:
    """One part of a form: its name and its content."""

    name: str
    data: bytearray = field(default_factory=bytearray)


class MultipartForm:
    """A form that is fed piece by piece.

    Args:
        content_type: the request's header, which names the boundary.
        wanted: names of the parts whose content is kept.
        max_parts: how many parts of any name the form may have.

    Raises:
        UploadMalformed: the header names no usable boundary.
    """

    def __init__(self, content_type: str, *, wanted: Collection[str], max_parts: int) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise UploadMalformed("its Content-Type names no boundary")
        self._wanted, self._max_parts = wanted, max_parts
        self._parts: list[Part] = []
        self._header = (bytearray(), bytearray())
        self._disposition: bytes | None = None
        self._delimiter = b"--" + boundary
        self._lines = [end + self._delimiter for end in (b"\n", b"\r")]
        self._before, self._last = b"", b"\r\n"
        self._begun = self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._read_header_name,
                    "on_header_value": self._read_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._name_part,
                    "on_part_data": self._read_data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise UploadMalformed(str(error)) from error

    def feed(self, piece: bytes) -> None:
        """Take in the next bytes of the body.

        Raises:
            UploadMalformed: they do not fit, or there are too many parts.
        """
        if not self._begun:
            # Blank lines may come first. The parser skips more than these, but only within one piece.
            piece = piece.lstrip(b"\r\n")
            self._begun = bool(piece)
        for some in self._cut_behind_closing(piece):
            self._write(some)

    def parts(self) -> list[Part]:
        """Every part in the order sent; those that are not wanted are empty. Asked for when the body is at its end.

        Raises:
            UploadMalformed: the form is not.
        """
        if not self._ended:
            raise UploadMalformed("it breaks off before its closing boundary")
        return self._parts

    def _cut_behind_closing(self, piece: bytes) -> Iterator[bytes]:
        """The piece, cut behind whatever may be the closing boundary: so what follows that is a piece of its own.

        Lines alone are cut behind: within a part the first of these ends the form, and headers are short.
        """
        closing, known, start = b"\r\n" + self._delimiter + b"--", len(self._last), 0
        seen = self._last + piece
        self._last = seen[-(len(closing) - 1) :]
        place = seen.find(closing)
        while place != -1:
            end = place + len(closing) - known
            yield piece[start:end]
            start, place = end, seen.find(closing, place + 1)
        yield piece[start:]

    def _write(self, piece: bytes) -> None:
        if self._ended:
            if piece.strip(b" \t\r\n"):
                raise UploadMalformed("something stands behind its closing boundary")
            return
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise UploadMalformed(str(error)) from error

    def _begin_part(self) -> None:
        self._disposition, self._before = None, b"\n"
        if len(self._parts) == self._max_parts:
            raise UploadMalformed(f"it has more than {self._max_parts} parts")

    def _read_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _read_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _end_header(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            if self._disposition is not None:
                raise UploadMalformed("a part has more than one Content-Disposition")
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def _name_part(self) -> None:
        disposition = self._disposition or b""
        name = parse_options_header(disposition)[1].get(b"name")
        if name is None:
            raise UploadMalformed("a part has no name")
        if len(_NAME.findall(_QUOTED.sub(b"", disposition))) > 1:
            raise UploadMalformed("a part has more than one name")
        self._parts.append(Part(name.decode("utf-8", errors="replace")))

    def _read_data(self, data: bytes, start: int, end: int) -> None:
        part, piece = self._parts[-1], data[start:end]
        self._look_for_boundary(piece)
        if part.name in self._wanted:
            part.data.extend(piece)

    def _look_for_boundary(self, piece: bytes) -> None:
        """Some readers end a part at any line that begins with the boundary, whatever ended the line before."""
        seen = self._before + piece
        if self._delimiter in seen and any(line in seen for line in self._lines):
            raise UploadMalformed("a line within a part begins with its boundary")
        self._before = seen[-len(self._delimiter) :]

    def _end(self) -> None:
        self._ended = True
