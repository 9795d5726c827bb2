"""trainer/split.py and split_repair.py: stable, by group, a pure function of the manifest."""

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.files import sha256_of
from trainer.errors.splits import SharesInvalid
from trainer.groups import find_groups
from trainer.manifest import Sample, Split
from trainer.split import find_moved, find_overruled, group_position, make_folds, split_groups

SHARES = (0.7, 0.15, 0.15)
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def sample(content: str, label: str = "cat", split: Split | None = None) -> Sample:
    name = f"{label}/{content}-{split}.jpg"
    return Sample(name, name=name, label=label, digest=sha256_of(content.encode()), split=split)


def many(label: str, count: int, split: Split | None = None) -> list[Sample]:
    return [sample(f"{label}{number}", label, split) for number in range(count)]


def split_of(
    samples: list[Sample], shares: tuple[float, float, float] = SHARES, seed: int = 0, groups: tuple[str, ...] = ()
) -> tuple[Split, ...]:
    return split_groups(samples, groups or find_groups(samples), shares, seed)


def by_position(group: str, seed: int) -> Split:
    position = group_position(group, seed)
    return "train" if position < 0.7 else "validation" if position < 0.85 else "test"


labelled = st.lists(st.tuples(st.integers(0, 60), st.sampled_from("ab")), min_size=1, max_size=60)
seeds = st.integers(0, 2**32)
quick = settings(max_examples=30, deadline=None)


@quick
@given(labelled, seeds, st.integers(1, 9))
def test_no_group_straddles_two_splits(contents: list[tuple[int, str]], seed: int, group_count: int) -> None:
    samples = [sample(str(content), label) for content, label in contents]
    groups = tuple(str(content % group_count) for content, _ in contents)

    splits = split_of(samples, seed=seed, groups=groups)

    assert all(len({splits[i] for i in range(len(groups)) if groups[i] == group}) == 1 for group in groups)


@quick
@given(labelled, seeds, st.randoms())
def test_the_order_of_the_samples_does_not_matter(contents: list[tuple[int, str]], seed: int, random: Random) -> None:
    samples = [sample(str(content), label) for content, label in contents]
    shuffled = list(samples)
    random.shuffle(shuffled)

    before = dict(zip(samples, split_of(samples, seed=seed), strict=True))
    after = dict(zip(shuffled, split_of(shuffled, seed=seed), strict=True))

    assert before == after


@quick
@given(st.sets(st.integers(0, 80), min_size=1), st.sets(st.integers(0, 80)), seeds)
def test_adding_pictures_moves_an_old_one_only_through_repair(old: set[int], new: set[int], seed: int) -> None:
    before = [sample(str(content)) for content in sorted(old)]
    after = [sample(str(content)) for content in sorted(old | new)]

    old_splits = dict(zip(find_groups(before), split_of(before, seed=seed), strict=True))
    new_splits = dict(zip(find_groups(after), split_of(after, seed=seed), strict=True))

    for group, split in old_splits.items():
        unrepaired = by_position(group, seed)
        assert split == new_splits[group] or unrepaired != split or unrepaired != new_splits[group]


@quick
@given(seeds)
def test_a_large_class_needs_no_repair(seed: int) -> None:
    samples = many("cat", 200)

    assert split_of(samples, seed=seed) == tuple(by_position(one.digest, seed) for one in samples)


def test_shares_are_met_in_expectation() -> None:
    counts = Counter(split_of(many("cat", 5000)))

    assert abs(counts["train"] / 5000 - 0.7) < 0.02
    assert abs(counts["test"] / 5000 - 0.15) < 0.02


def test_another_seed_gives_another_split() -> None:
    samples = many("cat", 100)

    assert split_of(samples, seed=1) != split_of(samples, seed=2)


@quick
@given(st.integers(3, 40), st.integers(3, 40), seeds)
def test_every_class_of_three_groups_or_more_is_in_every_split(cats: int, dogs: int, seed: int) -> None:
    samples = many("cat", cats) + many("dog", dogs)

    splits = split_of(samples, seed=seed)

    seen = {(one.label, split) for one, split in zip(samples, splits, strict=True)}
    assert seen == {(label, split) for label in ("cat", "dog") for split in SPLITS}


@quick
@given(
    st.lists(st.integers(1, 6), min_size=3, max_size=12), st.lists(st.integers(1, 6), min_size=3, max_size=12), seeds
)
def test_every_class_of_three_groups_of_any_size_is_in_every_split(cats: list[int], dogs: list[int], seed: int) -> None:
    """Near duplicates leave a class with fewer groups than pictures; that is what counts."""
    sizes = [("cat", number, size) for number, size in enumerate(cats)]
    sizes += [("dog", number, size) for number, size in enumerate(dogs)]
    samples = [sample(f"{label}{number}-{row}", label) for label, number, size in sizes for row in range(size)]
    alike: list[list[int]] = []
    for _, _, size in sizes:
        start = alike[-1][-1] + 1 if alike else 0
        alike.append(list(range(start, start + size)))

    groups = find_groups(samples, alike)
    splits = split_of(samples, seed=seed, groups=groups)

    assert len(set(zip(groups, splits, strict=True))) == len(cats) + len(dogs)
    assert {(one.label, split) for one, split in zip(samples, splits, strict=True)} == {
        (label, split) for label in ("cat", "dog") for split in SPLITS
    }


@quick
@given(seeds)
def test_a_class_of_two_is_learned_and_tested(seed: int) -> None:
    assert sorted(split_of(many("cat", 2), seed=seed)) == ["test", "train"]


@quick
@given(seeds)
def test_a_class_of_one_is_learned(seed: int) -> None:
    assert split_of(many("cat", 1), seed=seed) == ("train",)


def test_the_repair_takes_the_group_nearest_the_boundary() -> None:
    samples = many("cat", 4)
    seed = next(s for s in range(10_000) if all(group_position(one.digest, s) < 0.7 for one in samples))
    nearest_first = sorted(samples, key=lambda one: -group_position(one.digest, seed))

    splits = dict(zip(samples, split_of(samples, seed=seed), strict=True))

    assert [splits[one] for one in nearest_first] == ["test", "validation", "train", "train"]


@quick
@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abc")), min_size=4, max_size=40), seeds)
def test_the_repair_of_one_class_takes_no_split_from_another(contents: list[tuple[int, str]], seed: int) -> None:
    """A near-duplicate group may hold two classes; moving it for one must not rob the other."""
    samples = [sample(f"{number}{content}", label) for number, (content, label) in enumerate(contents)]
    groups = tuple(str(content) for content, _ in contents)

    splits = split_of(samples, seed=seed, groups=groups)

    unrepaired = [by_position(group, seed) for group in groups]
    had = {(one.label, split) for one, split in zip(samples, unrepaired, strict=True)}
    has = {(one.label, split) for one, split in zip(samples, splits, strict=True)}
    for label, lost in had - has:
        assert lost in ("validation", "test")
        assert (label, "train") in has


def test_exact_duplicates_share_a_split() -> None:
    samples = many("cat", 30) + many("cat", 30)

    splits = split_of(samples)

    assert splits[:30] == splits[30:]


def test_given_splits_are_kept() -> None:
    samples = many("cat", 30, "train") + many("dog", 20, "validation") + many("cow", 20, "test")

    assert split_of(samples) == tuple(one.split for one in samples)


def test_a_missing_split_is_carved_from_train() -> None:
    """A data set with train and test folders keeps its test pictures for the test."""
    samples = many("cat", 400, "train") + many("dog", 100, "test")

    splits = split_of(samples)

    assert set(splits[400:]) == {"test"}
    assert set(splits[:400]) == {"train", "validation"}
    assert abs(splits.count("validation") / 400 - 0.15 / 0.85) < 0.05


def test_both_missing_splits_are_carved_when_only_train_is_given() -> None:
    samples = many("cat", 100, "train")

    assert set(split_of(samples)) == set(SPLITS)
    assert split_of(samples) == split_of(many("cat", 100))
    assert find_overruled(samples, split_of(samples)) == ()


def test_samples_without_a_split_are_training_pictures_where_others_have_one() -> None:
    samples = many("cat", 50) + many("dog", 10, "validation") + many("cow", 10, "test")

    assert set(split_of(samples)[:50]) == {"train"}


def test_no_test_split_is_carved_when_its_share_is_zero() -> None:
    assert set(split_of(many("cat", 50), (1, 0, 0))) == {"train"}
    assert set(split_of(many("cat", 50), (0.8, 0.2, 0))) == {"train", "validation"}


def test_a_picture_given_to_train_and_to_test_is_tested_only() -> None:
    """Otherwise the test would ask for what was learned by heart."""
    samples = [sample("same", split="train"), sample("same", split="test"), *many("cow", 5, "train")]

    splits = split_of(samples, (0.8, 0, 0.2))

    assert splits[:2] == ("test", "test")
    assert find_overruled(samples, splits) == (samples[0].name,)


def test_moves_since_an_earlier_run_are_listed() -> None:
    samples = many("cat", 3)

    moved = find_moved(samples, ("train", "test", "train"), {samples[0].digest: "train", samples[1].digest: "train"})

    assert moved == (samples[1].name,)


@pytest.mark.parametrize("shares", [(0, 0.5, 0.5), (0.7, -0.1, 0.4), (float("nan"), 0, 0), (float("inf"), 1, 1)])
def test_shares_that_cannot_be_met_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(SharesInvalid, match="expected three"):
        split_of(many("cat", 3), shares)


def folds_of(targets: list[int], groups: list[str] | None = None, k: int = 5, seed: int = 0) -> list[int]:
    named = groups or [f"g{number}" for number in range(len(targets))]
    folds: list[int] = make_folds(np.array(targets, dtype=np.int64), named, k, seed).tolist()
    return folds


@quick
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), min_size=40, max_size=80), seeds)
def test_no_group_straddles_two_folds(rows: list[tuple[int, int]], seed: int) -> None:
    groups = [str(group) for group, _ in rows]
    k = min(3, len(set(groups)))
    if k < 2:
        return

    folds = folds_of([target for _, target in rows], groups, k, seed)

    assert set(folds) == set(range(k))
    assert len(set(zip(groups, folds, strict=True))) == len(set(groups))


@quick
@given(st.lists(st.integers(0, 3), min_size=10, max_size=80), st.integers(2, 5), seeds)
def test_folds_are_stratified_and_of_equal_size(targets: list[int], k: int, seed: int) -> None:
    folds = folds_of(targets, k=k, seed=seed)

    for target in set(targets):
        counts = [sum(f == fold and t == target for f, t in zip(folds, targets, strict=True)) for fold in range(k)]
        assert max(counts) - min(counts) <= 1
    sizes = [folds.count(fold) for fold in range(k)]
    assert max(sizes) - min(sizes) <= len(set(targets))


@quick
@given(st.lists(st.integers(0, 3), min_size=10, max_size=40), seeds, st.randoms())
def test_folds_do_not_depend_on_the_order_of_the_samples(targets: list[int], seed: int, random: Random) -> None:
    groups = [f"g{number}" for number in range(len(targets))]
    rows = list(zip(targets, groups, strict=True))
    random.shuffle(rows)

    folds = dict(zip(groups, folds_of(targets, groups, seed=seed), strict=True))
    shuffled = folds_of([target for target, _ in rows], [group for _, group in rows], seed=seed)

    assert [folds[group] for _, group in rows] == shuffled


def test_a_large_group_leaves_room_for_the_others() -> None:
    folds = folds_of([0] * 20, ["big"] * 10 + [f"g{number}" for number in range(10)], k=2)

    assert sorted(folds.count(fold) for fold in (0, 1)) == [10, 10]


def test_more_folds_than_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="2 groups cannot fill 3 folds"):
        folds_of([0, 1], k=3)
