"""Writes report.html, for people who decide about a model, and card.md, its summary in a page."""

from pathlib import Path

from trainer.report_content import ReportFacts


def write_report(folder: Path, facts: ReportFacts) -> None:
    """Write report.html and card.md into `folder`.

    Raises:
        OSError: the folder cannot be written.
    """
    raise NotImplementedError
