"""Golden check: stored pictures and tensors must give the stored answers before a model is served.

`golden/images.npy` uint8 (N, H, W, 3); `golden/probabilities.npy` float32 (N, K); `golden/pictures/` the source
files of the tensors in order, absent when customers' pictures must not leave the house.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.bundle import PROBABILITIES, Bundle
from shared.decode import TRAINER_LIMITS, decode
from shared.errors import BundleInvalid, GoldenMismatch, PictureError
from shared.files import write_atomically
from shared.preprocess import PreprocessSpec, preprocess
from shared.session import Session

IMAGES_FILE, PROBABILITIES_FILE, PICTURES_FOLDER = (
    "golden/images.npy",
    "golden/probabilities.npy",
    "golden/pictures",
)
FLOAT32_TOLERANCE, INT8_TOLERANCE = 1e-3, 0.05


@dataclass(frozen=True)
class Golden:
    """Stored inputs and the answers they must give. `pictures` may be empty."""

    images: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    pictures: tuple[bytes, ...] = ()


def write_golden(folder: Path, golden: Golden) -> None:
    """Write the golden files of a bundle that is being staged in `folder`."""
    pictures = folder / PICTURES_FOLDER
    pictures.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / IMAGES_FILE, _to_npy(golden.images))
    write_atomically(folder / PROBABILITIES_FILE, _to_npy(golden.probabilities))
    if golden.pictures:
        pictures.mkdir()
    for number, picture in enumerate(golden.pictures):
        write_atomically(pictures / f"{number:03d}", picture)


def read_golden(bundle: Bundle) -> Golden:
    """Read them back.

    Raises:
        BundleInvalid: they are missing, or shapes and types are not those of the bundle.
    """
    spec = bundle.metadata.spec
    try:
        images = np.load(bundle.path / IMAGES_FILE, allow_pickle=False)
        probabilities = np.load(bundle.path / PROBABILITIES_FILE, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BundleInvalid(bundle.path / "golden", detail=f"golden tensors cannot be read ({error})") from error
    expected = ((len(images), spec.height, spec.width, 3), (len(images), len(bundle.metadata.labels)))
    if (images.shape, probabilities.shape) != expected or images.dtype != np.uint8 or len(images) == 0:
        raise BundleInvalid(
            bundle.path / "golden",
            detail=f"golden shapes {images.shape}, {probabilities.shape}, expected {expected}",
        )
    pictures = tuple(path.read_bytes() for path in sorted((bundle.path / PICTURES_FOLDER).glob("*")))
    return Golden(images=images, probabilities=probabilities, pictures=pictures)


def check_golden(bundle: Bundle, session: Session) -> list[str]:
    """Replay the golden inputs.

    Returns:
        Warnings: stored pictures that this machine's decoder turns into other pixels. Empty when all agree.

    Raises:
        GoldenMismatch: the graph's answers are not the stored ones, or not numbers.
        BundleInvalid: the golden files are not usable.
    """
    golden = read_golden(bundle)
    found = np.concatenate(
        [session.run(golden.images[i : i + 1], [PROBABILITIES])[0] for i in range(len(golden.images))]
    )
    _compare(bundle, found, golden.probabilities)
    return compare_pixels(golden.pictures, golden.images, bundle.metadata.spec)


def compare_pixels(pictures: Sequence[bytes], images: NDArray[np.uint8], spec: PreprocessSpec) -> list[str]:
    """Name the stored pictures whose decoding and preprocessing no longer gives the stored tensors."""
    warnings = []
    for number, picture in enumerate(pictures):
        try:
            found = preprocess(decode(picture, at_least=spec.decode_at_least, limits=TRAINER_LIMITS), spec)
        except PictureError as error:
            warnings.append(f"golden picture {number}: {error}")
            continue
        if not np.array_equal(found, images[number]):
            most = int(np.abs(found.astype(int) - images[number].astype(int)).max())
            warnings.append(
                f"golden picture {number}: pixels differ by up to {most} from those of the training machine"
            )
    return warnings


def _compare(bundle: Bundle, found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    if not np.isfinite(found).all():
        raise GoldenMismatch(bundle.path, detail="the model answers with values that are not numbers")
    tolerance = INT8_TOLERANCE if bundle.metadata.precision == "int8" else FLOAT32_TOLERANCE
    most = float(np.abs(found - expected).max())
    if not most <= tolerance:
        raise GoldenMismatch(
            bundle.path,
            detail=f"probabilities differ by up to {most:.2g} from the stored ones, at most {tolerance:g} is allowed",
        )
    if bundle.metadata.precision == "int8" and (found.argmax(1) != expected.argmax(1)).any():
        raise GoldenMismatch(bundle.path, detail="the model prefers another label than the stored one")


def _to_npy(array: NDArray[np.uint8] | NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
