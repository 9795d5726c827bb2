"""Writes what a run found for people: report.html, one file that needs nothing else, and card.md, a page to pass on."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.files import write_atomically
from trainer import charts
from trainer.evaluation import Evaluation
from trainer.intervals import Interval
from trainer.report_content import ReportFacts

if TYPE_CHECKING:
    from jinja2 import Environment

REPORT_FILE, CARD_FILE = "report.html", "card.md"
MOST_LABELS_IN_MATRIX = 20
MOST_PAIRS = 20

_TEMPLATES = Path(__file__).parent / "templates"
_MARKDOWN = re.compile(r"[\\`*\[\]<>|#~&{}$]|(?<!\w)_|_(?!\w)|(?<=http)s?:|(?<=www)\.", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def write_report(folder: Path, facts: ReportFacts) -> None:
    """Write report.html and card.md into `folder`.

    Raises:
        OSError: the folder cannot be written.
    """
    write_atomically(folder / REPORT_FILE, _encode(render_report(facts)))
    write_atomically(folder / CARD_FILE, _encode(render_card(facts)))


def render_report(facts: ReportFacts) -> str:
    """The page: no script, no request, every text escaped."""
    measured = facts.measured
    sweep = charts.draw_sweep(facts.head.swept, chosen=facts.head.l2) if len(facts.head.swept) > 1 else ""
    return (
        _environment(autoescape=True)
        .get_template("report.html")
        .render(
            facts=facts,
            measured=measured,
            baseline=baseline_accuracy(measured) if measured else None,
            pairs=confused_pairs(measured)[:MOST_PAIRS] if measured else (),
            as_matrix=len(facts.counts) <= MOST_LABELS_IN_MATRIX,
            sweep=sweep,
        )
    )


def render_card(facts: ReportFacts) -> str:
    """The model card, in Markdown; every text that is put in is escaped."""
    environment = _environment(autoescape=False, finalize=_escaped_if_text)
    measured = facts.measured
    return environment.get_template("card.md").render(
        facts=facts, measured=measured, baseline=baseline_accuracy(measured) if measured else None
    )


def baseline_accuracy(evaluation: Evaluation) -> float:
    """Accuracy of always answering the most frequent label of the measured samples, in [0, 1]."""
    return max(sum(row) for row in evaluation.confusion) / evaluation.n


def confused_pairs(evaluation: Evaluation) -> list[tuple[str, str, int, int]]:
    """(actual label, predicted label, how often, samples of the actual label), the most frequent mistakes first."""
    labels = evaluation.labels
    pairs = [
        (labels[i], labels[j], count, sum(row))
        for i, row in enumerate(evaluation.confusion)
        for j, count in enumerate(row)
        if i != j and count
    ]
    return sorted(pairs, key=lambda pair: (-pair[2], -pair[2] / pair[3], pair[0], pair[1]))


def escape_markdown(text: str) -> str:
    """Text as it is to be read, on one line: what Markdown or HTML would take for markup is escaped."""
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", _CONTROL.sub(" ", text))


def _escaped_if_text(value: Any) -> Any:
    return escape_markdown(value) if isinstance(value, str) else value


def _environment(*, autoescape: bool, finalize: Callable[[Any], Any] | None = None) -> "Environment":
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
    environment.filters |= {"percent": _percent, "interval": _interval, "number": _number, "jpeg": _jpeg}
    return environment


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _interval(interval: Interval) -> str:
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def _number(value: float) -> str:
    return f"{value:.3f}"


def _jpeg(data: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


def _encode(text: str) -> bytes:
    return text.encode("utf-8", errors="backslashreplace")
