"""The charts of the report, drawn by matplotlib: inline SVG that takes its colours from the page."""

import contextlib
import io
import logging
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Stand-ins that no other part of a drawing has; the page's style sheet knows what the variables are.
_INK, _LINE, _ACCENT = "#010203", "#040506", "#070809"
_COLOURS = {_INK: "var(--ink-soft)", _LINE: "var(--line)", _ACCENT: "var(--accent)"}
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


def draw_sweep(swept: Sequence[tuple[float, float]], *, chosen: float) -> Markup:
    """The curve of (strength, cross-validated log loss) with the chosen strength marked, as an SVG element."""
    with _matplotlib():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 2.9), layout="constrained")
        axes = figure.subplots()
        strengths, losses = zip(*sorted(swept), strict=True)
        axes.plot(strengths, losses, color=_ACCENT, linewidth=1.8, marker="o", markersize=3.5)
        axes.plot(chosen, dict(swept)[chosen], color=_ACCENT, marker="o", markersize=9, markerfacecolor="none")
        axes.axvline(chosen, color=_ACCENT, linewidth=0.8, linestyle=(0, (3, 3)))
        axes.set_xscale("log")
        axes.set_xlabel("L2 strength (weak to strong)")
        axes.set_ylabel("log loss (nats)")
        axes.grid(axis="y", linewidth=0.6)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(length=0)
        return _as_svg(figure)


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


def _as_svg(figure: "Figure") -> Markup:
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for stand_in, colour in _COLOURS.items():
        svg = svg.replace(stand_in, colour)
    return Markup(svg)  # noqa: S704 - nothing but numbers and our own words was drawn
