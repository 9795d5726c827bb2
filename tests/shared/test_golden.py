"""Golden check: a model that does not give the stored answers is not served; drifting pixels are told."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.bundle import Bundle, read_bundle
from shared.decode import TRAINER_LIMITS, decode
from shared.errors import BundleInvalid, GoldenMismatch
from shared.golden import Golden, check_golden, read_golden, write_golden
from shared.preprocess import PreprocessSpec, preprocess
from shared.publish import seal
from shared.session import open_session
from tests.shared.models import HEIGHT, LABELS, WIDTH, classifier, expected_probabilities, metadata_fields, some_images
from tests.shared.pictures import encode, scene

SPEC = PreprocessSpec(height=HEIGHT, width=WIDTH, resize=8)
PICTURES = (encode(scene(40, 30), "JPEG"), encode(scene(30, 40), "PNG"), encode(scene(9, 9), "TIFF"))


class Answers:
    """A session that knows the answers by heart."""

    def __init__(self, probabilities: NDArray[np.float32], novelty: NDArray[np.float32] | None = None) -> None:
        self._left = {"probabilities": list(probabilities), "novelty": [] if novelty is None else list(novelty)}
        self.batch_sizes: list[int] = []

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        self.batch_sizes.append(len(images))
        return [self._left[name].pop(0)[np.newaxis] for name in outputs]


def golden_of(images: NDArray[np.uint8], pictures: tuple[bytes, ...] = ()) -> Golden:
    return Golden(images, expected_probabilities(images).astype(np.float32), pictures)


def pixels_of(picture: bytes) -> NDArray[np.uint8]:
    return preprocess(decode(picture, at_least=SPEC.decode_at_least, limits=TRAINER_LIMITS), SPEC)


def bundle_with(folder: Path, golden: Golden, **fields: object) -> Bundle:
    (folder / "model.onnx").write_bytes(classifier())
    write_golden(folder, golden)
    seal(folder, metadata_fields() | fields)
    return read_bundle(folder)


def check(folder: Path, found: Any, expected: Any, precision: str = "float32") -> list[str]:
    """Golden check of stored answers `expected` against a model that answers `found`."""
    expected = np.asarray(expected, np.float32)
    bundle = bundle_with(folder, Golden(some_images(len(expected)), expected), precision=precision)
    session: Any = Answers(np.asarray(found, np.float32))
    return check_golden(bundle, session)


def check_novelty(folder: Path, found: Any, expected: Any, precision: str = "float32") -> list[str]:
    """Golden check of two pictures of which the model and the bundle tell these novelties."""
    probabilities = np.full((2, len(LABELS)), 1 / 3, np.float32)
    golden = Golden(some_images(2), probabilities, novelty=np.asarray(expected, np.float32))
    outputs = ("probabilities", "logits", "features", "novelty")
    session: Any = Answers(probabilities, np.asarray(found, np.float32))
    return check_golden(bundle_with(folder, golden, outputs=outputs, precision=precision), session)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    golden = golden_of(np.stack([pixels_of(picture) for picture in PICTURES]), PICTURES)

    read = read_golden(bundle_with(tmp_path, golden))

    assert np.array_equal(read.images, golden.images)
    assert np.array_equal(read.probabilities, golden.probabilities)
    assert read.pictures == PICTURES
    assert read.novelty is None


def test_the_same_golden_files_are_the_same_bytes(tmp_path: Path) -> None:
    """They are part of the content hash."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_golden(tmp_path / name, golden_of(some_images(3), PICTURES))

    first, second = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / name).rglob("*")) if path.is_file()}
        for name in ("first", "second")
    )
    assert first == second


def test_a_model_that_gives_the_stored_answers_passes_without_a_warning(tmp_path: Path) -> None:
    golden = golden_of(np.stack([pixels_of(picture) for picture in PICTURES]), PICTURES)
    bundle = bundle_with(tmp_path, golden)

    assert check_golden(bundle, open_session(bundle.read_model())) == []


def test_another_model_does_not_pass(tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path, golden_of(some_images(3)))

    with pytest.raises(GoldenMismatch, match=r"probabilities differ by up to \d\S* from the stored ones"):
        check_golden(bundle, open_session(classifier(scale=-1)))


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_answers_that_are_not_numbers_do_not_pass(tmp_path: Path, broken: float) -> None:
    with pytest.raises(GoldenMismatch, match="not numbers"):
        check(tmp_path, [[0.5, 0.25, broken]], [[0.5, 0.25, 0.25]])


def test_stored_answers_that_are_not_numbers_do_not_pass_anything(tmp_path: Path) -> None:
    with pytest.raises(GoldenMismatch):
        check(tmp_path, [[0.5, 0.25, 0.25]], [[0.5, 0.25, np.nan]])


@pytest.mark.parametrize(
    ("precision", "difference", "passes"),
    [
        ("float32", 0.0009, True),
        ("float32", 0.0011, False),
        ("float32", -0.0011, False),
        ("int8", 0.0011, True),
        ("int8", 0.049, True),
        ("int8", 0.051, False),
    ],
)
def test_how_far_answers_may_differ_depends_on_the_precision(
    tmp_path: Path,
    precision: str,
    difference: float,
    passes: bool,  # noqa: FBT001
) -> None:
    expected = [[0.6, 0.2, 0.2], [0.1, 0.1, 0.8]]
    found = [expected[0], [0.1 + difference, 0.1, 0.8 - difference]]

    if passes:
        assert check(tmp_path, found, expected, precision) == []
    else:
        with pytest.raises(GoldenMismatch, match=r"at most 0\.0"):
            check(tmp_path, found, expected, precision)


def test_int8_must_keep_the_label_even_if_the_numbers_are_close(tmp_path: Path) -> None:
    with pytest.raises(GoldenMismatch, match="prefers another label"):
        check(tmp_path, [[0.34, 0.36, 0.30]], [[0.36, 0.34, 0.30]], "int8")


def test_float32_may_swap_labels_that_are_equal_within_the_tolerance(tmp_path: Path) -> None:
    assert check(tmp_path, [[0.4000, 0.4001, 0.2]], [[0.4001, 0.4000, 0.2]]) == []


def test_answers_of_another_shape_do_not_pass(tmp_path: Path) -> None:
    with pytest.raises(GoldenMismatch, match=r"shape \(1, 2\), expected \(1, 3\)"):
        check(tmp_path, [[0.5, 0.5]], [[0.5, 0.25, 0.25]])


def test_pictures_are_run_one_at_a_time_as_the_service_does(tmp_path: Path) -> None:
    """A batch may round differently."""
    golden = golden_of(some_images(3))
    session: Any = Answers(golden.probabilities)

    check_golden(bundle_with(tmp_path, golden), session)

    assert session.batch_sizes == [1, 1, 1]


def test_pixels_that_drift_are_a_warning_with_the_number_and_the_size(tmp_path: Path) -> None:
    """Another version of Pillow may decode a little differently; the model itself is right."""
    images = np.stack([pixels_of(picture) for picture in PICTURES])
    images[1, 0, 0, 0] ^= 4
    bundle = bundle_with(tmp_path, golden_of(images, PICTURES))

    warnings = check_golden(bundle, open_session(bundle.read_model()))

    assert warnings == ["golden picture 1: pixels differ by up to 4 from those of the training machine"]


def test_a_picture_that_no_longer_decodes_is_a_warning_with_the_reason(tmp_path: Path) -> None:
    pictures = (PICTURES[0], PICTURES[1][:-20], PICTURES[2])
    bundle = bundle_with(tmp_path, golden_of(np.stack([pixels_of(picture) for picture in PICTURES]), pictures))

    (warning,) = check_golden(bundle, open_session(bundle.read_model()))

    assert warning.startswith("golden picture 1: this PNG cannot be decoded")


@pytest.mark.parametrize(("precision", "difference"), [("float32", 0.0009), ("int8", 0.2)])
def test_novelty_is_replayed_too(tmp_path: Path, precision: str, difference: float) -> None:
    assert check_novelty(tmp_path, [0.3, 0.6 + difference], [0.3, 0.6], precision) == []


@pytest.mark.parametrize(("precision", "difference"), [("float32", 0.0011), ("int8", 0.3)])
def test_another_novelty_does_not_pass(tmp_path: Path, precision: str, difference: float) -> None:
    with pytest.raises(GoldenMismatch, match=r"novelty: .* differ by up to"):
        check_novelty(tmp_path, [0.3, 0.6 + difference], [0.3, 0.6], precision)


def test_a_novelty_that_is_no_number_does_not_pass(tmp_path: Path) -> None:
    with pytest.raises(GoldenMismatch, match="not numbers"):
        check_novelty(tmp_path, [0.3, np.nan], [0.3, 0.6])


def test_a_model_that_tells_novelty_must_bring_what_it_told(tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path, golden_of(some_images(2)), outputs=("probabilities", "novelty"))

    with pytest.raises(BundleInvalid, match=r"golden/novelty\.npy is not among the files"):
        read_golden(bundle)


# --- files that are not usable ---


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


GOOD_IMAGES, GOOD_PROBABILITIES = npy(some_images(2)), npy(np.full((2, len(LABELS)), 1 / 3, np.float32))


@pytest.mark.parametrize(
    ("images", "probabilities", "why"),
    [
        (npy(some_images(2)[:, :-1]), GOOD_PROBABILITIES, r"uint8 \(2, 3, 6, 3\), expected uint8 \(2, 4, 6, 3\)"),
        (npy(some_images(2).astype(np.float32)), GOOD_PROBABILITIES, "golden tensor of float32"),
        (npy(some_images(0)), GOOD_PROBABILITIES, r"uint8 \(0, 4, 6, 3\)"),
        (npy(np.uint8(1)), GOOD_PROBABILITIES, r"uint8 \(\)"),
        (GOOD_IMAGES, npy(np.zeros((3, 3), np.float32)), r"float32 \(3, 3\), expected float32 \(2, 3\)"),
        (GOOD_IMAGES, npy(np.zeros((2, 3))), "golden tensor of float64"),
        (GOOD_IMAGES, npy(np.array([[{}] * 3] * 2)), "cannot be read"),
        (b"", GOOD_PROBABILITIES, "cannot be read"),
        (b"PK\x03\x04", GOOD_PROBABILITIES, "cannot be read"),
        (GOOD_IMAGES[:-1], GOOD_PROBABILITIES, "cannot be read"),
        (None, GOOD_PROBABILITIES, "golden/images.npy is not among the files"),
        (GOOD_IMAGES, None, "golden/probabilities.npy is not among the files"),
    ],
)
def test_golden_tensors_that_do_not_fit_the_bundle_are_refused(
    tmp_path: Path, images: bytes | None, probabilities: bytes | None, why: str
) -> None:
    (tmp_path / "model.onnx").write_bytes(classifier())
    (tmp_path / "golden").mkdir()
    for name, content in (("images", images), ("probabilities", probabilities)):
        if content is not None:
            (tmp_path / "golden" / f"{name}.npy").write_bytes(content)
    seal(tmp_path, metadata_fields())

    with pytest.raises(BundleInvalid, match=why):
        read_golden(read_bundle(tmp_path))


def test_more_or_fewer_pictures_than_tensors_are_refused(tmp_path: Path) -> None:
    for pictures in (PICTURES[:2], PICTURES * 2):
        folder = tmp_path / str(len(pictures))
        folder.mkdir()
        bundle = bundle_with(folder, golden_of(some_images(3), pictures))
        with pytest.raises(BundleInvalid, match=f"{len(pictures)} golden pictures for 3 tensors"):
            read_golden(bundle)


def test_a_picture_that_bundle_json_does_not_list_is_not_read(tmp_path: Path) -> None:
    """Only what a digest vouches for is decoded."""
    bundle = bundle_with(tmp_path, golden_of(some_images(3)))
    (tmp_path / "golden" / "pictures").mkdir()
    (tmp_path / "golden" / "pictures" / "000").write_bytes(b"smuggled")

    assert read_golden(bundle).pictures == ()
