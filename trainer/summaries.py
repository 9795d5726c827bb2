"""What a person reads on the terminal when a verb is done."""

from collections.abc import Mapping
from typing import Any

from shared.bundle import Bundle
from trainer.counting import counted

_MEASURED_ON = {"test": "test pictures that nothing else has seen", "cross_validated": "pictures, cross-validated"}


def training_summary(bundle: Bundle, metrics: Mapping[str, Any], *, unchanged: bool = False) -> str:
    """Where the bundle and its report are, how good it is, and how to use it."""
    models_dir = bundle.path.parent.parent
    return "\n".join(
        [
            f"Unchanged {bundle.path} (current already; nothing was published)"
            if unchanged
            else f"Published {bundle.path}",
            f"Report    {bundle.path / 'report.html'}",
            _accuracy_line(metrics),
            f"Serve it with: python -m service --models-dir {models_dir}",
        ]
    )


def evaluation_summary(bundle: Bundle, numbers: Mapping[str, Any], unusable_count: int) -> str:
    """The numbers of an evaluation, and a line per class."""
    lines = [
        f"{bundle.metadata.name} {bundle.version} on {counted(numbers['n'], 'picture')}"
        + (f" ({unusable_count} could not be used)" if unusable_count else ""),
        f"  accuracy            {_with_interval(numbers)}",
        f"  macro accuracy      {numbers['macro_accuracy']:.4f}",
        f"  log loss            {numbers['log_loss']:.4f}",
    ]
    if numbers["log_loss_reduction"] is not None:
        lines.append(f"  log-loss reduction  {numbers['log_loss_reduction']:.4f}")
    width = max(len(one["label"]) for one in numbers["per_class"])
    lines += [f"  {one['label']:<{width}}  {_class_line(one)}" for one in numbers["per_class"]]
    return "\n".join(lines)


def _accuracy_line(metrics: Mapping[str, Any]) -> str:
    if metrics["measured_on"] is None:
        return "Accuracy  not measured: there are too few pictures for a test split or a cross-validation"
    return f"Accuracy  {_with_interval(metrics)} on {metrics['n']} {_MEASURED_ON[metrics['measured_on']]}"


def _with_interval(numbers: Mapping[str, Any]) -> str:
    low, high = numbers["accuracy_interval"]
    return f"{numbers['accuracy']:.4f} (95 % interval {low:.4f} to {high:.4f})"


def _class_line(one: Mapping[str, Any]) -> str:
    if one["accuracy"] is None:
        return "no pictures"
    return f"accuracy {one['accuracy']:.4f}  log loss {one['log_loss']:.4f}  n {one['n']}"
