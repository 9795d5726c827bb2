"""Accuracy against latency, a mark for each model that was compared, as a picture file."""

import io
from collections.abc import Sequence
from pathlib import Path

from shared.files import write_atomically
from trainer.compared import Compared

_FRONT_COLOUR, _OTHER_COLOUR = "#0f766e", "#9ca3af"
_SIZE_INCHES = (8, 5)


def draw_compared(compared: Sequence[Compared], path: Path) -> None:
    """Write a chart; those that no other one beats are joined by a line and named.

    Args:
        compared: at least one.
        path: ends in .svg or .png.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "finial", "svg.fonttype": "none"}):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        for one in compared:
            low, high = one.accuracy_interval
            around = [[max(0.0, one.accuracy - low)], [max(0.0, high - one.accuracy)]]
            colour = _FRONT_COLOUR if one.on_front else _OTHER_COLOUR
            axes.errorbar(one.latency_ms, one.accuracy, yerr=around, fmt="o", color=colour, elinewidth=0.8, alpha=0.9)
        front = sorted((one for one in compared if one.on_front), key=lambda one: one.latency_ms)
        axes.plot([one.latency_ms for one in front], [one.accuracy for one in front], color=_FRONT_COLOUR, linewidth=1)
        for one in front:
            axes.annotate(one.name, (one.latency_ms, one.accuracy), xytext=(6, -12), textcoords="offset points")
        axes.set_xlabel("latency of a single request, ms")
        axes.set_ylabel("cross-validated accuracy, with 95 % interval")
        axes.set_xlim(left=0)
        axes.grid(visible=True, linewidth=0.4)
        buffer = io.BytesIO()
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(buffer, format=path.suffix[1:], metadata=metadata, dpi=150)
    write_atomically(path, buffer.getvalue())
