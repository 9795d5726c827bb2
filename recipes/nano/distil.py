"""The training loop: follow the teacher's maps, features and logits; keep a running average of the weights."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recipes.nano.crop_set import CropSet
from recipes.nano.identity import Identity, refuse_another
from recipes.nano.network import Answers, Network, normalise
from recipes.nano.schedule import learning_rate_at, refuse_moved_end
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
        identity: what the weights depend on; a checkpoint of any other training is refused.
    """

    def __init__(
        self, teacher: Network, scales: Scales, settings: Settings, device: torch.device, *, identity: Identity
    ) -> None:
        self.step = 0
        self._planned_steps = 0
        self._identity = identity
        self._settings = settings
        self._device = device
        self._scales = Scales(**{name: value.to(device) for name, value in vars(scales).items()})
        self.student, self.average = Network(), Network()
        for network in (self.student, self.average):
            network.load_state_dict(teacher.state_dict())
            network.to(device).to(memory_format=torch.channels_last)
        self.student.classifier.requires_grad_(False)
        self._optimizer = torch.optim.Adam(_scaled_groups(self.student))

    def plan(self, total_steps: int) -> None:
        """Set the end of the schedule.

        Raises:
            ValueError: the end had been planned elsewhere, and by the one plan or the other the cooldown has begun.
        """
        refuse_moved_end(self.step, self._planned_steps, total_steps, self._settings)
        self._planned_steps = total_steps

    def train_step(self, pixels: Tensor, teacher: Answers) -> float:
        """One batch, at the rate that the plan says; returns its loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = group["scale"] * learning_rate_at(self.step, self._planned_steps, self._settings)
        self._optimizer.zero_grad(set_to_none=True)
        batch_loss = 0.0
        for share, part, answers in self._chunks(pixels, teacher):
            loss = share * self._loss(self.student, part, answers)
            loss.backward()  # type: ignore[no-untyped-call]
            batch_loss += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self._optimizer.step()
        self.step += 1
        self._follow()
        return batch_loss

    @torch.inference_mode()
    def held_out_loss(self, pixels: Tensor, teacher: Answers) -> float:
        """How far the averaged network is from the teacher on pictures that it was not trained on."""
        return sum(
            share * float(self._loss(self.average, part, answers))
            for share, part, answers in self._chunks(pixels, teacher)
        )

    def _chunks(self, pixels: Tensor, teacher: Answers) -> Iterator[tuple[float, Tensor, Answers]]:
        """Pieces that fit the caches, and their shares of the batch; a GPU takes the batch whole."""
        size = len(pixels) if self._device.type == "cuda" else self._settings.chunk_size
        for start in range(0, len(pixels), size):
            part = pixels[start : start + size]
            yield len(part) / len(pixels), part, Answers(*(answer[start : start + size] for answer in teacher))

    def _loss(self, network: Network, pixels: Tensor, teacher: Answers) -> Tensor:
        images = normalise(pixels.to(self._device)).contiguous(memory_format=torch.channels_last)
        answers = Answers(*(answer.to(self._device, non_blocking=True) for answer in teacher))
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            ours = Answers(*(answer.float() for answer in network(images)))
        return distillation_loss(ours, answers, self._scales, network.classifier, self._settings.logit_weight)

    def write_checkpoint(self, path: Path) -> None:
        """Written beside, then renamed: a killed run leaves the checkpoint before it."""
        beside = path.with_suffix(".part")
        state = {"step": self.step, "student": self.student.state_dict(), "average": self.average.state_dict()}
        torch.save(
            {
                **state,
                "optimizer": self._optimizer.state_dict(),
                "planned_steps": self._planned_steps,
                "identity": self._identity,
            },
            beside,
        )
        beside.replace(path)

    def read_checkpoint(self, path: Path) -> None:
        """Go on exactly where the checkpoint was written.

        Raises:
            ValueError: it is of another training.
        """
        state = torch.load(path, map_location=self._device, weights_only=True)
        refuse_another(path, state.get("identity", {}), self._identity)
        self.step, self._planned_steps = state["step"], state["planned_steps"]
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
    count = settings.trained_count(len(crop_sets(0)))
    held_out = np.arange(count, len(crop_sets(0)))
    per_epoch = max(1, count // settings.batch_size)
    total_steps = per_epoch * settings.epochs
    run.plan(total_steps)
    while run.step < total_steps:
        epoch = run.step // per_epoch
        crops = crop_sets(epoch % settings.crop_sets)
        epoch_losses = []
        with progress.phase(f"epoch {epoch + 1} of {settings.epochs}", total=per_epoch) as phase:
            phase.advance(run.step % per_epoch)
            for rows, flipped in _batches(count, epoch, run.step % per_epoch, settings):
                epoch_losses.append(run.train_step(*crops.take(rows, flipped)))
                phase.advance()
                if run.step % settings.checkpoint_every == 0:
                    run.write_checkpoint(checkpoint)
        run.write_checkpoint(checkpoint)
        losses.append(sum(epoch_losses) / len(epoch_losses))
        unseen = run.held_out_loss(*crop_sets(0).take(held_out, np.zeros(len(held_out), dtype=np.bool_)))
        text = f"epoch {epoch + 1}: loss {losses[-1]:.4f}, of the average on held-out pictures {unseen:.4f}"
        progress.say(text, epoch=epoch + 1, loss=losses[-1], held_out=unseen, step=run.step)
    return losses


def _scaled_groups(network: Network) -> list[dict[str, Any]]:
    """Steps in proportion to the tensor, because the folded norms leave weights of very different sizes.

    With one rate for all, an expansion would change by 0.6 % a step and a depthwise filter by 0.01 %.
    Source: Shazeer and Stern 2018, Adafactor, relative step sizes.
    """
    parameters = [value for value in network.parameters() if value.requires_grad]
    return [
        {"params": [value], "scale": float(value.detach().square().mean().sqrt().clamp_min(1e-3))}
        for value in parameters
    ]


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
