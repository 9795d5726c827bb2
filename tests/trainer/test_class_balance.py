"""trainer/class_balance.py: few pictures, and far fewer than others."""

from trainer.class_balance import find_imbalance
from trainer.findings import Kind
from trainer.samples import Sample


def named(counts: dict[str, int], groups: dict[str, int] | None = None) -> dict[Kind, list[tuple[str, str]]]:
    """What is said of labels with so many pictures, in so many groups."""
    samples, group_of = [], []
    for label, count in counts.items():
        for number in range(count):
            samples.append(Sample("x", f"{label}/{number}", label, f"{label}{number}", None))
            group_of.append(f"{label} {number % (groups or counts).get(label, count)}")
    return {
        finding.kind: [(mention.names[0], mention.detail) for mention in finding.mentions]
        for finding in find_imbalance(samples, group_of)
    }


def test_balanced_labels_are_no_news() -> None:
    assert named({"cat": 20, "dog": 30}) == {}


def test_labels_with_few_pictures_are_named_the_smallest_first() -> None:
    assert named({"cat": 20, "dog": 9, "eel": 3}) == {Kind.FEW_PICTURES: [("eel", "3 pictures"), ("dog", "9 pictures")]}


def test_copies_of_one_picture_are_few_pictures() -> None:
    assert named({"cat": 20, "dog": 20}, groups={"dog": 1}) == {Kind.FEW_PICTURES: [("dog", "20 pictures in 1 group")]}


def test_a_label_with_less_than_a_tenth_of_the_largest_is_named() -> None:
    assert named({"cat": 201, "dog": 20, "eel": 21}) == {Kind.IMBALANCE: [("dog", "20 pictures")]}
