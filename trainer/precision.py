"""Whether a model computes in int8: asked for, or taken because it is faster here and loses nothing that matters."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from shared.bundle import BundleMetadata
from shared.cpu_features import Cpu
from trainer.errors.features import QuantisationFailed
from trainer.feature_library import FeatureLibrary
from trainer.golden_pictures import choose_golden
from trainer.int8_comparison import Int8Comparison, accuracy_in_words, compare_int8, groups_of_selection
from trainer.int8_graph import requirements_of
from trainer.intervals import standard_error
from trainer.metrics import accuracy, sample_losses
from trainer.recipe import FeatureChoice, Precision
from trainer.recipe_search import Candidate, Plan, Searched
from trainer.sample_bytes import read_sample
from trainer.speed import time_single_requests
from trainer.training import Measured, Training

Wanted = Literal["float32", "int8", "auto"]

LEAST_SPEEDUP = 1.2
MOST_LOSS = 0.005
"""Half a point of accuracy."""

LEAST_WITNESSES = 100
"""Groups of pictures; what fewer of them say of half a point is chance alone (docs/decisions/0022)."""


@dataclass(frozen=True)
class PrecisionChoice:
    """What a model computes in, and why.

    Attributes:
        wanted: as the settings say.
        taken: what it is.
        reason: a sentence.
        comparison: None where int8 was not tried, or there are too few pictures for folds.
        speedup: from a picture's bytes to its features, how many times faster int8 was; None where that decided
            nothing.
        cpu: that int8 was made and measured on; "" where it was not tried.
        requirements: what the model requires of a CPU.
    """

    wanted: Wanted
    taken: Precision
    reason: str
    comparison: Int8Comparison | None = None
    speedup: float | None = None
    cpu: str = ""
    requirements: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For run.json and bundle.json."""
        return asdict(self)


@dataclass(frozen=True)
class Recorded:
    """The choice of an earlier run, and what it was made for.

    Attributes:
        choice: that was made.
        weights_sha256: of the backbone.
        features: that the recipe read, in the precision that was taken.
    """

    choice: PrecisionChoice
    weights_sha256: str
    features: FeatureChoice

    def holds_for(self, weights_sha256: str, features: FeatureChoice) -> bool:
        """Whether it was made for this backbone and these features, whatever their precision."""
        return self.weights_sha256 == weights_sha256 and self.features == replace(
            features, precision=self.features.precision
        )


def recorded_choice(metadata: BundleMetadata) -> Recorded | None:
    """The choice that a bundle's run made by itself; None where it had none to make."""
    recorded, backbone = metadata.metrics.get("precision"), metadata.backbone
    if not isinstance(recorded, Mapping) or recorded.get("wanted") != "auto":
        return None
    reason, speedup = str(recorded.get("reason")), recorded.get("speedup")
    return Recorded(
        PrecisionChoice("auto", metadata.precision, reason, speedup=speedup),
        backbone.weights_sha256,
        FeatureChoice(metadata.spec, backbone.taps, metadata.precision, backbone.mirror),
    )


_IN_FLOAT32 = "chosen in float32; its int8 form is taken"

FLOAT32 = PrecisionChoice("float32", "float32", "float32, the default.")


def settle_precision(
    wanted: Wanted,
    training: Training,
    plan: Plan,
    measured: Measured,
    library: FeatureLibrary,
    measure_plan: Callable[[Plan], Measured],
    *,
    recorded: Recorded | None = None,
) -> tuple[Measured, PrecisionChoice]:
    """The model to go on with: the measured one, or the same recipe in int8, measured on the same rows and folds.

    Args:
        wanted: float32, int8, or auto.
        training: the pictures.
        plan: that the recipe was chosen by; it gives the rows of any other.
        measured: the recipe that was chosen, in float32.
        library: of the run.
        measure_plan: measures another plan as `measured` was.
        recorded: the choice of an earlier run, which "auto" takes over where it was made for the same weights and
            features: the time that it rests on would differ.

    Raises:
        QuantisationFailed: int8 was asked for, and the backbone cannot have it.
    """
    searched = measured.searched
    if wanted == "float32":
        return measured, FLOAT32
    if wanted == "auto" and library.computes_on_gpu:
        return measured, PrecisionChoice(wanted, "float32", "float32, because a GPU computes here: int8 is for CPUs.")
    try:
        in_int8 = _keeping_tried(measure_plan(_int8_plan(plan, searched, library)), searched, training)
    except QuantisationFailed as error:
        if wanted == "int8":
            raise
        return measured, PrecisionChoice(wanted, "float32", f"float32, because {error}")
    comparison = compare_int8(training, plan, measured, in_int8)
    weights_sha256 = library.backbone.weights.sha256
    if wanted == "auto" and recorded is not None and recorded.holds_for(weights_sha256, searched.recipe.features):
        choice = _taken_over(recorded.choice, comparison, library.cpu)
    else:
        speedup = _measure_speedup(searched.recipe.features, library) if wanted == "auto" else None
        choice = choose_precision(wanted, comparison=comparison, speedup=speedup, cpu=library.cpu)
    library.progress.say(f"Precision: {choice.reason}", precision=choice.taken)
    return (in_int8 if choice.taken == "int8" else measured), choice


def choose_precision(
    wanted: Wanted, *, comparison: Int8Comparison | None, speedup: float | None, cpu: Cpu
) -> PrecisionChoice:
    """Pure: int8 where it was asked for, or where it is fast enough and loses little enough by enough pictures."""
    tried = f"{_speed_in_words(speedup)}{accuracy_in_words(comparison)} ({cpu.instruction_class})"
    taken: Precision = "int8"
    if wanted == "int8":
        reason = f"int8, because it was asked for: {tried}."
    elif comparison is None:
        taken, reason = "float32", "float32, because too few pictures leave no folds to compare int8 on."
    elif speedup is None or speedup < LEAST_SPEEDUP:
        taken, reason = "float32", f"float32, because int8 is less than {LEAST_SPEEDUP:g} x as fast: {tried}."
    elif comparison.groups < LEAST_WITNESSES:
        witnesses = f"{LEAST_WITNESSES} pictures that are no copies or series of each other"
        taken, reason = "float32", f"float32, because fewer than {witnesses} cannot tell what int8 loses: {tried}."
    elif comparison.difference < -MOST_LOSS - 1e-9:
        taken, reason = "float32", f"float32, because int8 loses more than {100 * MOST_LOSS:g} points: {tried}."
    else:
        reason = f"int8, because it is at least {LEAST_SPEEDUP:g} x as fast and loses at most half a point: {tried}."
    requirements = requirements_of(cpu) if taken == "int8" else ()
    return PrecisionChoice(wanted, taken, reason, comparison, speedup, cpu.instruction_class, requirements)


def _taken_over(recorded: PrecisionChoice, comparison: Int8Comparison | None, cpu: Cpu) -> PrecisionChoice:
    """The same decision and its reason; what was computed anew is of this run."""
    requirements = requirements_of(cpu) if recorded.taken == "int8" else ()
    return replace(recorded, comparison=comparison, cpu=cpu.instruction_class, requirements=requirements)


def plan_in(precision: Precision, plan: Plan) -> Plan:
    """The same choices, of which the one that is taken is then fitted on the features of its int8 graph, if so wanted.

    For nested folds: each chooses in float32, as the run does, and measures in int8, as the run publishes.
    """
    return plan if precision == "float32" else replace(plan, then=_in_int8)


def _int8_plan(plan: Plan, searched: Searched, library: FeatureLibrary) -> Plan:
    """The recipe that was taken, with the features of its int8 graph, and nothing else to choose."""
    taken = Candidate(searched.recipe, searched.name, library.cost_of(searched.recipe.features))
    return Plan((_in_int8(taken),), plan.rows_of)


def _in_int8(taken: Candidate) -> Candidate:
    features = replace(taken.recipe.features, precision="int8")
    return replace(taken, recipe=replace(taken.recipe, features=features), name=f"{taken.name}, int8")


def _keeping_tried(in_int8: Measured, searched: Searched, training: Training) -> Measured:
    """What was tried to find the recipe stays told, and the int8 form that was made of it follows as what is taken."""
    if not searched.tried:
        return in_int8
    tried = [replace(one, chosen=False, reason=_IN_FLOAT32) if one.chosen else one for one in searched.tried]
    taken = next(one for one in searched.tried if one.chosen)
    fit, targets = in_int8.searched.fit, training.targets[training.rows("train", "validation")]
    losses = sample_losses(fit.out_of_fold_probabilities, targets)
    best = min(searched.tried, key=lambda one: one.log_loss).losses
    if len(best) < len(losses):  # recipes were compared on a part of the pictures
        best = sample_losses(searched.fit.out_of_fold_probabilities, targets)
    made = replace(
        taken,
        recipe=in_int8.searched.recipe,
        name=in_int8.searched.name,
        accuracy=accuracy(fit.out_of_fold_probabilities, targets),
        log_loss=float(losses.mean()),
        difference=float((losses - best).mean()),
        difference_error=standard_error(losses - best, groups_of_selection(training)),
        reason="taken: the int8 form of the recipe that was chosen in float32",
        losses=losses,
    )
    return replace(in_int8, searched=replace(in_int8.searched, tried=(*tried, made), bound=searched.bound))


def _measure_speedup(choice: FeatureChoice, library: FeatureLibrary) -> float:
    """How many times faster a picture's features are had in int8, decoding included, on one thread."""
    pictures = [read_sample(sample) for sample in choose_golden(library.samples)]
    choices = (choice, replace(choice, precision="int8"))
    graphs = {one.precision: (library.graph_of(one), one.spec) for one in choices}
    with library.progress.phase("time float32 and int8"):
        seconds = time_single_requests(graphs, pictures)
    return seconds["float32"] / seconds["int8"]


def _speed_in_words(speedup: float | None) -> str:
    return "" if speedup is None else f"{speedup:.2f} x the pictures a second, decoding included, and "
