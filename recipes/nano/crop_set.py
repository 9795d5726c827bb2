"""Fixed crops with the teacher's answers to them: computed once, kept on disk, read as often as training likes."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from recipes.nano.identity import identify_pictures
from recipes.nano.network import Answers, FromPixels, Network
from recipes.nano.pictures import Picture, draw_crop
from recipes.nano.settings import Settings
from shared.files import sha256_of, sha256_of_file, write_atomically
from shared.session import open_session
from trainer.progress import Progress

Ask = Callable[[NDArray[np.uint8]], Answers]
CHUNK = 64
_MIXED = 0.3
_PARTS = ("pixels", *Answers._fields)


class CropSet:
    """One crop of every picture and what the teacher says about it.

    Args:
        folder: where the arrays lie.
        identity: digest of all that the crops and the answers depend on.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.identity = identity
        self._arrays = {part: np.load(folder / f"{part}.npy", mmap_mode="r") for part in _PARTS}

    def __len__(self) -> int:
        return len(self._arrays["pixels"])

    def take(self, rows: NDArray[np.int64], flipped: NDArray[np.bool_]) -> tuple[Tensor, Answers]:
        """Pixels and answers of some rows; a mirrored picture gets the mirrored answer."""
        pixels, middle, late, features = (torch.from_numpy(self._arrays[part][rows]) for part in _PARTS)
        mirror = torch.from_numpy(flipped).view(-1, 1, 1, 1)
        middle, late = (torch.where(mirror, map_.flip(3), map_) for map_ in (middle, late))
        return torch.where(mirror, pixels.flip(2), pixels), Answers(middle.float(), late.float(), features.float())


def make_crop_set(
    index: int, pictures: Sequence[Picture], ask: Ask, settings: Settings, progress: Progress, *, chunk: int = CHUNK
) -> CropSet:
    """Open crop set `index`, computing what is missing of it, `chunk` pictures at a time.

    An interrupted one goes on where it stopped; one of other pictures, another teacher or other settings is made anew.
    """
    folder = settings.work_dir / f"crops-{index}"
    folder.mkdir(parents=True, exist_ok=True)
    done_file = folder / "done.json"
    identity = _identity(index, pictures, settings)
    done = _read_done(done_file, identity)
    if not done:
        done_file.unlink(missing_ok=True)  # first of all: what it vouches for is overwritten now
    with progress.phase(f"crop set {index}", total=len(pictures)) as phase:
        phase.advance(done)
        while done < len(pictures):
            rows = range(done, min(done + chunk, len(pictures)))
            crops = [_draw(pictures, row, index, settings) for row in rows]
            student, teacher = (np.stack(column) for column in zip(*crops, strict=True))
            _write(folder, rows, len(pictures), (student, *_shrink(ask(teacher), settings.student_size)))
            done = rows.stop
            write_atomically(done_file, json.dumps({"identity": identity, "done": done}).encode())
            phase.advance(len(rows))
    return CropSet(folder, identity)


def ask_through_torch(teacher: Network, device: torch.device) -> Ask:
    """Answers computed by torch; the way on a GPU."""
    module = FromPixels(teacher).to(device).eval()

    @torch.inference_mode()
    def ask(pixels: NDArray[np.uint8]) -> Answers:
        return Answers(*(answer.float().cpu() for answer in module(torch.from_numpy(pixels).to(device))))

    return ask


def ask_through_onnx(teacher: Network, *, side: int, threads: int) -> Ask:
    """Answers computed by ONNX Runtime: on a CPU three times as fast as torch."""
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    dynamic = ({0: torch.export.Dim("n")},)
    names = list(Answers._fields)
    program = torch.onnx.export(
        FromPixels(teacher).eval(), (example,), dynamo=True, dynamic_shapes=dynamic, output_names=names, verbose=False
    )
    if program is None:
        raise RuntimeError("the teacher cannot be exported to ONNX; use --device cuda, which asks it through torch")
    session = open_session(program.model_proto.SerializeToString(), provider="cpu", threads=threads)
    return lambda pixels: Answers(*(torch.from_numpy(answer) for answer in session.run(pixels, names)))


def _draw(pictures: Sequence[Picture], row: int, index: int, settings: Settings) -> list[NDArray[np.uint8]]:
    """Set 0 is the pictures as they are; in the others they are cropped, coloured, some mixed with a trained one."""
    rng = np.random.default_rng((settings.seed, index, row))
    sizes = (settings.student_size, settings.teacher_size)
    crops = _crop(pictures[row], sizes, rng, whole=index == 0)
    if index == 0 or rng.random() >= _MIXED:
        return crops
    share, partner = rng.uniform(0.5, 1.0), pictures[int(rng.integers(settings.trained_count(len(pictures))))]
    others = _crop(partner, sizes, rng, whole=False)
    return [np.rint(share * a + (1 - share) * b).astype(np.uint8) for a, b in zip(crops, others, strict=True)]


def _crop(picture: Picture, sizes: Sequence[int], rng: np.random.Generator, *, whole: bool) -> list[NDArray[np.uint8]]:
    try:
        return draw_crop(picture.read(), sizes=sizes, rng=rng, whole=whole)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{picture.name} does not decode ({error}); take it out of the pool") from error


def _shrink(answers: Answers, student_size: int) -> tuple[NDArray[np.float16], ...]:
    """Maps at the student's resolution, in float16: 25 kB a picture instead of 150."""
    late_side = -(-student_size // 32)
    middle = functional.adaptive_avg_pool2d(answers.middle, -(-student_size // 16))
    late = functional.adaptive_avg_pool2d(answers.late, late_side)
    return tuple(answer.half().numpy() for answer in (middle, late, answers.features))


def _write(folder: Path, rows: range, total: int, values: Sequence[NDArray[np.generic]]) -> None:
    for part, value in zip(_PARTS, values, strict=True):
        path = folder / f"{part}.npy"
        if rows.start == 0:
            array = open_memmap(path, mode="w+", dtype=value.dtype, shape=(total, *value.shape[1:]))
        else:
            array = np.load(path, mmap_mode="r+")
        array[rows.start : rows.stop] = value
        array.flush()


def _identity(index: int, pictures: Sequence[Picture], settings: Settings) -> str:
    what = (
        settings.seed,
        index,
        settings.student_size,
        settings.teacher_size,
        settings.trained_count(len(pictures)),
        sha256_of_file(settings.teacher),
        identify_pictures(pictures),
    )
    return sha256_of(repr(what).encode())


def _read_done(path: Path, identity: str) -> int:
    if not path.exists():
        return 0
    state = json.loads(path.read_text())
    return int(state["done"]) if state["identity"] == identity else 0
