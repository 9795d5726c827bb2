"""What a verb's action found, for people and for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ActionResult:
    """What an action found: `text` for people, `values` for `--json`."""

    text: str
    values: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return self.values


def columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as lines, columns aligned; the first row is the heads."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)
