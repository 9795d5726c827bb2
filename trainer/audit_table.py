"""An audit on the terminal: one line of facts, the labels, then the findings, what stops training first."""

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from trainer.counting import counted
from trainer.data_audit import DataAudit
from trainer.findings import Finding, Mention, Severity, of_severity
from trainer.visible import visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

MOST_NAMES = 5
MOST_TOGETHER = 4
MOST_LABELS = 24
_BAR = 24
_SEVERITIES = {
    Severity.STOPS: ("Stops training", "bold red", "These must be mended first."),
    Severity.LOOK: ("Worth a look", "bold yellow", "Training goes on with them; a person should decide."),
    Severity.HANDLED: (
        "Handled by itself",
        "bold green",
        "Training goes on without a question; better data would not have them.",
    ),
}


def render_audit(audit: DataAudit, *, width: int, colour: bool) -> str:
    """The audit as text of at most `width` columns, with the terminal's colours or without."""
    from rich.console import Console

    written = io.StringIO()
    console = Console(
        file=written, width=width, force_terminal=colour, no_color=not colour, highlight=False, legacy_windows=False
    )
    for part in _parts(audit, console):
        console.print(part)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


def _parts(audit: DataAudit, console: "Console") -> "Iterator[RenderableType]":
    from rich.text import Text

    yield Text.assemble((visible(audit.data), "bold"), f": {_summary(audit)}")
    yield Text(f"Labels from {visible(audit.labels_from)}.", style="dim")
    yield ""
    yield _label_table(audit)
    for severity, (title, style, what_to_do) in _SEVERITIES.items():
        findings = of_severity(audit.findings, severity)
        if findings:
            yield ""
            yield Text.assemble((title, style), (f"  {what_to_do}", "dim"))
            for finding in findings:
                yield _finding(finding, style, console.width)
    yield ""
    for note in audit.notes:
        yield Text(visible(note), style="dim")
    yield Text(_verdict(audit), style="bold")


def _summary(audit: DataAudit) -> str:
    facts = [counted(audit.pictures, "picture"), counted(len(audit.counts), "label")]
    left_out = audit.pictures - audit.usable
    return ", ".join([*facts, f"{left_out:,} left out" if left_out else "all usable"])


def _label_table(audit: DataAudit) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("label", overflow="ellipsis", no_wrap=True, max_width=32)
    table.add_column("pictures", justify="right")
    splits = [split for split in ("train", "validation", "test") if any(one.given.get(split) for one in audit.counts)]
    for split in splits:
        table.add_column(f"given {split}", justify="right")
    table.add_column("", no_wrap=True)
    largest = max((one.usable for one in audit.counts), default=0)
    for one in audit.counts[:MOST_LABELS]:
        bar = "━" * max(1 if one.usable else 0, round(_BAR * one.usable / max(largest, 1)))
        table.add_row(
            Text(visible(one.label)),
            f"{one.usable:,}",
            *(f"{one.given.get(split, 0):,}" for split in splits),
            Text(bar, style="cyan"),
        )
    if len(audit.counts) > MOST_LABELS:
        rest = audit.counts[MOST_LABELS:]
        table.add_row(f"and {len(rest):,} more", f"{sum(one.usable for one in rest):,}")
    return table


def _finding(finding: Finding, style: str, width: int) -> "RenderableType":
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    count = f": {finding.total:,}" if finding.total else ""
    parts: list[RenderableType] = [
        Text.assemble(("● ", style), (f"{finding.title}{count}", "bold")),
        Padding(Text(visible(finding.meaning)), (0, 0, 0, 2)),
    ]
    if finding.mentions:
        parts.append(Padding(_names(finding.mentions, width - 4), (0, 0, 0, 4)))
    return Group(*parts)


def _names(mentions: Sequence[Mention], width: int) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown = mentions[:MOST_NAMES]
    details = [_first_sentence(visible(one.detail)) for one in shown]
    for_details = min(max(map(len, details)), width // 2)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(overflow="fold", style="cyan", max_width=width - for_details - 2)
    table.add_column(overflow="fold")
    for one, detail in zip(shown, details, strict=True):
        table.add_row(Text(visible(one.named(MOST_TOGETHER))), Text(detail))
    more = len(mentions) - len(shown)
    return Group(table, Text(f"and {more:,} more (--json names all)", style="dim")) if more else table


def _first_sentence(text: str) -> str:
    """What is wrong; what to do about it is said once, above."""
    return text.partition(". ")[0]


def _verdict(audit: DataAudit) -> str:
    if not audit.can_train:
        return "Training cannot go on with these pictures as they are."
    if of_severity(audit.findings, Severity.LOOK):
        return "Training can go on. What is worth a look is better looked at first."
    return "Training can go on; nothing needs a look."
