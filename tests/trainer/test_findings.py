"""What was found, in plain values: findings and their words, those of the manifest, those of near duplicates."""

import json
import string
from pathlib import Path

import pytest

from trainer.audit import examine_manifest
from trainer.errors import BadData
from trainer.errors.audit import LabelNotInTrain, SingleClass, TooManyUnusable
from trainer.errors.manifest import TooManyMissing
from trainer.finding_words import WORDS, tell
from trainer.findings import Finding, Kind, Mention, Severity, names_in, sort_findings, stops_training
from trainer.likeness_findings import find_across_splits, find_alike
from trainer.manifest_findings import find_in_manifest, tell_obstacle
from trainer.near_duplicates import Likeness, LikePair
from trainer.samples import Manifest, PassedOver, Sample, Split


def sample(name: str, digest: str | None = None, split: Split | None = None) -> Sample:
    return Sample(name, name, name.split("/")[0], digest or name, split)


def manifest_of(*samples: Sample) -> Manifest:
    labels = tuple(sorted({one.label for one in samples}))
    return Manifest(samples, labels, (PassedOver("notes.txt", "not a picture"),), ("cat/gone.jpg",), "folder names")


def likeness(*pairs: LikePair, groups: tuple[tuple[int, ...], ...] = (), large: tuple[int, ...] = ()) -> Likeness:
    return Likeness(pairs, threshold=0.95, groups=groups, oversized=(large,) if large else (), note=None)


def by_kind(findings: tuple[Finding, ...]) -> dict[Kind, list[tuple[str, ...]]]:
    return {finding.kind: [mention.names for mention in finding.mentions] for finding in findings}


# --- values and words ---


def test_nothing_is_told_of_nothing() -> None:
    assert tell(Kind.UNREADABLE, []) == ()


@pytest.mark.parametrize("kind", WORDS)
def test_every_kind_is_told_in_whole_sentences_that_say_what_to_do(kind: Kind) -> None:
    words = WORDS[kind]
    figures = {name: "7" for _, name, _, _ in string.Formatter().parse(words.meaning) if name}

    (finding,) = tell(kind, [Mention(("a.jpg",))], **figures)

    assert finding.meaning.endswith(".") and finding.meaning[0].isupper() and "{" not in finding.meaning
    assert finding.severity is not Severity.STOPS
    assert (finding.total, finding.title) == (1, words.title)


def test_every_kind_has_words_or_is_an_error_of_training() -> None:
    stopping = {
        *(Kind.TOO_MANY_UNUSABLE, Kind.TOO_MANY_MISSING, Kind.TOO_MANY_CONFLICTS),
        *(Kind.SINGLE_CLASS, Kind.CLASS_TOO_SMALL, Kind.LABEL_NOT_IN_TRAIN),
    }

    assert set(Kind) == set(WORDS) | stopping


def test_a_finding_as_json_leaves_out_what_is_not_known() -> None:
    mentions = [Mention(("a",), "looks like dog", 0.9, ("cat",), "dog"), Mention(("b",))]
    (finding,) = tell(Kind.LABEL_ERRORS, mentions, agreement="9 %")

    written = json.loads(json.dumps(finding.as_json()))

    assert (written["kind"], written["severity"], written["total"]) == ("label-errors", "worth-a-look", 2)
    assert written["mentions"] == [
        {"names": ["a"], "labels": ["cat"], "suggested": "dog", "figure": 0.9, "detail": "looks like dog"},
        {"names": ["b"]},
    ]


def test_many_names_on_one_line_are_cut_and_counted() -> None:
    assert Mention(("a", "b", "c")).named(3) == "a = b = c"
    assert Mention(("a", "b", "c")).named(2) == "a = b and 1 more"


def test_what_stops_training_comes_first_then_what_needs_a_look() -> None:
    kinds = (Kind.MISSING, Kind.DARK, Kind.UNREADABLE, Kind.OUTLIERS)
    findings = [tell(kind, [Mention((kind.value,))])[0] for kind in kinds]
    obstacle = tell_obstacle(SingleClass(["cat"], labels_from="folder names"))

    ordered = sort_findings([*findings, obstacle])

    assert [one.kind for one in ordered] == [
        *(Kind.SINGLE_CLASS, Kind.OUTLIERS, Kind.DARK),
        *(Kind.UNREADABLE, Kind.MISSING),
    ]
    assert stops_training(ordered) == (obstacle,)
    assert names_in(findings) == {kind.value for kind in kinds}


# --- the manifest ---


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SingleClass(["cat"], labels_from="folder names"), Kind.SINGLE_CLASS),
        (LabelNotInTrain(["cat"]), Kind.LABEL_NOT_IN_TRAIN),
        (TooManyMissing(Path("t.csv"), ["a"], rows=2, max_missing=0.1), Kind.TOO_MANY_MISSING),
    ],
)
def test_an_error_of_training_is_a_finding_with_the_same_words(error: BadData, kind: Kind) -> None:
    finding = tell_obstacle(error)

    assert (finding.kind, finding.severity, finding.meaning) == (kind, Severity.STOPS, str(error))


def test_what_was_left_out_and_what_is_there_twice_is_named_with_labels() -> None:
    samples = [
        *(sample("cat/1.jpg", "same"), sample("dog/1.jpg", "same")),
        *(sample("cat/2.jpg", "two"), sample("cat/3.jpg", "two")),
        *(sample("dog/4.jpg", "four"), sample("dog/5.jpg", "four"), sample("dog/6.jpg", "four")),
    ]

    found = find_in_manifest(examine_manifest(manifest_of(*samples)), [PassedOver("cat/bad.jpg", "truncated")])

    assert by_kind(found) == {
        Kind.UNREADABLE: [("cat/bad.jpg",)],
        Kind.CONFLICTING: [("cat/1.jpg", "dog/1.jpg")],
        Kind.MISSING: [("cat/gone.jpg",)],
        Kind.EXACT_DUPLICATES: [("dog/4.jpg", "dog/5.jpg", "dog/6.jpg"), ("cat/2.jpg", "cat/3.jpg")],
        Kind.PASSED_OVER: [("notes.txt",)],
    }
    assert found[0].mentions[0].detail == "truncated"
    assert found[1].mentions[0].labels == ("cat", "dog")


# --- near duplicates ---


def test_near_duplicates_under_one_label_are_handled_and_under_two_are_worth_a_look() -> None:
    samples = [sample("cat/1"), sample("cat/2"), sample("cat/3"), sample("dog/4")]
    pairs = (LikePair(0, 1, 0.99, turned=False), LikePair(2, 3, 0.97, turned=False))

    found = find_alike(samples, likeness(*pairs, groups=((0, 1), (2, 3))))

    assert by_kind(found) == {Kind.NEAR_DUPLICATES: [("cat/1", "cat/2")], Kind.ALIKE_TWO_LABELS: [("cat/3", "dog/4")]}
    assert [finding.severity for finding in found] == [Severity.HANDLED, Severity.LOOK]
    assert found[0].mentions[0].figure == 0.99


def test_the_figure_of_a_set_is_its_weakest_link_and_the_most_alike_come_first() -> None:
    samples = [sample(f"cat/{number}") for number in range(5)]
    pairs = [(0, 1, 0.99), (0, 2, 0.96), (1, 2, 0.98), (3, 4, 0.97)]

    (found,) = find_alike(
        samples, likeness(*(LikePair(*pair, turned=False) for pair in pairs), groups=((0, 1, 2), (3, 4)))
    )

    assert [(mention.names[0], mention.figure) for mention in found.mentions] == [("cat/3", 0.97), ("cat/0", 0.96)]


def test_a_set_that_is_too_large_to_be_copies_is_worth_a_look() -> None:
    samples = [sample(f"cat/{number}") for number in range(3)]

    assert by_kind(find_alike(samples, likeness(large=(0, 1, 2)))) == {
        Kind.ALIKE_TOO_MANY: [("cat/0", "cat/1", "cat/2")]
    }


def test_groups_across_given_splits_are_named_with_the_splits() -> None:
    samples = [sample("cat/1", split="train"), sample("cat/2", split="test"), sample("cat/3", split="train")]

    (found,) = find_across_splits([*samples, sample("cat/4")], ["a", "a", "b", "b"])

    assert [(mention.names, mention.detail) for mention in found.mentions] == [(("cat/1", "cat/2"), "train and test")]


def test_a_refusal_names_the_first_broken_pictures_with_what_is_wrong_but_without_advice() -> None:
    """What to do is the same for all of them, and said once, at the end."""
    broken = [(f"{number}.jpg", "it ends in the middle (byte 7). Copy it again.") for number in range(9)]

    told = tell_obstacle(TooManyUnusable(broken, total=20, max_bad=0.1)).meaning

    assert "9 of 20 pictures cannot be used (0.jpg: it ends in the middle (byte 7), 1.jpg" in told
    assert "and 6 more" in told
    assert "Copy it again" not in told
