"""trainer/audit.py: what contradicts itself is named and dropped, what is too little is refused."""

import pytest

from shared.files import sha256_of
from trainer.audit import audit_manifest
from trainer.errors.audit import ClassTooSmall, ConflictingLabels, LabelNotInTrain, SingleClass
from trainer.manifest import Manifest, Sample, Split


def sample(name: str, content: str, split: Split | None = None) -> Sample:
    return Sample(name, name=name, label=name.split("/")[0], digest=sha256_of(content.encode()), split=split)


def manifest_of(*samples: Sample) -> Manifest:
    labels = tuple(sorted({one.label for one in samples}))
    return Manifest(samples=samples, labels=labels, passed_over=(), missing=(), labels_from="folder names")


CLEAN = [sample(f"{label}/{number}.jpg", f"{label}{number}") for label in ("cat", "dog") for number in range(10)]


def test_a_clean_manifest_passes_unchanged() -> None:
    audit = audit_manifest(manifest_of(*CLEAN))

    assert audit.manifest.samples == tuple(CLEAN)
    assert audit.class_counts == {"cat": 10, "dog": 10}
    assert (audit.conflicts, audit.copies) == ((), ())


def test_the_same_bytes_under_two_labels_are_named_and_dropped() -> None:
    """One of the two labels is wrong, and nothing says which."""
    twins = (sample("cat/twin.jpg", "same"), sample("dog/twin.jpg", "same"))

    audit = audit_manifest(manifest_of(*CLEAN, *twins))

    assert audit.conflicts == (twins,)
    assert audit.conflicting == ("cat/twin.jpg", "dog/twin.jpg")
    assert audit.manifest.samples == tuple(CLEAN)


def test_many_conflicts_are_refused_by_name() -> None:
    twins = [sample(f"{label}/t{number}.jpg", f"same{number}") for number in range(3) for label in ("cat", "dog")]

    with pytest.raises(ConflictingLabels, match=r"6 of 26 .*cat/t0\.jpg.* and 1 more"):
        audit_manifest(manifest_of(*CLEAN, *twins))


def test_exact_duplicates_are_listed_and_kept() -> None:
    copies = (sample("cat/copy 1.jpg", "cat0"), sample("cat/copy 2.jpg", "cat0"))

    audit = audit_manifest(manifest_of(*CLEAN, *copies))

    assert audit.copies == ((CLEAN[0], *copies),)
    assert len(audit.manifest.samples) == 22


def test_empty_files_are_no_conflict() -> None:
    """They are found unreadable later, which is what is wrong with them."""
    empty = (sample("cat/empty.jpg", ""), sample("dog/empty.jpg", ""))

    audit = audit_manifest(manifest_of(*CLEAN, *empty))

    assert (audit.conflicts, audit.copies) == ((), ())


def test_a_single_class_is_refused_and_the_origin_of_the_labels_is_said() -> None:
    with pytest.raises(SingleClass, match="'cat'; labels were read from folder names"):
        audit_manifest(manifest_of(*CLEAN[:10]))


def test_a_class_with_one_picture_is_refused_by_name() -> None:
    with pytest.raises(ClassTooSmall, match="at least 2 different pictures: 'cow' has 1"):
        audit_manifest(manifest_of(*CLEAN, sample("cow/1.jpg", "cow")))


def test_copies_of_one_picture_are_not_two_pictures() -> None:
    copies = (sample("cow/1.jpg", "cow"), sample("cow/2.jpg", "cow"))

    with pytest.raises(ClassTooSmall, match="'cow' has 1"):
        audit_manifest(manifest_of(*CLEAN, *copies))


def test_a_class_that_loses_its_pictures_to_conflicts_is_named() -> None:
    lost = (sample("cow/1.jpg", "cat0"), sample("cow/2.jpg", "cat1"))

    with pytest.raises(ClassTooSmall, match="'cow' has 0"):
        audit_manifest(manifest_of(*CLEAN, *lost), max_conflicting=0.5)


def test_a_class_that_loses_its_pictures_to_damage_is_named() -> None:
    with pytest.raises(ClassTooSmall, match="'dog' has 0"):
        audit_manifest(manifest_of(*CLEAN).without([one.name for one in CLEAN if one.label == "dog"]))


def test_a_class_that_is_only_held_out_is_refused_by_name() -> None:
    held_out = [sample(f"cow/{number}.jpg", f"cow{number}", "test") for number in range(3)]

    with pytest.raises(LabelNotInTrain, match="'cow'"):
        audit_manifest(manifest_of(*CLEAN, *held_out))


def test_a_class_whose_train_pictures_are_all_copies_of_held_out_ones_is_refused_by_name() -> None:
    """The split moves every copy to where the strictest one is, so nothing would be left to learn the label from."""
    cows = [sample("cow/a.jpg", "cow a", "train"), sample("cow/copy of a.jpg", "cow a", "test")]

    with pytest.raises(LabelNotInTrain, match=r"'cow'.*copies"):
        audit_manifest(manifest_of(*CLEAN, *cows, sample("cow/b.jpg", "cow b", "test")))
