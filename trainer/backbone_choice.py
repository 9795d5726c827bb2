"""`train --backbone auto`: the backbone that a comparison on the user's pictures picks, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trainer.audit import Audit
from trainer.backbones import cached_names
from trainer.catalogue import NANO
from trainer.compared import Compared, table_of
from trainer.comparing import compare_backbones
from trainer.errors.comparing import NothingFastEnough, NothingToCompare
from trainer.errors.features import NoMiddleStage, SizeRefused, TapUnusable
from trainer.feature_tally import FeatureTally
from trainer.intervals import standard_error
from trainer.progress import Progress
from trainer.recipe import Precision
from trainer.run_backbone import RunBackbone, open_to_compare
from trainer.settings import TrainSettings

AUTO = "auto"
OpenOne = Callable[[TrainSettings, Progress], RunBackbone]


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
    settings: TrainSettings,
    audit: Audit,
    progress: Progress,
    *,
    open_one: OpenOne = open_to_compare,
    tally: FeatureTally | None = None,
) -> tuple[TrainSettings, BackboneChoice | None]:
    """The settings with a backbone and a fit in place of "auto"; as they are, where none is to be picked.

    They are what the bundle keeps, so a run that is repeated takes the decision over. It is made on the train and
    validation splits: the test split tells what the model that comes of it is worth. `--precision auto` compares in
    float32 and stays as it is: `settle_precision` decides on the model's own recipe.
    What the comparison featurises counts in `tally`.

    Raises:
        NothingToCompare: no weights are here, or none that suit the other options.
        NothingFastEnough: every backbone takes longer than `--max-latency`.
        BadData: the pictures cannot be compared on.
    """
    if settings.backbone != AUTO:
        return settings, None
    opened = open_all(settings, progress, open_one=open_one)
    precision: Precision = "int8" if settings.precision == "int8" else "float32"
    training, compared = compare_backbones(
        audit,
        [replace(backbone, tally=tally or backbone.tally) for _, backbone in opened],
        settings,
        progress,
        precisions=(precision,),
        splits=("train", "validation"),
    )
    chosen, reason = pick(compared, training.groups, settings.max_latency)
    if len(opened) == 1:
        progress.warn(
            f"--backbone auto had nothing to choose from: only {chosen.backbones[0]} could be compared. `python -m "
            "trainer backbones fetch NAME` gets others; --weights FILE names one that is here."
        )
    progress.say(table_of(compared))
    wish = next(wish for wish, backbone in opened if backbone.entry.name == chosen.backbones[0])
    update: dict[str, Any] = {"max_latency": None}
    if settings.fit == AUTO:
        update["fit"] = chosen.fit
    return wish.model_copy(update=update), BackboneChoice(reason, compared)


def with_reason(backbone: RunBackbone, choice: BackboneChoice | None) -> RunBackbone:
    """The backbone of a run, with why it was picked."""
    return backbone if choice is None else replace(backbone, reason=choice.reason)


def pick(compared: Sequence[Compared], groups: Sequence[str], max_latency_ms: float | None) -> tuple[Compared, str]:
    """The fastest that is fast enough and whose log loss is within one standard error of the best one's, and why.

    Two backbones side by side are not picked: what they gain is for a person to judge by its cost.

    Args:
        compared: their losses are paired by picture.
        groups: of the pictures; one is one witness.
        max_latency_ms: of a single request; None for any.

    Raises:
        NothingToCompare: there is none.
        NothingFastEnough: none is fast enough.
    """
    single = sorted((one for one in compared if len(one.backbones) == 1), key=lambda one: one.latency_ms)
    if not single:
        raise NothingToCompare("no backbone could be compared")
    eligible = [one for one in single if max_latency_ms is None or one.latency_ms <= max_latency_ms]
    if not eligible:
        raise NothingFastEnough(max_latency_ms or 0, fastest=single[0].name, latency_ms=single[0].latency_ms)
    best = min(eligible, key=lambda one: float(one.losses.mean()))
    chosen = next(one for one in eligible if _as_good(one, best, groups))
    allowed = "" if max_latency_ms is None else f" within {max_latency_ms:g} ms"
    return chosen, (
        f"{chosen.name}, the fastest of {len(eligible)}{allowed} whose log loss is within one standard error of the "
        f"best one's ({best.name}): accuracy {chosen.accuracy:.3f}, {chosen.latency_ms:.1f} ms a request on this "
        "machine."
    )


def _as_good(one: Compared, best: Compared, groups: Sequence[str]) -> bool:
    differences = one.losses - best.losses
    return float(differences.mean()) <= standard_error(differences, groups)


def open_all(
    settings: TrainSettings, progress: Progress, *, open_one: OpenOne = open_to_compare
) -> list[tuple[TrainSettings, RunBackbone]]:
    """Each backbone whose weights are here, with how it would be asked for; a file goes before cached weights.

    One that cannot do what the other options ask for is left out, and that is said.

    Raises:
        NothingToCompare: there is none, or none is left.
        UsageError: weights cannot be read.
    """
    opened: dict[str, tuple[TrainSettings, RunBackbone]] = {}
    reasons: list[str] = []
    for wish in _wishes(settings):
        if wish.backbone in opened:
            continue
        try:
            backbone = open_one(wish, progress)
        except (NoMiddleStage, SizeRefused, TapUnusable) as error:
            reasons.append(str(error))
            progress.warn(f"--backbone auto leaves {wish.backbone or wish.weights} out: {error}")
        else:
            opened.setdefault(backbone.entry.name, (wish, backbone))
    if not opened:
        raise NothingToCompare(" ".join(reasons).rstrip(".") or f"no weights are here ({_looked_for(settings)})")
    return list(opened.values())


def _wishes(settings: TrainSettings) -> list[TrainSettings]:
    by_file = [settings.model_copy(update={"backbone": None})] if settings.weights is not None else []
    names = ((NANO,) if settings.nano else ()) + tuple(cached_names())
    return [*by_file, *(settings.model_copy(update={"backbone": name, "weights": None}) for name in names)]


def _looked_for(settings: TrainSettings) -> str:
    nano = "" if settings.nano else "--no-nano leaves the embedded backbone out, and "
    return f"{nano}torchvision's cache has no published ones"
