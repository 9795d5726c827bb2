"""`train --backbone auto`: the backbone that a comparison on the user's pictures picks, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from trainer.audit import Audit
from trainer.backbones import cached_names
from trainer.catalogue import NANO
from trainer.compared import Compared, table_of
from trainer.comparing import compare_backbones
from trainer.errors import NothingFastEnough
from trainer.progress import Progress
from trainer.recipe import Precision
from trainer.recipe_search import standard_error
from trainer.run_backbone import RunBackbone, open_backbone
from trainer.settings import TrainSettings

AUTO = "auto"


@dataclass(frozen=True)
class BackboneChoice:
    """What was picked, and what it was picked from.

    Attributes:
        reason: a sentence.
        compared: everything that was looked at, the most accurate first.
    """

    reason: str
    compared: tuple[Compared, ...]

    def as_json(self) -> dict[str, Any]:
        """For run.json: times are in it."""
        return {"reason": self.reason, "compared": [one.as_json() for one in self.compared]}


def settle_backbone(
    settings: TrainSettings, audit: Audit, progress: Progress
) -> tuple[TrainSettings, BackboneChoice | None]:
    """The settings with a backbone, a fit and a precision in place of "auto"; as they are, where none is to be picked.

    They are what the bundle keeps, so a run that is repeated takes the decision over. It is made on the train and
    validation splits: the test split tells what the model that comes of it is worth.

    Raises:
        NothingFastEnough: every backbone takes longer than `--max-latency`.
        BadData: the pictures cannot be compared on.
    """
    if settings.backbone != AUTO:
        return settings, None
    opened = _open_all(settings, progress)
    wanted: Literal["float32", "int8", "auto"] = settings.precision
    precisions: tuple[Precision, ...] = ("float32", "int8") if wanted == "auto" else (wanted,)
    _, compared = compare_backbones(
        audit,
        [backbone for _, backbone in opened],
        settings,
        progress,
        precisions=precisions,
        splits=("train", "validation"),
    )
    chosen, reason = pick(compared, settings.max_latency)
    progress.say(table_of(compared))
    wish = next(wish for wish, backbone in opened if backbone.entry.name == chosen.backbones[0])
    update: dict[str, Any] = {"precision": chosen.precision, "max_latency": None}
    if settings.fit == AUTO:
        update["fit"] = chosen.fit
    return wish.model_copy(update=update), BackboneChoice(reason, compared)


def with_reason(backbone: RunBackbone, choice: BackboneChoice | None) -> RunBackbone:
    """The backbone of a run, with why it was picked."""
    return backbone if choice is None else replace(backbone, reason=choice.reason)


def pick(compared: Sequence[Compared], max_latency_ms: float | None) -> tuple[Compared, str]:
    """The fastest that is fast enough and whose log loss is within one standard error of the best one's, and why.

    Two backbones side by side are not picked: what they gain is for a person to judge by its cost.

    Args:
        compared: their losses are paired by picture.
        max_latency_ms: of a single request; None for any.

    Raises:
        NothingFastEnough: none is.
    """
    single = sorted((one for one in compared if len(one.backbones) == 1), key=lambda one: one.latency_ms)
    eligible = [one for one in single if max_latency_ms is None or one.latency_ms <= max_latency_ms]
    if not eligible:
        raise NothingFastEnough(max_latency_ms or 0, fastest=single[0].name, latency_ms=single[0].latency_ms)
    best = min(eligible, key=lambda one: float(one.losses.mean()))
    chosen = next(one for one in eligible if _as_good(one, best))
    allowed = "" if max_latency_ms is None else f" within {max_latency_ms:g} ms"
    return chosen, (
        f"{chosen.name}, the fastest of {len(eligible)}{allowed} whose log loss is within one standard error of the "
        f"best one's ({best.name}): accuracy {chosen.accuracy:.3f}, {chosen.latency_ms:.1f} ms a request on this "
        "machine."
    )


def _as_good(one: Compared, best: Compared) -> bool:
    differences = one.losses - best.losses
    return float(differences.mean()) <= standard_error(differences)


def _open_all(settings: TrainSettings, progress: Progress) -> list[tuple[TrainSettings, RunBackbone]]:
    """Each backbone whose weights are here, with how it would be asked for; a file goes before cached weights."""
    wishes = [settings.model_copy(update={"backbone": None})] if settings.weights is not None else []
    names = ((NANO,) if settings.nano else ()) + tuple(cached_names())
    wishes += [settings.model_copy(update={"backbone": name, "weights": None}) for name in names]
    opened: dict[str, tuple[TrainSettings, RunBackbone]] = {}
    for wish in wishes:
        if wish.backbone not in opened:
            backbone = open_backbone(wish, progress)
            opened.setdefault(backbone.entry.name, (wish, backbone))
    return list(opened.values())
