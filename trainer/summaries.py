"""What a person reads on the terminal when a verb is done."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.bundle import Bundle
from trainer.calibration import trusted
from trainer.counting import counted
from trainer.headline import Headline, Measurement

_MOST_NAMED = 5
_MEASURED_ON = {
    "test": ("test picture", "that nothing else has seen"),
    "cross_validated": ("picture", "cross-validated"),
}


def training_summary(bundle: Bundle, metrics: Mapping[str, Any], *, unchanged: bool = False) -> str:
    """Where the bundle and its report are, how good it is, and how to use it."""
    models_dir = bundle.path.parent.parent
    return "\n".join(
        [
            f"Unchanged {bundle.path} (current already; nothing was published)"
            if unchanged
            else f"Published {bundle.path}",
            f"Report    {bundle.path / 'report.html'}"
            if "report.html" in bundle.metadata.files
            else "Report    missing; the same command writes it",
            *_accuracy_lines(metrics),
            *_trust_lines(bundle, metrics),
            f"Serve it with: python -m service --models-dir {models_dir}",
        ]
    )


def evaluation_summary(bundle: Bundle, numbers: Mapping[str, Any], unusable_count: int) -> str:
    """The numbers of an evaluation, and a line per class."""
    lines = [
        f"{bundle.metadata.name} {bundle.version} on {counted(numbers['n'], 'picture')}"
        + (f" ({unusable_count} could not be used)" if unusable_count else ""),
        *_groups_line(numbers),
        f"  accuracy            {_with_interval(numbers)}",
        f"  macro accuracy      {_with_interval(numbers, 'macro_accuracy')}",
        f"  macro F1            {_with_interval(numbers, 'macro_f1')}",
        f"  weighted F1         {numbers['weighted_f1']:.4f}",
        f"  log loss            {_with_interval(numbers, 'log_loss')}",
    ]
    if numbers["log_loss_reduction"] is not None:
        lines.append(f"  log-loss reduction  {numbers['log_loss_reduction']:.4f}")
    lines.append(
        f"  calibration error   {numbers['calibration_error']:.4f} "
        f"({numbers['perfect_calibration_error']:.4f} is what chance makes of true scores on so many)"
    )
    if numbers.get("unfamiliar") is not None:
        lines.append(f"  unfamiliar          {counted(numbers['unfamiliar'], 'picture')}")
    if numbers["binary"]:
        lines += _binary_lines(numbers["binary"])
    width = max(len(one["label"]) for one in numbers["per_class"])
    lines += [f"  {one['label']:<{width}}  {_class_line(one)}" for one in numbers["per_class"]]
    return "\n".join(lines)


def _groups_line(numbers: Mapping[str, Any]) -> list[str]:
    """Said where intervals are wider than so many pictures would make them."""
    if numbers["groups"] == numbers["n"]:
        return []
    return [f"  groups              {counted(numbers['groups'], 'group')} of pictures that count as one in intervals"]


def _accuracy_lines(metrics: Mapping[str, Any]) -> list[str]:
    lines = [_measured_line(metrics)]
    if metrics["measured_on"] == "test" and (beside := metrics.get("cross_validated")):
        lines.append(
            f"Beside it {_with_interval(beside)} on {counted(beside['n'], 'picture')} of train and validation, "
            "cross-validated"
        )
    if untested := metrics.get("untested"):
        lines.append(f"Untested  {_some_of(untested)}: no test picture, so the accuracy says nothing about it")
    if folds := metrics.get("folds"):
        lines.insert(
            0,
            f"Folds     {_with_interval(folds)} over {folds['folds']} nested folds of all {folds['n']:,} pictures"
            + (" but the test set's" if metrics.get("named_test") else ""),
        )
    headline = _headline(metrics)
    return lines + [f"          {told}" for told in (headline.compare_by, headline.gap) if told]


def _headline(metrics: Mapping[str, Any]) -> Headline:
    """The accuracies among the numbers."""
    on_test, folds = metrics["measured_on"] == "test", metrics.get("folds")
    beside = metrics.get("cross_validated") if on_test else metrics if metrics["measured_on"] else None
    return Headline(
        test=_measurement(metrics if on_test else None),
        cross_validated=_measurement(beside),
        folds=_measurement(folds),
        fold_count=folds["folds"] if folds else 0,
    )


def _measurement(numbers: Mapping[str, Any] | None) -> Measurement | None:
    if not numbers:
        return None
    low, high = numbers["accuracy_interval"]
    return Measurement(numbers["n"], numbers["accuracy"], (low, high))


def _trust_lines(bundle: Bundle, metrics: Mapping[str, Any]) -> list[str]:
    """How far scores are from what they promise, and whether a class that was left out is noticed."""
    lines = []
    if found := metrics.get("calibration"):
        up_to = f", up to {found['perfect_95']:.1%}" if "perfect_95" in found else ""
        lines.append(
            f"Scores    off by {found['after']:.1%} on average, cross-validated (chance alone: {found['perfect']:.1%}"
            f"{up_to}; without the temperature: {found['before']:.1%})"
        )
        lines += [f"          {told}" for told in (advice_on_scores(found),) if told]
    if reason := bundle.metadata.thresholds.novelty_reason:
        lines.append(f"Novelty   none: {reason}")
    novelty = metrics.get("novelty") or {}
    if novelty.get("left_out_noticed") is not None:
        lines.append(
            f"Novelty   tells pictures of a label that was left out from the others with AUROC "
            f"{novelty['left_out_auroc']:.2f}; calls {novelty['left_out_noticed']:.1%} of them unfamiliar, "
            f"and {novelty['unfamiliar_share']:.1%} of familiar ones"
        )
    return lines


def advice_on_scores(found: Mapping[str, float]) -> str:
    """What to do with these numbers; "" where all is well, or it is not known what chance leaves.

    The temperature is chosen by log loss: near 1 the calibration error may well rise by less than chance moves it.

    Args:
        found: `before`, `after` and `perfect_95` of a `Calibration`.
    """
    if "perfect_95" not in found:
        return ""
    trust = trusted(found["after"], found["perfect_95"])
    if trust == "no":
        return (
            "That is more than chance explains: choose thresholds by the report, do not read scores as probabilities."
        )
    told = ["Too few pictures to tell whether scores are true."] if trust == "unclear" else []
    if found["after"] > found["before"]:
        told.append("Chance explains all of it, also that the temperature seems not to help: nothing is to be done.")
    return " ".join(told)


def _measured_line(metrics: Mapping[str, Any]) -> str:
    if metrics["measured_on"] is None:
        return "Accuracy  not measured: neither a test split nor a cross-validation was possible"
    noun, how = _MEASURED_ON[metrics["measured_on"]]
    groups = f" in {counted(metrics['groups'], 'group')}" if metrics["groups"] < metrics["n"] else ""
    return f"Accuracy  {_with_interval(metrics)} on {counted(metrics['n'], noun)}{groups} {how}"


def _some_of(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MOST_NAMED} more" if len(labels) > _MOST_NAMED else ""
    return ", ".join(labels[:_MOST_NAMED]) + more


def _with_interval(numbers: Mapping[str, Any], name: str = "accuracy") -> str:
    low, high = numbers[f"{name}_interval"]
    return f"{numbers[name]:.4f} (95 % interval {low:.4f} to {high:.4f})"


def _binary_lines(binary: Mapping[str, Any]) -> list[str]:
    """What is asked of two labels only; what could not be counted is left out."""
    areas = {f"area under P-R of {label!r}": area for label, area in binary["area_under_precision_recall"].items()}
    named = {"area under ROC": binary["area_under_roc"], **areas}
    return [f"  {name:<18}  {value:.4f}" for name, value in named.items() if value is not None]


def _class_line(one: Mapping[str, Any]) -> str:
    if one["accuracy"] is None:
        return "no pictures"
    precision = "   -  " if one["precision"] is None else f"{one['precision']:.4f}"
    return (
        f"accuracy {one['accuracy']:.4f}  precision {precision}  F1 {one['f1']:.4f}  "
        f"log loss {one['log_loss']:.4f}  n {one['n']}"
    )
