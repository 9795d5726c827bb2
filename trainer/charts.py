"""The charts of the report, drawn by matplotlib: inline SVG that takes its colours from the page.

They are as wide as a phone, so that nothing is scaled down there, and say in words what they show.
"""

import contextlib
import io
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from trainer.calibration import ReliabilityBin
from trainer.coverage import CoveragePoint
from trainer.learning_curve import LearningCurve
from trainer.live_metrics import HeadStep
from trainer.novelty_report import NoveltyReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Stand-ins that no other part of a drawing has; the page's style sheet knows what the variables are.
_INK, _LINE, _ACCENT, _OTHER = "#010203", "#040506", "#070809", "#0a0b0c"
_COLOURS = {_INK: "var(--ink-soft)", _LINE: "var(--line)", _ACCENT: "var(--accent)", _OTHER: "var(--wrong)"}
_COLOUR_USE = re.compile("(?<=fill: |roke: )(?:" + "|".join(_COLOURS) + ")")
_RIGHT, _WRONG = (0.05, 0.58, 0.53), (0.88, 0.38, 0.12)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "finial",
    "font.size": 10.5,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _LINE,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 10,
}
_WIDTH, _HEIGHT = 4.5, 2.7  # inches of 72 px: the width of a phone


def draw_confusion(confusion: Sequence[Sequence[int]]) -> Markup:
    """The confusion matrix of many labels as an SVG element: a pattern to look at, without names and counts.

    Row = actual, column = predicted; the diagonal is what was right. A cell's colour is its share of the row, so that
    small classes show like large ones.
    """
    with _drawing(f"Confusion matrix of {len(confusion)} labels", height=_WIDTH) as (axes, drawn):
        axes.grid(visible=False)
        axes.imshow(_cell_colours(np.array(confusion)), interpolation="none")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel("predicted")
        axes.set_ylabel("actual")
    return drawn()


def draw_sweep(swept: Sequence[tuple[float, float]], *, chosen: float) -> Markup:
    """The curve of (strength, cross-validated log loss) with the chosen strength marked, as an SVG element."""
    with _drawing(f"Log loss against L2 strength; {chosen:.3g} was chosen") as (axes, drawn):
        strengths, losses = zip(*sorted(swept), strict=True)
        axes.plot(strengths, losses, color=_ACCENT, linewidth=1.8, marker="o", markersize=3.5)
        axes.plot(chosen, dict(swept)[chosen], color=_ACCENT, marker="o", markersize=10, markerfacecolor="none")
        axes.set_xscale("log")
        _plain_ticks(axes, [10.0**power for power in range(-4, 3, 2)], within=(min(strengths), max(strengths)))
        axes.set_xlabel("L2 strength, from weak to strong")
        axes.set_ylabel("log loss (nats)")
        axes.margins(y=0.15)
    return drawn()


def draw_learning_curve(curve: LearningCurve) -> Markup:
    """Accuracy against the number of pictures learned from, doubled from point to point, as an SVG element."""
    points = curve.points
    told = ", ".join(f"{100 * point.accuracy:.1f} % with {point.samples:.0f}" for point in points)
    with _drawing(f"Accuracy by number of pictures: {told}") as (axes, drawn):
        samples = [point.samples for point in points]
        accuracies = [100 * point.accuracy for point in points]
        below = [100 * (point.accuracy - point.interval[0]) for point in points]
        above = [100 * (point.interval[1] - point.accuracy) for point in points]
        axes.errorbar(samples, accuracies, (below, above), color=_ACCENT, linewidth=1.8, marker="o", elinewidth=1.2)
        axes.set_xscale("log", base=2)
        _plain_ticks(axes, samples)
        axes.set_xlabel("pictures learned from")
        axes.set_ylabel("accuracy (%)")
        axes.margins(x=0.08, y=0.1)
    return drawn()


def draw_reliability(bins: Sequence[ReliabilityBin], before: Sequence[ReliabilityBin]) -> Markup:
    """Share right against score, with the temperature and without, as an SVG element; perfect is the diagonal."""
    told = ", ".join(f"{100 * one.accuracy:.0f} % right at {100 * one.score:.0f} %" for one in bins)
    with _drawing(f"Share right by score: {told}", height=3.6) as (axes, drawn):
        axes.grid(visible=True, axis="both")
        axes.plot([0, 100], [0, 100], color=_INK, linewidth=1, linestyle=(0, (4, 3)), label="perfect")
        for of, colour, marker, name in ((before, _OTHER, "x", "before"), (bins, _ACCENT, "o", "after")):
            score, right = [100 * one.score for one in of], [100 * one.accuracy for one in of]
            most = max((one.n for one in of), default=1)
            area = [12 + 90 * one.n / most for one in of] if marker == "o" else 22
            axes.scatter(score, right, s=area, color=colour, marker=marker, label=name, linewidths=1.3, zorder=3)
        axes.set_xlabel("score (%)")
        axes.set_ylabel("of these, right (%)")
        axes.set_xlim(-3, 103)
        axes.set_ylim(-3, 103)
        axes.legend(loc="lower right", markerscale=0.8)
    return drawn()


def draw_coverage(curve: Sequence[CoveragePoint], suggested: Sequence[CoveragePoint]) -> Markup:
    """Accuracy against the share that is answered, with the suggested thresholds marked, as an SVG element."""
    told = f"from {_percent(curve[0].accuracy)} when all are answered to {_percent(curve[-1].accuracy)} of the surest"
    with _drawing(f"Accuracy by share answered: {told}", height=3.6) as (axes, drawn):
        coverage = [100 * point.coverage for point in curve]
        low, high = zip(*(point.interval for point in curve), strict=True)
        axes.fill_between(coverage, 100 * np.array(low), 100 * np.array(high), color=_ACCENT, alpha=0.16, linewidth=0)
        axes.plot(coverage, [100 * point.accuracy for point in curve], color=_ACCENT, linewidth=1.8)
        for point in suggested:
            axes.plot(100 * point.coverage, 100 * point.accuracy, color=_ACCENT, marker="o", markersize=6)
        axes.set_xlim(102, 0)
        axes.set_ylim(max(0.0, 100 * min(low) - 2), 100.8)
        axes.set_xlabel("answered (%), the surest last")
        axes.set_ylabel("right (%)")
    return drawn()


def draw_novelty(report: NoveltyReport) -> Markup:
    """Distances of unseen pictures of known labels and of labels that were left out, as an SVG element."""
    described = "Distances of known labels and of labels left out"
    if report.auroc is not None:
        described += f"; in {_percent(report.auroc)} of pairs the one left out is further away"
    with _drawing(described) as (axes, drawn):
        for counts, colour, filled, name in (
            (report.familiar, _ACCENT, True, "known labels"),
            (report.foreign, _OTHER, False, "labels left out"),
        ):
            if total := sum(counts):
                shares = [100 * count / total for count in counts]
                alpha = 0.3 if filled else None
                axes.stairs(shares, report.edges, color=colour, fill=filled, alpha=alpha, linewidth=1.6, label=name)
        axes.axvline(1, color=_INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xlabel("distance from what was learned")
        axes.set_ylabel("pictures (%)")
        axes.legend(loc="upper right")
    return drawn()


def draw_history(history: Sequence[HeadStep]) -> Markup:
    """Log loss by epoch, of what was learned from and of what was held out, as an SVG element."""
    with _drawing("Log loss by epoch, learned from and held out") as (axes, drawn):
        for dataset, colour, dashes, name in (
            ("train", _INK, (0, (4, 2)), "learned"),
            ("validation", _ACCENT, "-", "held out"),
        ):
            steps = [step for step in history if step.dataset == dataset and step.epoch is not None]
            if steps:
                losses = [step.cross_entropy for step in steps]
                marker = "o" if len(steps) == 1 else ""  # one point makes no line
                epochs = [step.epoch or 0 for step in steps]
                axes.plot(epochs, losses, color=colour, linestyle=dashes, marker=marker, label=name)
        axes.locator_params(axis="x", integer=True, min_n_ticks=1)
        axes.set_xlabel("epoch")
        axes.set_ylabel("log loss (nats)")
        axes.legend(loc="upper right")
    return drawn()


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _plain_ticks(axes: "Axes", values: Sequence[float], *, within: tuple[float, float] = (0, np.inf)) -> None:
    """These numbers and no powers, whose exponents are too small to read."""
    shown = [value for value in values if within[0] <= value * 1.001 and value <= within[1] * 1.001]
    axes.set_xticks(shown, [f"{value:g}" if value < 1 else f"{value:,.0f}" for value in shown])
    axes.set_xticks([], minor=True)


def _cell_colours(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shape (K, K, 4): green on the diagonal, orange elsewhere, the more opaque the larger the share of the row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colours = np.zeros((*counts.shape, 4))
    colours[..., :3] = np.where(np.eye(len(counts), dtype=bool)[..., None], _RIGHT, _WRONG)
    # The root lifts rare mistakes into sight: they are what a reader looks for.
    colours[..., 3] = np.where(counts > 0, 0.12 + 0.68 * np.sqrt(shares), 0.0)
    return colours


@contextlib.contextmanager
def _drawing(description: str, *, height: float = _HEIGHT) -> Iterator[tuple["Axes", Callable[[], Markup]]]:
    """Axes to draw on, and what to call afterwards for the SVG element."""
    with _matplotlib():
        from matplotlib.figure import Figure

        figure, written = Figure(figsize=(_WIDTH, height), layout="constrained"), list[Markup]()
        yield figure.subplots(), lambda: written[0]
        written.append(_as_svg(figure, description))


@contextlib.contextmanager
def _matplotlib() -> Iterator[None]:
    """Our style inside; outside, no trace.

    Without a home that can be written, matplotlib keeps its font list in a temporary folder and warns of it; it also
    warns that it makes the list. Neither is news for whoever trains a model.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        import matplotlib as mpl

        with mpl.rc_context(_STYLE):
            yield
    finally:
        logger.setLevel(level)


def _as_svg(figure: "Figure", description: str) -> Markup:
    """The figure without fixed size, fonts or colours of its own."""
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # two charts on a page would use the same names
    svg = _COLOUR_USE.sub(lambda found: _COLOURS[found[0]], svg)
    opening, rest = svg.split(">", 1)
    opening = re.sub(r' (width|height)="[^"]*"', "", opening).removeprefix("<svg")
    # Nothing but numbers and our own words was drawn.
    return Markup(f'<svg role="img" aria-label="{description}"{opening}>{rest}')  # noqa: S704
