"""`python -m recipes.nano PICTURES... --teacher FILE --work-dir DIR --out FILE`: `nano` with one command."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.nano import judge
from recipes.nano.contenders import HANDMADE
from recipes.nano.crop_set import Ask, ask_through_onnx, ask_through_torch, make_crop_set
from recipes.nano.distil import CropSets, Distillation, distil, measure_scales
from recipes.nano.identity import identify_training
from recipes.nano.network import Answers, Network, read_teacher
from recipes.nano.pictures import Picture, list_pictures, shuffle_pictures
from recipes.nano.release import blend, write_weights
from recipes.nano.settings import Settings, read_settings
from recipes.nano.telling import Log
from trainer.progress import Progress


def run(settings: Settings, progress: Progress) -> str:
    """Distil, write the weights file, and return its SHA-256. A second call goes on where the first one stopped.

    Raises:
        ValueError: the work folder is of another training, or the end of this one may not be moved any more.
    """
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(settings.threads)
    device = _device(settings.device)
    pictures = shuffle_pictures(list_pictures(settings.pictures), settings.seed)
    progress.say(f"{len(pictures)} pictures, training on {device}", pictures=len(pictures), device=str(device))
    teacher = read_teacher(settings.teacher)
    crop_sets = _crop_sets(pictures, teacher, device, settings, progress)
    identity = identify_training(pictures, settings)
    training = Distillation(teacher, measure_scales(crop_sets(0)), settings, device, identity=identity)
    _resume(training, settings.work_dir / "checkpoint.pt", progress)
    distil(training, crop_sets, settings, progress)
    digest = write_weights(blend(training.average.nano, teacher.nano, settings.teacher_share), settings.out)
    progress.say(f"{settings.out}: SHA-256 {digest}", sha256=digest)
    if settings.judges:
        judge.main(_final_table(settings))
    return digest


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    settings = read_settings(arguments)
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    with Log.open(settings.work_dir / "log.jsonl") as progress:
        run(settings, progress)


def _crop_sets(
    pictures: Sequence[Picture], teacher: Network, device: torch.device, settings: Settings, progress: Progress
) -> CropSets:
    """Crop sets by index, each made when first asked for; the teacher is made ready only if one is incomplete."""

    @functools.cache
    def ready() -> Ask:
        if device.type == "cuda":
            return ask_through_torch(teacher, device)
        return ask_through_onnx(teacher, side=settings.teacher_size, threads=settings.threads)

    def ask(pixels: NDArray[np.uint8]) -> Answers:
        return ready()(pixels)

    return functools.cache(lambda index: make_crop_set(index, pictures, ask, settings, progress))


def _resume(training: Distillation, checkpoint: Path, progress: Progress) -> None:
    if checkpoint.exists():
        training.read_checkpoint(checkpoint)
        progress.say(f"going on from step {training.step}", step=training.step)


def _final_table(settings: Settings) -> list[str]:
    """The judge's arguments: the result beside its teacher and features made by hand."""
    contenders = (f"nano={settings.out}", f"mobilenet_v2={settings.teacher}", HANDMADE)
    named = [word for one in contenders for word in ("--backbone", one)]
    where = ["--cache-dir", str(settings.work_dir / "cache"), "--threads", str(settings.threads)]
    return [*map(str, settings.judges), *named, *where]


def _device(wanted: str) -> torch.device:
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted)


if __name__ == "__main__":
    main()
