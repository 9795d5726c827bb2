"""The training loop: follow the teacher's maps, features and logits; keep a running average of the weights."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recipes.nano.crop_set import CropSet
from recipes.nano.network import Answers, Network, normalise
from recipes.nano.settings import Settings
from trainer.progress import Progress

CropSets = Callable[[int], CropSet]


@dataclass(frozen=True)
class Scales:
    """Standard deviation of each channel of the teacher's answers, so that no channel outweighs the others."""

    middle: Tensor
    middle_pooled: Tensor
    late: Tensor
    late_pooled: Tensor
    features: Tensor


def measure_scales(crops: CropSet, rows: int = 1024) -> Scales:
    """Scales from the first rows of a crop set."""
    taken = np.arange(min(rows, len(crops)))
    _, answers = crops.take(taken, np.zeros(len(taken), dtype=np.bool_))
    middle, late = answers.middle, answers.late
    return Scales(
        middle=_floor(middle.std((0, 2, 3))),
        middle_pooled=_floor(middle.mean((2, 3)).std(0)),
        late=_floor(late.std((0, 2, 3))),
        late_pooled=_floor(late.mean((2, 3)).std(0)),
        features=_floor(answers.features.std(0)),
    )


def distillation_loss(
    student: Answers, teacher: Answers, scales: Scales, classifier: torch.nn.Linear, logit_weight: float
) -> Tensor:
    """How far the student's answers are from the teacher's; 0 is a perfect copy.

    Mean squared errors in units of the teacher's standard deviations: of the two tapped maps place by place, of
    their averages (what `nano` gives as features) and of the penultimate features; plus `logit_weight` times the
    KL divergence of the class probabilities, both through the teacher's classifier.
    """
    errors = (
        _squared(student.middle, teacher.middle, scales.middle.view(1, -1, 1, 1)),
        _squared(student.late, teacher.late, scales.late.view(1, -1, 1, 1)),
        _squared(student.middle.mean((2, 3)), teacher.middle.mean((2, 3)), scales.middle_pooled),
        _squared(student.late.mean((2, 3)), teacher.late.mean((2, 3)), scales.late_pooled),
        _squared(student.features, teacher.features, scales.features),
    )
    ours, theirs = (classifier(answers.features).log_softmax(1) for answers in (student, teacher))
    divergence = functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
    return torch.stack(errors).sum() + logit_weight * divergence


class Distillation:
    """Everything that changes while training, and how to store it.

    Args:
        teacher: where the student starts from, and whose classifier it answers to.
        scales: of the teacher's answers.
        settings: of the run.
        device: where to compute.
    """

    def __init__(self, teacher: Network, scales: Scales, settings: Settings, device: torch.device) -> None:
        self.step = 0
        self._settings = settings
        self._device = device
        self._scales = Scales(**{name: value.to(device) for name, value in vars(scales).items()})
        self.student, self.average = Network(), Network()
        for network in (self.student, self.average):
            network.load_state_dict(teacher.state_dict())
            network.to(device).to(memory_format=torch.channels_last)
        self.student.classifier.requires_grad_(False)
        parameters = [value for value in self.student.parameters() if value.requires_grad]
        self._optimizer = torch.optim.AdamW(parameters, weight_decay=settings.weight_decay)

    def train_step(self, pixels: Tensor, teacher: Answers, total_steps: int) -> float:
        """One batch; returns its loss."""
        settings = self._settings
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step / total_steps, settings)
        images = normalise(pixels.to(self._device)).contiguous(memory_format=torch.channels_last)
        answers = Answers(*(answer.to(self._device, non_blocking=True) for answer in teacher))
        bf16 = self._device.type == "cuda"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=bf16):
            ours = self.student(images, settings.frozen_blocks)
        loss = distillation_loss(
            Answers(*(answer.float() for answer in ours)),
            answers,
            self._scales,
            self.student.classifier,
            settings.logit_weight,
        )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self._optimizer.step()
        self.step += 1
        self._follow()
        return float(loss.detach())

    def write_checkpoint(self, path: Path) -> None:
        """Written beside, then renamed: a killed run leaves the checkpoint before it."""
        beside = path.with_suffix(".part")
        state = {"step": self.step, "student": self.student.state_dict(), "average": self.average.state_dict()}
        torch.save({**state, "optimizer": self._optimizer.state_dict()}, beside)
        beside.replace(path)

    def read_checkpoint(self, path: Path) -> None:
        """Go on exactly where the checkpoint was written."""
        state = torch.load(path, map_location=self._device, weights_only=True)
        self.step = state["step"]
        self.student.load_state_dict(state["student"])
        self.average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])

    @torch.no_grad()
    def _follow(self) -> None:
        # Early averages would remember the first steps for too long.
        decay = min(self._settings.average_decay, self.step / (self.step + 10))
        for average, value in zip(self.average.parameters(), self.student.parameters(), strict=True):
            average.lerp_(value, 1 - decay)


def distil(run: Distillation, crop_sets: CropSets, settings: Settings, progress: Progress) -> list[float]:
    """Train to the end of the schedule from wherever `run` stands; returns the mean loss of each epoch done here."""
    checkpoint = settings.work_dir / "checkpoint.pt"
    losses = []
    per_epoch = max(1, len(crop_sets(0)) // settings.batch_size)
    total_steps = per_epoch * settings.epochs
    while run.step < total_steps:
        epoch = run.step // per_epoch
        crops = crop_sets(epoch % settings.crop_sets)
        epoch_losses = []
        with progress.phase(f"epoch {epoch + 1} of {settings.epochs}", total=per_epoch) as phase:
            phase.advance(run.step % per_epoch)
            for rows, flipped in _batches(len(crops), epoch, run.step % per_epoch, settings):
                epoch_losses.append(run.train_step(*crops.take(rows, flipped), total_steps))
                phase.advance()
                if run.step % settings.checkpoint_every == 0:
                    run.write_checkpoint(checkpoint)
        run.write_checkpoint(checkpoint)
        losses.append(sum(epoch_losses) / len(epoch_losses))
        progress.say(f"epoch {epoch + 1}: loss {losses[-1]:.4f}", epoch=epoch + 1, loss=losses[-1], step=run.step)
    return losses


def learning_rate_at(fraction: float, settings: Settings) -> float:
    """Linear warm-up, then half a cosine down to 1 % of the peak."""
    if fraction < settings.warmup_fraction:
        return settings.learning_rate * max(fraction / settings.warmup_fraction, 0.01)
    rest = (fraction - settings.warmup_fraction) / (1 - settings.warmup_fraction)
    return settings.learning_rate * max(0.01, 0.5 * (1 + math.cos(math.pi * rest)))


def _batches(
    count: int, epoch: int, first: int, settings: Settings
) -> Iterator[tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.bool_]]]]:
    """The epoch's batches from number `first` on; the order depends on nothing but seed and epoch."""
    rng = np.random.default_rng((settings.seed, epoch))
    order, flips = rng.permutation(count), rng.random(count) < 0.5
    size = min(settings.batch_size, count)
    for start in range(first * size, count - size + 1, size):
        rows = np.sort(order[start : start + size])
        yield rows, flips[rows]


def _squared(ours: Tensor, theirs: Tensor, scale: Tensor) -> Tensor:
    return (((ours - theirs) / scale) ** 2).mean()


def _floor(scale: Tensor) -> Tensor:
    """A channel that never changes says nothing; it must not divide by zero."""
    return scale.clamp_min(0.1 * float(scale.mean()) + 1e-6)
