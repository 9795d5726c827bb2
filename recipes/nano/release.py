"""A trained network -> the weights file that the package carries."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import save

from trainer.nano import Nano

LARGEST_FILE_BYTES = 4_500_000


def blend(student: Nano, teacher: Nano, teacher_share: float) -> Nano:
    """The weights between student and teacher: what the pool taught without what the pool made it forget.

    Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", which takes one half where nothing is tuned.
    """
    blended, theirs = Nano().eval(), teacher.state_dict()
    blended.load_state_dict(
        {name: value.cpu().lerp(theirs[name].cpu(), teacher_share) for name, value in student.state_dict().items()}
    )
    return blended


def write_weights(nano: Nano, path: Path) -> str:
    """Write the parameters as float16 and return the file's SHA-256.

    Raises:
        ValueError: a parameter does not fit float16, or the file would be larger than the package may carry.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in sorted(nano.state_dict().items())}
    stored = {name: value.to(torch.float16) for name, value in state.items()}
    lost = [name for name, value in stored.items() if not bool(torch.isfinite(value).all())]
    if lost:
        raise ValueError(f"{', '.join(lost)}: not finite in float16; the training diverged, lower --learning-rate")
    data = save(stored)
    if len(data) > LARGEST_FILE_BYTES:
        raise ValueError(f"{len(data)} bytes of weights, at most {LARGEST_FILE_BYTES}; make NANO_LAYERS narrower")
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
