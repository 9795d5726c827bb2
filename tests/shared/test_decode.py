"""Decode: any bytes give an upright RGB picture or a PictureError that names the reason."""

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from shared.decode import SERVICE_FORMATS, TRAINER_FORMATS, TRAINER_LIMITS, DecodeLimits, decode, sniff_format
from shared.errors import PictureCorrupt, PictureError, PictureTooLarge, TooManyPixels, UnknownFormat
from tests.shared.pictures import encode, exif_block, gif, largest_difference, pixels_of, png, scene

LOSSLESS = (("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True}))
# A picture that was turned this way is stored so that the orientation of the same number turns it back.
STORED_AS = {
    1: lambda image: image,
    2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
}


@pytest.mark.parametrize(("picture_format", "options"), LOSSLESS)
def test_a_lossless_picture_comes_back_pixel_by_pixel(picture_format: str, options: dict[str, object]) -> None:
    image = decode(encode(scene(), picture_format, **options), limits=TRAINER_LIMITS)

    assert (image.mode, largest_difference(image, scene())) == ("RGB", 0)


def test_the_format_is_that_of_the_bytes_and_tiff_is_for_the_trainer_only() -> None:
    tiff = encode(scene(), "TIFF")

    assert {sniff_format(encode(scene(), name)) for name in TRAINER_FORMATS} == set(TRAINER_FORMATS)
    with pytest.raises(UnknownFormat, match=r"looks like TIFF, expected one of JPEG, PNG"):
        decode(tiff)


@pytest.mark.parametrize(
    ("data", "looks_like"),
    [
        (b"", "an empty file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "text or SVG"),
        (b"\0\0\0\x1cftypheic\0\0\0\0", "HEIC, AVIF or a video"),
        (b"%PDF-1.7", "no picture format known here"),
    ],
)
def test_what_is_no_accepted_picture_is_named(data: bytes, looks_like: str) -> None:
    with pytest.raises(UnknownFormat, match=looks_like):
        decode(data)


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_shows_the_same_picture(picture_format: str, orientation: int) -> None:
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(picture_format, {})
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = encode(STORED_AS[orientation](scene()), picture_format, exif=exif.tobytes(), **options)

    image = decode(stored, limits=TRAINER_LIMITS)

    assert largest_difference(image, scene()) <= (12 if picture_format == "JPEG" else 0)


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_read_in_both_byte_orders(order: str) -> None:
    stored = encode(STORED_AS[6](scene()), "PNG", exif=exif_block(6, order))

    assert largest_difference(decode(stored), scene()) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("at_least", [(1, 1), (100, 200), (300, 100), (500, 500), (4000, 4000)])
def test_a_jpeg_is_never_scaled_below_what_is_asked(orientation: int, at_least: tuple[int, int]) -> None:
    """Or preprocess would have to scale it up again. Width and height are those of the upright picture."""
    upright = scene(1000, 600)
    data = encode(STORED_AS[orientation](upright), "JPEG", exif=exif_block(orientation))

    width, height = decode(data, at_least=at_least).size

    assert width >= min(at_least[0], 1000)
    assert height >= min(at_least[1], 600)
    assert abs(width / height - 1000 / 600) < 0.02


def test_a_large_jpeg_is_scaled_while_decoding() -> None:
    data = encode(scene(1000, 800), "JPEG")

    assert decode(data, at_least=(128, 128)).size == (250, 200)
    assert decode(data).size == (1000, 800)


def test_a_large_jpeg_is_decoded_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each piece Pillow takes Python's lock again, for which a busy service lets its lanes wait."""
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    data, pieces = encode(Image.fromarray(noise), "JPEG"), list[int]()
    load_read = JpegImageFile.load_read

    def read(image: JpegImageFile, read_bytes: int) -> bytes:
        piece = load_read(image, read_bytes)
        pieces.append(len(piece))
        return piece

    monkeypatch.setattr(JpegImageFile, "load_read", read)
    decode(data)

    assert len(data) > 200_000
    assert pieces == [len(data)]


def test_only_jpegs_are_scaled_while_decoding() -> None:
    assert decode(encode(scene(640, 480), "PNG"), at_least=(10, 10)).size == (640, 480)


def test_a_picture_with_a_second_one_behind_it_is_scaled_too() -> None:
    """Phones append previews and gain maps (MPO); Pillow would open that with another plugin."""
    buffer = io.BytesIO()
    scene(1024, 768).save(buffer, "MPO", save_all=True, append_images=[scene(64, 64)])

    assert decode(buffer.getvalue(), at_least=(128, 96)).size == (128, 96)


def test_too_many_bytes_are_refused_before_anything_is_read() -> None:
    with pytest.raises(PictureTooLarge, match="has 11 bytes; at most 10 "):
        decode(b"no picture!", limits=DecodeLimits(max_bytes=10))


@pytest.mark.parametrize("picture_format", TRAINER_FORMATS)
def test_too_many_pixels_are_refused_in_every_format(picture_format: str) -> None:
    data = encode(scene(50, 41), picture_format)

    assert decode(data, limits=DecodeLimits(max_pixels=2050, formats=TRAINER_FORMATS)).size == (50, 41)
    with pytest.raises(TooManyPixels, match=r"50 x 41 = 2,050 pixels; at most 2,049"):
        decode(data, limits=DecodeLimits(max_pixels=2049, formats=TRAINER_FORMATS))


def test_a_very_long_side_is_refused_even_if_the_pixels_are_few() -> None:
    """Resizing needs memory in proportion to a side: 1.6 GB for one of 100 million px."""
    with pytest.raises(TooManyPixels, match="1 x 65536 = 65,536 pixels"):
        decode(png(1, 65536, [b"\0\0\0"] * 65536))


BOMBS = {
    "gif": gif(screen=(65535, 65535), frame=(0, 0, 2, 2)),
    "gif frame": gif(screen=(2, 2), frame=(65535, 65535, 65535, 65535), before_frame=b"!\xf9\x04\x08\0\0\0\0"),
    "png": png(60000, 60000, []),
    "bmp": b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0\x60\xea\0\0\x60\xea\0\0\x01\0\x18\0" + bytes(24),
    "webp": b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xfe\xff\xff\xfe" + bytes(8),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_that_announces_billions_of_pixels_costs_no_memory(name: str) -> None:
    """In a process of its own that may not have the memory."""
    program = (
        "import resource, sys; from shared.decode import decode; from shared.errors import TooManyPixels\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
        "try: decode(bytes.fromhex(sys.argv[1]))\n"
        "except TooManyPixels: print('refused')"
    )

    run = subprocess.run(
        [sys.executable, "-c", program, BOMBS[name].hex()], capture_output=True, text=True, timeout=60, check=False
    )

    assert (run.stdout, run.stderr) == ("refused\n", "")


def test_many_threads_decode_the_same_pixels_as_one() -> None:
    pictures = [encode(scene(200 + side, 150), name) for side in range(8) for name in SERVICE_FORMATS]
    alone = [pixels_of(decode(picture, at_least=(64, 64))) for picture in pictures]

    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda picture: pixels_of(decode(picture, at_least=(64, 64))), pictures * 2))

    assert all(np.array_equal(found, alone[number % len(alone)]) for number, found in enumerate(together))


@given(data=st.binary(max_size=200), magic=st.sampled_from([b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF\0\0\0\0WEBP"]))
@settings(max_examples=200, deadline=None)
def test_garbage_behind_any_magic_is_a_picture_error(data: bytes, magic: bytes) -> None:
    with pytest.raises(PictureError):
        decode(magic + data)


@given(
    picture_format=st.sampled_from(SERVICE_FORMATS), position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7)
)
@settings(max_examples=200, deadline=None)
def test_a_flipped_bit_gives_a_picture_or_a_picture_error(picture_format: str, position: float, bit: int) -> None:
    damaged = bytearray(encode(scene(40, 30), picture_format))
    damaged[int(position * len(damaged))] ^= 1 << bit
    try:
        image = decode(bytes(damaged), limits=DecodeLimits(max_pixels=10**6))
    except PictureError as error:
        assert error.reason in {"corrupt", "too-many-pixels", "unknown-format"}
    else:
        assert image.mode == "RGB"


# --- the collection of hostile, broken and unusual files ---

REFUSED_ON_PURPOSE = {
    "image-png/bugfixes__x_interlaced_chck.png": "checksum",
    "pngsuite/xcsn0g01.png": "checksum",
    "pillow/10ct_32bit_128.tiff": "grey floats",
    "pillow/16bit.s.tif": "signed grey",
    "pillow/hopper.Lab.tif": "CIELAB",
    "pillow/lab-red.tif": "CIELAB",
    **{f"pillow/g4_orientation_{number}.tif": "fax" for number in (1, 3, 5, 7)},
    "pillow/hopper_g4.tif": "fax",
    "pillow/compression.tif": "fax",
    "pillow/crash-0da013a13571cc8eb457a39fee8db18f8a3c7127.tif": "fax",
    "pillow/crash-74d2a78403a5a59db1fb0a2b8735ac068a75f6e3.tif": "fax",
}
READ_ON_PURPOSE = {
    "pillow/png_decompression_dos.png",  # the bomb is in a text chunk, which is not looked at
}


def observed_by_pillow(folder: Path) -> dict[str, tuple[str, str]]:
    """File -> (format, what Pillow made of it); all other columns are not needed here."""
    rows = [line.split("\t") for line in (folder / "MANIFEST.tsv").read_text().splitlines()[1:]]
    return {row[0]: (row[2], row[6]) for row in rows}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")  # pytest's filters come before decode's own
def test_every_nasty_file_gives_a_picture_or_an_error_and_as_pillow_does(shared_data: Path) -> None:
    """A surprise in either direction is a change of behaviour that somebody must have wanted."""
    folder = shared_data / "datasets" / "nasty"
    refused, read = {}, set()
    for name, (picture_format, observation) in observed_by_pillow(folder).items():
        try:
            image = decode((folder / name).read_bytes(), limits=TRAINER_LIMITS)
        except PictureError as error:
            if observation == "ok" and picture_format in TRAINER_FORMATS:
                refused[name] = str(error)
        else:
            assert (image.mode, image.width > 0, image.height > 0) == ("RGB", True, True)
            if observation != "ok":
                read.add(name)

    assert (set(refused), read) == (set(REFUSED_ON_PURPOSE), READ_ON_PURPOSE)
    assert all(reason in refused[name] for name, reason in REFUSED_ON_PURPOSE.items())


def test_no_warning_escapes_in_a_program_that_makes_them_errors(shared_data: Path) -> None:
    """The `warnings` module is shared by all threads and remembers every text; decode must not need it."""
    program = (
        "import sys, pathlib\n"
        "from shared.decode import TRAINER_LIMITS, decode\n"
        "from shared.errors import PictureError\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).rglob('*')):\n"
        "    try: path.is_file() and decode(path.read_bytes(), limits=TRAINER_LIMITS)\n"
        "    except PictureError as error: assert 'Warning' not in repr(error.__cause__), path\n"
        "print('quiet')"
    )
    folder = str(shared_data / "datasets" / "nasty")

    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, folder], capture_output=True, text=True, timeout=120, check=False
    )

    assert run.stdout == "quiet\n", run.stderr[-2000:]
    assert "Warning" not in run.stderr


def test_the_reason_never_shows_addresses_or_file_objects() -> None:
    with pytest.raises(PictureCorrupt, match="this WEBP cannot be decoded") as caught:
        decode(b"RIFF\0\0\0\0WEBP")

    assert "0x" not in str(caught.value)
    assert "BytesIO" not in str(caught.value)
