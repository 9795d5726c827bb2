"""trainer/audit_table.py: an audit that fits the terminal, whatever the names are."""

import pytest

from trainer.audit_table import MOST_LABELS, MOST_NAMES, render_audit
from trainer.data_audit import AuditedLabel, DataAudit
from trainer.errors.audit import SingleClass
from trainer.finding_words import tell
from trainer.findings import Finding, Kind, Mention, sort_findings
from trainer.manifest_findings import tell_obstacle

DOUBTED = tell(
    Kind.LABEL_ERRORS,
    [Mention((f"cat/{n}.jpg",), f"labelled cat, looks like dog ({99 - n} %)", 0.9) for n in range(12)],
    agreement="93 %",
)
COPIES = tell(Kind.EXACT_DUPLICATES, [Mention(("cat/a rather long name.jpg", "cat/another rather long name.jpg"))])
OBSTACLE = tell_obstacle(SingleClass(["cat"], labels_from="folder names"))


def audit(*findings: Finding, labels: int = 2, given: dict[str, int] | None = None) -> DataAudit:
    return DataAudit(
        data="pets",
        labels_from="folder names",
        backbone="nano",
        pictures=1234,
        usable=1230,
        counts=tuple(AuditedLabel(f"label {n}", 600 - n, given or {}) for n in range(labels)),
        findings=sort_findings(findings),
        notes=("3 pictures show too little to be compared with others.",),
    )


def render(found: DataAudit, width: int = 80) -> str:
    return render_audit(found, width=width, colour=False)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_fits_the_terminal(width: int) -> None:
    long = tell(Kind.UNREADABLE, [Mention(("d/" + "x" * 200 + ".jpg",), "this JPEG cannot be decoded. " * 9)])

    told = render(audit(*DOUBTED, *COPIES, *long), width)

    assert max(len(line) for line in told.splitlines()) <= width
    assert told.count("x") >= 200, "a long name is folded, not cut"


def test_facts_come_first_and_the_verdict_last() -> None:
    lines = render(audit(*DOUBTED)).splitlines()

    assert lines[0] == "pets: 1,234 pictures, 2 labels, 4 left out"
    assert render(audit(labels=1)).startswith("pets: 1,234 pictures, 1 label, 4 left out")
    assert lines[-2].startswith("3 pictures show too little")
    assert lines[-1] == "Training can go on. What is worth a look is better looked at first."


def test_what_stops_training_is_told_before_what_is_worth_a_look_and_what_was_handled() -> None:
    told = render(audit(*COPIES, *DOUBTED, OBSTACLE))

    assert told.index("Stops training") < told.index("Worth a look") < told.index("Handled by itself")
    assert "labels were read from folder names" in " ".join(told.split())
    assert told.splitlines()[-1] == "Training cannot go on with these pictures as they are."


def test_nothing_to_say_is_said() -> None:
    assert render(audit()).splitlines()[-1] == "Training can go on; nothing needs a look."


def test_the_first_names_are_shown_and_the_rest_counted() -> None:
    told = render(audit(*DOUBTED))

    assert "Likely wrong labels: 12" in told
    assert "cat/0.jpg  labelled cat, looks like dog (99 %)" in told
    assert f"cat/{MOST_NAMES}.jpg" not in told
    assert f"and {12 - MOST_NAMES} more (--json names all)" in told


def test_names_that_belong_together_are_told_together() -> None:
    assert "cat/a rather long name.jpg = cat/another rather long name.jpg" in render(audit(*COPIES))


def test_of_a_reason_the_first_sentence_is_told() -> None:
    """What to do about it is said once, for all of them."""
    broken = tell(Kind.UNREADABLE, [Mention(("a.jpg",), "it is truncated (at byte 7). Copy it again.")])

    told = render(audit(*broken))

    assert "it is truncated (at byte 7)" in told
    assert "Copy it again" not in told


def test_many_labels_are_cut_and_counted() -> None:
    told = render(audit(labels=MOST_LABELS + 10))

    assert "and 10 more" in told
    assert f"label {MOST_LABELS - 1}" in told and f"label {MOST_LABELS} " not in told


def test_given_splits_have_a_column_each() -> None:
    told = render(audit(given={"train": 500, "test": 99}))

    assert "given train" in told and "given test" in told and "given validation" not in told


def test_names_cannot_paint_the_terminal() -> None:
    """A file name is untrusted: neither escape codes nor markup may reach the screen as such."""
    nasty = tell(Kind.MISSING, [Mention(("\x1b[31mred.jpg",)), Mention(("[bold]loud[/bold].jpg",))])

    told = render(audit(*nasty))

    assert "\x1b" not in told
    assert "\\x1b[31mred.jpg" in told
    assert "[bold]loud[/bold].jpg" in told


def test_colours_are_only_for_a_terminal() -> None:
    assert "\x1b[" in render_audit(audit(*DOUBTED), width=80, colour=True)
    assert "\x1b[" not in render_audit(audit(*DOUBTED), width=80, colour=False)
