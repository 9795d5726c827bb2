"""`python -m recipes.nano.compare PICTURES... --teacher FILE --work-dir DIR --judge DATA...`: which architecture?

Every candidate learns from the same crops and the teacher's same answers (penultimate features and class
probabilities) for the same processor time on one thread, under the same schedule; then the judges' linear probe, the
speed of its graph and its size are put into one table, beside the student that starts from the teacher and an untrained
network. A candidate that was trained is kept in the work folder and not trained again.
"""

import argparse
import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recipes.nano.candidates import CANDIDATES, inverted_residual
from recipes.nano.contenders import Contender, GraphContender, read_contender
from recipes.nano.crop_set import CropSet, ask_through_onnx, make_crop_set
from recipes.nano.distil import measure_scales
from recipes.nano.judge import judge_contender, mean_and_interval, print_table
from recipes.nano.network import FEATURES, Network, normalise, read_teacher
from recipes.nano.pictures import list_pictures, shuffle_pictures
from recipes.nano.settings import Settings
from recipes.nano.timing import runs_per_s
from shared.files import sha256_of
from shared.preprocess import PreprocessSpec
from trainer.export import export_backbone
from trainer.manifest import read_manifest
from trainer.nano import NANO_FEATURE_SIZE, NANO_RESIZE, NANO_SIZE
from trainer.progress import Progress

SPEC = PreprocessSpec(height=NANO_SIZE, width=NANO_SIZE, resize=NANO_RESIZE)
RATE_FROM_SCRATCH, RATE_FROM_TEACHER = 2e-3, 1.5e-4

_BATCH = 32
_TIMED_ROUNDS = 7
_WARMUP = 0.05
_WEIGHT_DECAY = 0.02
_BYTES_A_PARAMETER = 2  # stored as float16


@dataclass(frozen=True)
class Entrant:
    """One line of the comparison: how the network begins, and the peak of its learning rate (0: untrained)."""

    name: str
    start: Callable[[], nn.Module]
    feature_size: int
    learning_rate: float


def entrants(teacher: Network) -> dict[str, Entrant]:
    """By name: the zero line, the candidates, and the student that starts from the teacher."""
    fresh = [Entrant(name, make, make().feature_size, RATE_FROM_SCRATCH) for name, make in CANDIDATES.items()]
    entered = [
        Entrant("untrained (inverted residual)", inverted_residual, inverted_residual().feature_size, 0.0),
        *fresh,
        Entrant(
            "starts from the teacher",
            lambda: copy.deepcopy(teacher.nano).requires_grad_(True),
            NANO_FEATURE_SIZE,
            RATE_FROM_TEACHER,
        ),
    ]
    return {entrant.name: entrant for entrant in entered}


def follow(entrant: Entrant, crops: CropSet, teacher: Network, *, cpu_s: float, seed: int) -> nn.Module:
    """Train a candidate for `cpu_s` seconds of processor time to say what the teacher says; returned in eval mode."""
    torch.manual_seed(seed)
    module = entrant.start().to(memory_format=torch.channels_last)
    project = nn.Linear(entrant.feature_size, FEATURES)
    optimizer = torch.optim.AdamW([*module.parameters(), *project.parameters()], weight_decay=_WEIGHT_DECAY)
    scale, rng = measure_scales(crops).features, np.random.default_rng(seed)
    module.train()
    started = time.process_time()
    while entrant.learning_rate and (share := (time.process_time() - started) / cpu_s) < 1:
        rows = np.sort(rng.choice(len(crops), min(_BATCH, len(crops)), replace=False))
        pixels, answers = crops.take(rows, rng.random(len(rows)) < 0.5)
        for group in optimizer.param_groups:
            group["lr"] = entrant.learning_rate * min(share / _WARMUP, 0.5 * (1 + math.cos(math.pi * share)))
        ours = project(module(normalise(pixels).contiguous(memory_format=torch.channels_last)))
        optimizer.zero_grad(set_to_none=True)
        _loss(ours, answers.features, scale, teacher.classifier).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), 5.0)
        optimizer.step()
    return module.eval()


def enter(entrant: Entrant, crops: CropSet, teacher: Network, work_dir: Path, *, cpu_s: float) -> Contender:
    """The entrant, trained here or before, as something to judge."""
    trained_on = sha256_of(repr((crops.identity, cpu_s, entrant.learning_rate)).encode())
    path = work_dir / f"candidate-{entrant.name.replace(' ', '-')}-{trained_on[:16]}.pt"
    if path.exists():
        module = entrant.start().eval()
        module.load_state_dict(torch.load(path, weights_only=True))
    else:
        module = follow(entrant, crops, teacher, cpu_s=cpu_s, seed=0)
        torch.save(module.state_dict(), path)
    size = sum(value.numel() for value in module.parameters()) * _BYTES_A_PARAMETER
    return GraphContender(entrant.name, SPEC, size, export_backbone(module, SPEC))


def compare(
    settings: Settings,
    names: Sequence[str],
    judges: Sequence[Path],
    *,
    cpu_s: float,
    seeds: int,
    progress: Progress,
) -> None:
    """Train, judge, print the table: a line for each named entrant, and MobileNetV2, the unit of speed."""
    torch.set_num_threads(1)
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    teacher, cache_dir = read_teacher(settings.teacher).requires_grad_(False), settings.work_dir / "cache"
    ask = ask_through_onnx(teacher, side=settings.teacher_size, threads=1)
    pictures = shuffle_pictures(list_pictures(settings.pictures), settings.seed)
    crops = make_crop_set(0, pictures, ask, settings, progress)
    contenders: list[Contender] = []
    entered = entrants(teacher)
    for name in names:
        contenders.append(enter(entered[name], crops, teacher, settings.work_dir, cpu_s=cpu_s))
        progress.say(f"{name}: trained")
    contenders.append(read_contender(f"mobilenet_v2={settings.teacher}", cache_dir))
    manifests = [read_manifest(data, cache_dir=cache_dir) for data in judges]
    rates = [rate.by_processor for rate in runs_per_s(contenders, threads=1, rounds=_TIMED_ROUNDS)]
    rows = []
    for one, rate in zip(contenders, rates, strict=True):
        results = [judge_contender(one, data, cache_dir=cache_dir, seeds=seeds, threads=1) for data in manifests]
        cells = [mean_and_interval(result) for result in results]
        rows.append((one.name, *cells, f"{rate / rates[-1]:.1f}", f"{one.file_bytes / 1e6:.1f}"))
        progress.say(" | ".join(rows[-1]))
    print_table(("candidate", *(data.name for data in judges), "speed", "MB"), rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m recipes.nano.compare")
    parser.add_argument("pictures", nargs="+", type=Path, help="folders, zip or tar files of unlabelled pictures")
    parser.add_argument("--teacher", required=True, type=Path, help="MobileNetV2 state dict (torchvision's names)")
    parser.add_argument("--work-dir", required=True, type=Path, help="that of the recipe, whose crops are used")
    parser.add_argument("--judge", action="append", required=True, type=Path, help="a folder of labelled pictures")
    choices = list(entrants(Network()))
    parser.add_argument("--entrant", action="append", choices=choices, help="only this one; may be repeated [all]")
    parser.add_argument("--cpu-minutes", type=float, default=5.0, help="processor time for each candidate [5]")
    parser.add_argument("--seeds", type=int, default=5, help="of the judges' splits [5]")
    told = parser.parse_args(arguments)
    settings = Settings(tuple(told.pictures), told.teacher, told.work_dir, out=told.work_dir / "unused", threads=1)
    names, cpu_s = told.entrant or choices, 60 * told.cpu_minutes
    compare(settings, names, told.judge, cpu_s=cpu_s, seeds=told.seeds, progress=Progress())


def _loss(ours: Tensor, theirs: Tensor, scale: Tensor, classifier: nn.Linear) -> Tensor:
    error = (((ours - theirs) / scale) ** 2).mean()
    ours, theirs = (classifier(features).log_softmax(1) for features in (ours, theirs))
    return error + functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)


if __name__ == "__main__":
    main()
