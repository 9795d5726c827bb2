"""trainer/twins.py: what a named test set has too is not learned from, by bytes, by looks and by group."""

from dataclasses import replace

import numpy as np
import pytest

from shared.files import sha256_of
from tests.trainer.grey_pictures import make_pictures, statistics_of
from trainer.audit import Audit, examine_manifest
from trainer.errors.audit import ClassTooSmall
from trainer.featurize import Features
from trainer.findings import Kind
from trainer.manifest_findings import find_in_manifest
from trainer.near_duplicates import Likeness, LikePair
from trainer.progress import Quiet
from trainer.samples import Manifest, NamedTest, Sample
from trainer.twins import Usable, find_twins, keep_apart

NOTHING_ALIKE = Likeness((), threshold=0.98, groups=(), oversized=(), note=None)


def sample(name: str, content: str, label: str = "cat", group: str | None = None) -> Sample:
    split = "test" if name.startswith("test:") else None
    return Sample(name, name, label, sha256_of(content.encode()), split, group)  # type: ignore[arg-type]


def manifest_of(*samples: Sample) -> Manifest:
    test = NamedTest("held", "folder names", "test:")
    return Manifest(samples, ("cat", "dog"), (), (), "folder names", test=test)


def alike(*pairs: tuple[int, int], groups: tuple[tuple[int, ...], ...] = ()) -> Likeness:
    found = tuple(LikePair(first, second, 0.99, turned=False) for first, second in pairs)
    return replace(NOTHING_ALIKE, pairs=found, groups=groups)


def twins_of(manifest: Manifest, likeness: Likeness = NOTHING_ALIKE) -> dict[str, str]:
    return {twin.sample.name: twin.text for twin in find_twins(manifest, likeness).values()}


def test_a_copy_a_near_copy_and_a_picture_of_the_group_are_twins() -> None:
    manifest = manifest_of(
        sample("a.png", "one"),
        sample("b.png", "two"),
        sample("c.png", "three", group="anna"),
        sample("d.png", "four"),
        sample("test:1.png", "one"),
        sample("test:2.png", "two, resized"),
        sample("test:3.png", "five", group="anna"),
    )

    assert twins_of(manifest, alike((1, 5), groups=((1, 5),))) == {
        "a.png": "the same file as test:1.png",
        "b.png": "nearly identical to test:2.png",
        "c.png": "in one group with test:3.png",
    }


def test_what_is_in_one_group_with_a_copy_is_left_out_with_it() -> None:
    """The test set calls the picture otherwise, but it is of that patient, and so are the patient's others."""
    manifest = manifest_of(
        sample("a.png", "one", group="anna"), sample("b.png", "two", group="anna"), sample("test:x.png", "one")
    )

    assert set(twins_of(manifest)) == {"a.png", "b.png"}


def test_two_labels_of_one_picture_are_said() -> None:
    manifest = manifest_of(sample("a.png", "one", label="dog"), sample("test:1.png", "one", label="cat"))

    assert twins_of(manifest) == {"a.png": "the same file as test:1.png, there cat, here dog"}


def test_a_pair_that_is_alike_counts_though_it_is_in_no_group() -> None:
    """Of three pictures, the middle one is alike to both others; only two of them can be one picture."""
    manifest = manifest_of(sample("a.png", "one"), sample("b.png", "two"), sample("test:1.png", "between"))

    assert set(twins_of(manifest, alike((0, 2), (1, 2), groups=((0, 2),)))) == {"a.png", "b.png"}


def test_a_set_too_large_to_be_copies_is_not_left_out() -> None:
    """What makes up a label is its subject, not a copy of one picture: decision 15."""
    manifest = manifest_of(sample("a.png", "one"), sample("b.png", "two"), sample("test:1.png", "three"))
    likeness = replace(alike((0, 1), (0, 2), (1, 2)), oversized=((0, 1, 2),))

    assert twins_of(manifest, likeness) == {}


def test_likeness_is_by_content_where_equal_pictures_have_one_row() -> None:
    """Row 0 stands for its copy in the test set too, and what is alike to it is alike to that copy."""
    manifest = manifest_of(sample("a.png", "one"), sample("b.png", "two"), sample("test:1.png", "one"))

    assert set(twins_of(manifest, alike((0, 1)))) == {"a.png", "b.png"}


def test_without_a_named_test_set_nothing_is_left_out() -> None:
    """Where the data itself gives the split, a group goes whole to the one held out more strictly."""
    samples = (sample("a.png", "one"), sample("test:1.png", "one"))
    found = usable(replace(manifest_of(*samples), test=None))

    assert find_twins(found.audit.manifest, found.likeness) == {}
    assert keep_apart(found, Quiet(), must_learn=False) is found


def usable(manifest: Manifest, likeness: Likeness = NOTHING_ALIKE) -> Usable:
    count = len(manifest.samples)
    values = np.arange(count, dtype=np.float32)[:, None]
    rows = tuple(range(count))
    features = Features(values, statistics_of(make_pictures(count)), rows, (), featurized=0, from_cache=count)
    return Usable(examine_manifest(manifest), features, likeness)


def eight() -> Usable:
    """Rows 0 to 4 are to learn from; 0 is a test picture too, 2 and 3 are alike, and 6 is alike to 7 and to 0."""
    manifest = manifest_of(
        sample("a.png", "one"),
        sample("b.png", "two", label="dog"),
        sample("c.png", "three"),
        sample("d.png", "four"),
        sample("e.png", "five", label="dog"),
        sample("test:1.png", "one"),
        sample("test:2.png", "six"),
        sample("test:3.png", "seven"),
    )
    return usable(manifest, alike((2, 3), (0, 6), (6, 7), groups=((0, 6, 7), (2, 3))))


def test_rows_likeness_and_samples_stay_together() -> None:
    """Row 0 stood for the test picture of the same bytes; what was alike to it still is, under that one's number."""
    left = keep_apart(eight(), Quiet())

    assert [one.name for one in left.audit.manifest.samples][:2] == ["b.png", "c.png"]
    assert left.features.values[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert left.features.readable == (1, 2, 3, 4, 5, 6, 7) and len(left.features.statistics) == 7
    assert left.likeness.groups == ((1, 2), (4, 5, 6))
    assert {(pair.first, pair.second) for pair in left.likeness.pairs} == {(1, 2), (4, 5), (5, 6)}


def test_each_one_is_named_in_the_terminal_and_in_a_finding() -> None:
    progress = Quiet()

    left = keep_apart(eight(), progress)

    assert any("a.png (the same file as test:1.png)" in warning for warning in progress.warnings)
    (finding,) = [one for one in find_in_manifest(left.audit, ()) if one.kind is Kind.IN_TEST_SET]
    assert [(one.names, one.detail) for one in finding.mentions] == [(("a.png",), "the same file as test:1.png")]


def test_a_label_that_is_left_with_too_few_pictures_ends_a_training_but_no_audit() -> None:
    samples = [sample(f"{name}.png", name, label="dog" if name > "c" else "cat") for name in "abcde"]
    found = usable(manifest_of(*samples, sample("test:1.png", "d", label="dog")))
    progress = Quiet()

    with pytest.raises(ClassTooSmall, match="'dog' has 1"):
        keep_apart(found, progress)

    assert any("d.png" in warning for warning in progress.warnings)
    left: Audit = keep_apart(found, Quiet(), must_learn=False).audit
    assert len(left.manifest.samples) == 5
