"""trainer/data_findings.py: what a training says about its pictures."""

from trainer.data_findings import tell_worth_a_look
from trainer.finding_words import tell
from trainer.findings import Kind, Mention
from trainer.progress import Quiet


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
