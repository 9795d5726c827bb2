"""trainer/likeness_telling.py: what contradicts the data is named, what is kept together is counted."""

from dataclasses import replace

import numpy as np

from trainer.likeness_telling import tell_likeness
from trainer.near_duplicates import Likeness, LikePair
from trainer.progress import Quiet
from trainer.samples import Sample, Split
from trainer.training import Training

SPLITS: list[Split] = ["train", "train", "train", "train", "validation", "test"]
NOTHING = Likeness((), threshold=0.9, groups=(), oversized=(), note=None)


def samples_of(*wanted: tuple[str, Split | None]) -> list[Sample]:
    return [
        Sample(name, name=name, label=name.partition("/")[0], digest=f"{row:064d}", split=split)
        for row, (name, split) in enumerate(wanted)
    ]


def training_of(samples: list[Sample], *splits: Split) -> Training:
    nothing = np.zeros((len(samples), 1), dtype=np.float32)
    groups = tuple(sample.digest for sample in samples)
    return Training(tuple(samples), ("cat", "dog"), nothing, np.zeros(len(samples), dtype=np.int64), groups, splits)


def told(likeness: Likeness, samples: list[Sample], *splits: Split) -> Quiet:
    progress = Quiet()
    tell_likeness(likeness, samples, training_of(samples, *splits), progress)
    return progress


def test_groups_across_given_splits_and_labels_are_named() -> None:
    samples = samples_of(("cat/a.jpg", "train"), ("cat/b.jpg", "test"), ("dog/c.jpg", "train"), ("dog/d.jpg", "train"))

    progress = told(replace(NOTHING, groups=((0, 1), (0, 2))), samples, "test", "test", "test", "train")

    assert progress.warnings == [
        "1 group of near duplicates across the given splits: cat/a.jpg = cat/b.jpg",
        "1 group of near duplicates under different labels, kept as they are: cat/a.jpg = dog/c.jpg",
    ]


def test_a_group_that_contradicts_nothing_is_only_counted() -> None:
    """A picture to which the data gives no split may go where its copy is."""
    samples = samples_of(("cat/a.jpg", None), ("cat/b.jpg", "test"))

    progress = told(replace(NOTHING, groups=((0, 1),)), samples, "test", "test")

    assert progress.warnings == []
    assert progress.said == ["2 pictures are near duplicates of others; they are kept together in 1 group."]


def test_large_groups_that_are_not_kept_together_are_named_and_shortened() -> None:
    samples = samples_of(*((f"cat/{row}.jpg", None) for row in range(6)))

    progress = told(replace(NOTHING, oversized=((0, 1, 2, 3, 4, 5),)), samples, *SPLITS)

    assert progress.warnings == [
        "1 group of near duplicates with more than 5 % of a label, not kept together (--group-by can): "
        "cat/0.jpg = cat/1.jpg = cat/2.jpg = cat/3.jpg and 2 more"
    ]


def test_a_pair_in_two_splits_is_named() -> None:
    """The ends of a chain are not alike, so it is cut somewhere: the reader learns where."""
    samples = samples_of(("cat/a.jpg", None), ("cat/b.jpg", None), ("cat/c.jpg", None))
    pairs = (LikePair(0, 1, 0.95, turned=False), LikePair(1, 2, 0.94, turned=False))

    progress = told(replace(NOTHING, pairs=pairs, groups=((0, 1),)), samples, "train", "train", "test")

    assert progress.warnings == ["1 pair of near duplicates in two splits: cat/b.jpg = cat/c.jpg"]
