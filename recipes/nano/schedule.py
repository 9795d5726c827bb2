"""The learning rate over a training, and when the end of the training may still be moved."""

import math

from recipes.nano.settings import Settings


def learning_rate_at(step: int, total_steps: int, settings: Settings) -> float:
    """Linear warm-up, constant, then half a cosine to 0: the end may be moved until the cooldown begins.

    Source: Hägele et al. 2024, "Scaling laws and compute-optimal training beyond fixed training durations".
    """
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    left = (total_steps - step) / _cooldown_steps(total_steps, settings)
    return settings.learning_rate * 0.5 * (1 - math.cos(math.pi * min(1.0, left)))


def refuse_moved_end(step: int, planned_steps: int, total_steps: int, settings: Settings) -> None:
    """Nothing at the start, if the end stays, or while the rate of each step done is the same by both plans.

    Raises:
        ValueError: the rate would jump, or the training would end without its cooldown.
    """
    if not step or total_steps == planned_steps:
        return
    shorter = min(planned_steps, total_steps)
    begins = shorter - _cooldown_steps(shorter, settings)
    if step - 1 > begins:
        raise ValueError(
            f"another --epochs moves the end of this training from step {planned_steps} to {total_steps}, "
            f"but it is at step {step}, and where it ends at step {shorter} the cooldown begins at step {begins:.0f}; "
            "repeat the former --epochs to go on with it, or train anew in another --work-dir"
        )


def _cooldown_steps(total_steps: int, settings: Settings) -> float:
    return max(1.0, settings.cooldown_fraction * total_steps)
