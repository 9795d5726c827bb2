"""Writes what a run found for people: report.html, one file that needs nothing else, and card.md, a page to pass on."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from trainer import charts
from trainer import report_words as words
from trainer.mix_ups import frequent_mix_ups
from trainer.report_content import ReportFacts
from trainer.visible import visible

if TYPE_CHECKING:
    from jinja2 import Environment

REPORT_FILE, CARD_FILE = "report.html", "card.md"
MOST_LABELS_IN_MATRIX = 20
MOST_PAIRS = 20

_TEMPLATES = Path(__file__).parent / "templates"
_MARKDOWN = re.compile(r"[\\`*\[\]<>|#~&{}$]|(?<!\w)_|_(?!\w)|(?<=http):|(?<=https):|(?<=www)\.", re.IGNORECASE)


def report_files(facts: ReportFacts) -> dict[str, bytes]:
    """The content of report.html and card.md, by name."""
    return {REPORT_FILE: render_report(facts).encode(), CARD_FILE: render_card(facts).encode()}


def render_report(facts: ReportFacts) -> str:
    """The page: no script, no request, every text escaped."""
    measured = facts.measured
    return (
        _environment(autoescape=True, finalize=_visible)
        .get_template("report.html")
        .render(
            facts=facts,
            words=words,
            measured=measured,
            many=len(facts.counts) > MOST_LABELS_IN_MATRIX,
            pairs=frequent_mix_ups(measured, MOST_PAIRS) if measured else (),
            charts=_draw(facts),
        )
    )


def _draw(facts: ReportFacts) -> dict[str, Markup]:
    """The charts that there is something to draw for, by name."""
    measured, head, curve, scores = facts.measured, facts.head, facts.learning_curve, facts.scores
    drawn: dict[str, Markup] = {}
    if measured and len(facts.counts) > MOST_LABELS_IN_MATRIX:
        drawn["confusion"] = charts.draw_confusion(measured.confusion)
    if curve:
        drawn["learning"] = charts.draw_learning_curve(curve)
    if scores:
        drawn["reliability"] = charts.draw_reliability(scores.calibration.bins, scores.bins_before)
        drawn["coverage"] = charts.draw_coverage(scores.coverage, scores.suggested)
    if facts.novelty:
        drawn["novelty"] = charts.draw_novelty(facts.novelty)
    if head.kind == "probe" and len(head.swept) > 1:
        drawn["sweep"] = charts.draw_sweep(head.swept, chosen=head.l2)
    if head.history:
        drawn["history"] = charts.draw_history(head.history)
    return drawn


def render_card(facts: ReportFacts) -> str:
    """The model card, in Markdown; every text that is put in is escaped."""
    environment = _environment(autoescape=False, finalize=_escaped_if_text)
    return environment.get_template("card.md").render(facts=facts, words=words, measured=facts.measured)


def escape_markdown(text: str) -> str:
    """Text as it is to be read, on one line: what Markdown or HTML would take for markup is escaped."""
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", visible(text))


def _escaped_if_text(value: Any) -> Any:
    return escape_markdown(value) if isinstance(value, str) else value


def _visible(value: Any) -> Any:
    # type, not isinstance: a Markup is a page's own part and keeps its line breaks.
    return visible(value) if type(value) is str else value


def _environment(*, autoescape: bool, finalize: Callable[[Any], Any]) -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=autoescape,  # noqa: S701 - HTML escapes by itself, Markdown by `finalize`
        finalize=finalize,
    )
    environment.filters.update(
        percent=words.percent,
        interval=words.percent_range,
        number=words.number,
        points=words.points,
        points_range=words.points_range,
        whole=words.whole_percent,
        jpeg=_as_data_uri,
    )
    return environment


def _as_data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
