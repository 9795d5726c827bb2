import io
from pathlib import Path

import pytest
from PIL import Image

from trainer.samples import Sample
from trainer.thumbnails import SMALL_PX, THUMBNAIL_PX, Thumbnails, make_thumbnail


def picture(folder: Path, name: str = "a.png") -> Sample:
    Image.effect_noise((320, 240), 60).save(folder / name)
    return Sample(str(folder / name), name, "noise", "0" * 64, None)


def test_a_thumbnail_is_small_and_tells_nothing_else(tmp_path: Path) -> None:
    """Where a picture was taken is in its EXIF; a report is passed on."""
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    Image.new("RGB", (800, 400), "red").save(tmp_path / "a.jpg", exif=exif, comment=b"where I live")

    thumbnail = make_thumbnail(Sample(str(tmp_path / "a.jpg"), "a.jpg", "red", "0" * 64, None))

    assert thumbnail is not None
    assert b"where I live" not in thumbnail
    assert Image.open(io.BytesIO(thumbnail)).size == (THUMBNAIL_PX, THUMBNAIL_PX // 2)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xd8 not a picture"])
def test_a_picture_that_is_gone_or_broken_by_now_stops_no_report(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)

    assert make_thumbnail(Sample(str(tmp_path / "a.jpg"), "a.jpg", "red", "0" * 64, None)) is None


def test_no_more_thumbnails_are_dealt_out_than_a_page_can_carry(tmp_path: Path) -> None:
    """However large the data and noisy the pictures, a report can be sent by mail."""
    sample = picture(tmp_path)
    size = len(make_thumbnail(sample) or b"")
    thumbnails = Thumbnails(most_bytes=2 * size + size // 2)

    dealt = [thumbnails.of(sample) for _ in range(5)]

    assert [jpeg is not None for jpeg in dealt] == [True, True, False, False, False]


def test_none_is_dealt_out_where_pictures_are_kept_out(tmp_path: Path) -> None:
    assert Thumbnails(allowed=False).of(picture(tmp_path)) is None


def test_small_ones_are_smaller(tmp_path: Path) -> None:
    small = Thumbnails().of(picture(tmp_path), SMALL_PX)

    assert small is not None
    assert Image.open(io.BytesIO(small)).size == (SMALL_PX, SMALL_PX * 3 // 4)
