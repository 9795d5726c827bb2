"""Golden check: stored pictures and tensors must give the stored answers before a model is served.

`golden/images.npy` uint8 (N, H, W, 3); `golden/probabilities.npy` float32 (N, K); `golden/novelty.npy` float32 (N,) of
a model that knows it; `golden/pictures/` the source files of the tensors in order, absent when customers' pictures must
not leave the house.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.bundle import FEATURES, LOGITS, NOVELTY, PROBABILITIES, Bundle
from shared.decode import TRAINER_LIMITS, decode
from shared.errors import BundleInvalid, GoldenMismatch, PictureError
from shared.evidence import Evidence, check_evidence, read_evidence
from shared.files import write_atomically
from shared.preprocess import PreprocessSpec, preprocess
from shared.session import Session

IMAGES_FILE, PROBABILITIES_FILE, NOVELTY_FILE, PICTURES_FOLDER = (
    "golden/images.npy",
    "golden/probabilities.npy",
    "golden/novelty.npy",
    "golden/pictures",
)
FLOAT32_TOLERANCE, INT8_TOLERANCE = 1e-3, 0.05
# Half of the training pictures lie within a few percent of the distance that novelty is told from: what int8 kernels of
# another processor change there moves it by many of its hundredths. Golden pictures are familiar and must remain so.
INT8_NOVELTY_TOLERANCE = 0.25


@dataclass(frozen=True)
class Golden:
    """Stored inputs and the answers they must give. `pictures` may be empty; `novelty` is None where none is told."""

    images: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    pictures: tuple[bytes, ...] = ()
    novelty: NDArray[np.float32] | None = None


def write_golden(folder: Path, golden: Golden) -> None:
    """Write the golden files of a bundle that is being staged in `folder`."""
    (folder / IMAGES_FILE).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / IMAGES_FILE, _to_npy(golden.images))
    write_atomically(folder / PROBABILITIES_FILE, _to_npy(golden.probabilities))
    if golden.novelty is not None:
        write_atomically(folder / NOVELTY_FILE, _to_npy(golden.novelty))
    if golden.pictures:
        (folder / PICTURES_FOLDER).mkdir(exist_ok=True)
    for number, picture in enumerate(golden.pictures):
        write_atomically(folder / PICTURES_FOLDER / f"{number:03d}", picture)


def read_golden(bundle: Bundle) -> Golden:
    """Read them back; only what bundle.json lists.

    Raises:
        BundleInvalid: they are missing, or shapes and types are not those of the bundle.
    """
    spec, label_count = bundle.metadata.spec, len(bundle.metadata.labels)
    images = _read_npy(bundle, IMAGES_FILE)
    probabilities = _read_npy(bundle, PROBABILITIES_FILE)
    names = sorted(name for name in bundle.metadata.files if name.startswith(f"{PICTURES_FOLDER}/"))
    count = len(images) if images.ndim else 0
    _require(bundle, images, (max(count, 1), spec.height, spec.width, 3), np.uint8)
    _require(bundle, probabilities, (count, label_count), np.float32)
    if len(names) not in (0, count):
        raise _invalid(bundle, f"{len(names)} golden pictures for {count} tensors")
    pictures = tuple((bundle.path / name).read_bytes() for name in names)
    return Golden(images, probabilities, pictures, _read_novelty(bundle, count))


def check_golden(bundle: Bundle, session: Session) -> list[str]:
    """Replay the golden inputs, one picture at a time, as the service runs them.

    Returns:
        Warnings: stored pictures that this machine's decoder turns into other pixels. Empty when all agree.

    Raises:
        GoldenMismatch: the graph's answers are not the stored ones, or not numbers, or its maps do not add up to them.
        BundleInvalid: the golden files are not usable.
        RunFailed: the graph cannot compute the golden tensors.
    """
    golden, evidence = read_golden(bundle), read_evidence(bundle)
    wanted = [PROBABILITIES] if golden.novelty is None else [PROBABILITIES, NOVELTY]
    answers = [_run(bundle, session, image[np.newaxis], wanted, evidence) for image in golden.images]
    _compare(bundle, np.concatenate([answer[0] for answer in answers]), golden.probabilities)
    if golden.novelty is not None:
        _compare_novelty(bundle, np.concatenate([answer[1] for answer in answers]), golden.novelty)
    return compare_pixels(golden.pictures, golden.images, bundle.metadata.spec)


def _run(
    bundle: Bundle, session: Session, images: NDArray[np.uint8], wanted: list[str], evidence: Evidence | None
) -> list[NDArray[np.float32]]:
    """The wanted outputs of one picture; where there is evidence, it fits to them."""
    if evidence is None:
        return session.run(images, wanted)
    answer = session.run(images, [*wanted, FEATURES, LOGITS, *evidence.outputs])
    features, logits, *maps = (output[0] for output in answer[len(wanted) :])
    check_evidence(bundle, evidence, maps, features=features, logits=logits)
    return answer[: len(wanted)]


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
    is_int8 = bundle.metadata.precision == "int8"
    _require_close(bundle, "probabilities", found, expected, INT8_TOLERANCE if is_int8 else FLOAT32_TOLERANCE)
    if is_int8 and (found.argmax(1) != expected.argmax(1)).any():
        raise GoldenMismatch(bundle.path, detail="the model prefers another label than the stored one")


def _compare_novelty(bundle: Bundle, found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    is_int8 = bundle.metadata.precision == "int8"
    _require_close(
        bundle, "novelty: its values", found, expected, INT8_NOVELTY_TOLERANCE if is_int8 else FLOAT32_TOLERANCE
    )


def _require_close(
    bundle: Bundle, what: str, found: NDArray[np.float32], expected: NDArray[np.float32], tolerance: float
) -> None:
    if found.shape != expected.shape:
        raise GoldenMismatch(bundle.path, detail=f"the answers have shape {found.shape}, expected {expected.shape}")
    if not np.isfinite(found).all():
        raise GoldenMismatch(bundle.path, detail="the model answers with values that are not numbers")
    most = float(np.abs(found - expected).max())
    if not most <= tolerance:  # also true for stored values that are not numbers
        raise GoldenMismatch(
            bundle.path,
            detail=f"{what} differ by up to {most:.2g} from the stored ones, at most {tolerance:g} is allowed",
        )


def _read_novelty(bundle: Bundle, count: int) -> NDArray[np.float32] | None:
    if NOVELTY not in bundle.metadata.outputs:
        return None
    novelty = _read_npy(bundle, NOVELTY_FILE)
    _require(bundle, novelty, (count,), np.float32)
    return novelty


def _require(bundle: Bundle, array: NDArray[Any], shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    if array.shape != shape or array.dtype != dtype:
        raise _invalid(bundle, f"golden tensor of {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}")


def _invalid(bundle: Bundle, detail: str) -> BundleInvalid:
    return BundleInvalid(bundle.path / "golden", detail=detail)


def _read_npy(bundle: Bundle, name: str) -> NDArray[Any]:
    if name not in bundle.metadata.files:
        raise _invalid(bundle, f"{name} is not among the files that bundle.json lists")
    try:
        with (bundle.path / name).open("rb") as file:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _invalid(bundle, f"{name} cannot be read ({error})") from error
    return array


def _to_npy(array: NDArray[np.uint8] | NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
