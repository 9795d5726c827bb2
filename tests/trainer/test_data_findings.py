"""trainer/data_findings.py: what a training says about its pictures."""

from trainer.data_findings import doubted_labels, tell_worth_a_look
from trainer.finding_words import tell
from trainer.findings import Kind, Mention
from trainer.label_audit import LabelAudit
from trainer.label_errors import LabelError
from trainer.progress import Quiet
from trainer.samples import Sample


def test_a_training_says_a_sentence_about_each_kind_of_thing_to_look_at() -> None:
    doubted = [Mention((f"cat/{n}.jpg",), "looks like dog") for n in range(3)]
    findings = (
        *tell(Kind.LABEL_ERRORS, doubted, agreement="98 %"),
        *tell(Kind.DARK, [Mention(("a.jpg",))]),
        *tell(Kind.ALIKE_TWO_LABELS, [Mention(("b.jpg", "c.jpg"))]),
        *tell(Kind.UNREADABLE, [Mention(("d.jpg",), "truncated")]),
    )
    progress = Quiet()

    tell_worth_a_look(findings, progress)

    assert progress.said == [
        "Worth a look: likely wrong labels (3), first cat/0.jpg (looks like dog); see the report.",
        "Worth a look: dark pictures (1), first a.jpg; see the report.",
    ]


def test_likely_wrong_labels_are_in_the_order_of_the_figure_that_they_show() -> None:
    """By the margin, which is not shown, a reader saw 93, 87, 90 and 85 %."""
    samples = [Sample(f"{row}.jpg", f"{row}.jpg", "cat", f"{row}", None) for row in range(4)]
    errors = tuple(LabelError(row, 0, 1, confidence) for row, confidence in enumerate((0.93, 0.85, 0.9, 0.85)))

    told = list(doubted_labels(samples, ["cat", "dog"], LabelAudit(errors, 0.9)))

    assert [mention.names[0] for mention in told] == ["0.jpg", "2.jpg", "1.jpg", "3.jpg"]
    assert [mention.figure for mention in told] == [0.93, 0.9, 0.85, 0.85]
