"""trainer/odd_files.py: names that say another format, and pictures stored turned."""

import io

import pytest
from PIL import Image

from shared.decode import TRAINER_LIMITS, decode
from trainer.findings import Kind, Mention, Severity
from trainer.odd_files import find_odd_files
from trainer.picture_statistics import StatisticsTable, measure_picture
from trainer.samples import Sample


def found_in(name: str, format_: str, orientation: int = 1) -> dict[Kind, tuple[Mention, ...]]:
    written, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (40, 20), "red").save(written, format_, exif=exif)
    data = written.getvalue()
    table = StatisticsTable.from_rows(["d"], [measure_picture(data, decode(data, limits=TRAINER_LIMITS))])
    findings = find_odd_files([Sample(name, name, "red", "d", None)], table)
    assert all(finding.severity is Severity.HANDLED for finding in findings)
    return {finding.kind: finding.mentions for finding in findings}


@pytest.mark.parametrize("name", ["a.jpg", "A.JPEG", "a.jpe", "no extension", "a.2024"])
def test_a_jpeg_under_its_own_name_is_no_news(name: str) -> None:
    assert found_in(name, "JPEG") == {}


def test_a_png_that_is_named_jpg_is_a_note() -> None:
    assert found_in("a.jpg", "PNG") == {Kind.WRONG_EXTENSION: (Mention(("a.jpg",), "is a PNG"),)}


@pytest.mark.parametrize(("name", "format_"), [("a.tif", "TIFF"), ("a.webp", "WEBP"), ("a.png", "PNG")])
def test_every_format_knows_its_extensions(name: str, format_: str) -> None:
    assert found_in(name, format_) == {}


def test_a_picture_that_is_stored_turned_is_a_note() -> None:
    (mention,) = found_in("a.jpg", "JPEG", orientation=6)[Kind.ROTATED]

    assert (mention.names, mention.figure) == (("a.jpg",), 6)
    assert "turned left" in mention.detail
