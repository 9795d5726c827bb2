"""The charts of the report, drawn by matplotlib: inline SVG that takes its colours from the page."""

import contextlib
import io
import logging
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Stand-ins that no other part of a drawing has; the page's style sheet knows what the variables are.
_INK, _LINE, _ACCENT = "#010203", "#040506", "#070809"
_COLOURS = {_INK: "var(--ink-soft)", _LINE: "var(--line)", _ACCENT: "var(--accent)"}
_COLOUR_USE = re.compile("(?<=fill: |roke: )(?:" + "|".join(_COLOURS) + ")")
_RIGHT, _WRONG = (0.05, 0.58, 0.53), (0.88, 0.38, 0.12)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "finial",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _LINE,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _LINE,
}


def draw_confusion(confusion: Sequence[Sequence[int]]) -> Markup:
    """The confusion matrix of many labels as an SVG element: a pattern to look at, without names and counts.

    Row = actual, column = predicted; the diagonal is what was right. A cell's colour is its share of the row, so that
    small classes show like large ones.
    """
    with _matplotlib():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.2, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.imshow(_cell_colours(np.array(confusion)), interpolation="none")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel("predicted")
        axes.set_ylabel("actual")
        return _as_svg(figure, f"Confusion matrix of {len(confusion)} labels")


def draw_sweep(swept: Sequence[tuple[float, float]], *, chosen: float) -> Markup:
    """The curve of (strength, cross-validated log loss) with the chosen strength marked, as an SVG element."""
    with _matplotlib():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.5, 2.3), layout="constrained")
        axes = figure.subplots()
        strengths, losses = zip(*sorted(swept), strict=True)
        axes.plot(strengths, losses, color=_ACCENT, linewidth=1.8, marker="o", markersize=3.5)
        axes.plot(chosen, dict(swept)[chosen], color=_ACCENT, marker="o", markersize=10, markerfacecolor="none")
        axes.set_xscale("log")
        axes.set_xlabel("L2 strength, from weak to strong")
        axes.set_ylabel("log loss (nats)")
        axes.margins(y=0.15)
        axes.grid(axis="y", linewidth=0.6)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(which="both", length=0)
        return _as_svg(figure, f"Log loss against L2 strength; {chosen:.3g} was chosen")


def _cell_colours(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shape (K, K, 4): green on the diagonal, orange elsewhere, the more opaque the larger the share of the row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colours = np.zeros((*counts.shape, 4))
    colours[..., :3] = np.where(np.eye(len(counts), dtype=bool)[..., None], _RIGHT, _WRONG)
    # The root lifts rare mistakes into sight: they are what a reader looks for.
    colours[..., 3] = np.where(counts > 0, 0.12 + 0.68 * np.sqrt(shares), 0.0)
    return colours


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
