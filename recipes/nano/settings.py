"""What the recipe can be told; read once from the command line, then frozen."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.nano import NANO_SIZE


@dataclass(frozen=True)
class Settings:
    """One run. Same settings, same pictures, same threads: the same weights, interrupted or not."""

    pictures: tuple[Path, ...]
    teacher: Path
    work_dir: Path
    out: Path
    judges: tuple[Path, ...] = ()
    epochs: int = 20
    batch_size: int = 64
    chunk_size: int = 16
    learning_rate: float = 2.5e-3
    warmup_steps: int = 50
    cooldown_fraction: float = 0.4
    average_decay: float = 0.998
    logit_weight: float = 1.0
    crop_sets: int = 4
    held_out: int = 256
    teacher_share: float = 0.0
    student_size: int = NANO_SIZE
    teacher_size: int = 224
    checkpoint_every: int = 100
    threads: int = 2
    device: str = "auto"
    seed: int = 0

    def trained_count(self, pictures: int) -> int:
        """All but the held-out ones, which are the last of the pool and never more than an eighth."""
        return pictures - min(self.held_out, max(1, pictures // 8))


def read_settings(arguments: Sequence[str] | None = None) -> Settings:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.nano", description="Distil nano from a teacher.")
    parser.add_argument("pictures", nargs="+", type=Path, help="folders, zip or tar files of unlabelled pictures")
    parser.add_argument("--teacher", required=True, type=Path, help="MobileNetV2 state dict (torchvision's names)")
    parser.add_argument("--work-dir", required=True, type=Path, help="crops, checkpoints, log; resumes from here")
    parser.add_argument("--out", required=True, type=Path, help="weights file to write, .safetensors")
    parser.add_argument("--judge", action="append", type=Path, default=[], help="labelled pictures for the final table")
    helps = {
        "epochs": "passes over the pictures; may be changed until the cooldown begins by the lower count",
        "chunk_size": "pictures computed at once on a CPU; 16 fit its caches and are 1.5 times as fast as 64",
        "learning_rate": "peak, relative to the size (root mean square) of each tensor",
        "cooldown_fraction": "last part of the schedule, in which the learning rate falls to 0",
        "logit_weight": "weight of the class probabilities beside maps and features",
        "crop_sets": "crops kept of each picture; epoch e uses set e modulo this",
        "held_out": "pictures not trained on, whose loss is told after each epoch",
        "teacher_share": "how much of the teacher's weights is mixed into the result; 0 gives the student itself",
        "teacher_size": "side in px of the crop that the teacher sees",
        "device": "auto takes CUDA, with bf16, when there is one",
    }
    for name, default in _defaults().items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(default), default=default, help=f"{helps.get(name, '')} [{default}]")
    values = vars(parser.parse_args(arguments))
    judges, pictures = tuple(values.pop("judge")), tuple(values.pop("pictures"))
    return Settings(pictures=pictures, judges=judges, **values)


def _defaults() -> dict[str, int | float | str]:
    fields = Settings.__dataclass_fields__.values()
    return {field.name: field.default for field in fields if isinstance(field.default, int | float | str)}
