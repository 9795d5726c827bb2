"""The names of taps: a stage of the backbone, and how its maps become features. Words alone; nothing is computed."""

from collections.abc import Iterable, Sequence
from typing import Literal, cast

Pooling = Literal["average", "peaks", "quarters"]
"""How maps (C, h, w) become features: their averages (C,), their peaks (C,), or averages of four quarters (4 * C,)."""

POOLINGS: tuple[Pooling, ...] = ("average", "peaks", "quarters")


def stage_of(tap: str) -> str:
    """The dotted name of the module: "features.13" of "features.13:peaks"."""
    return tap.partition(":")[0]


def pooling_of(tap: str) -> Pooling:
    """How its maps are pooled; averaged, where the name does not say."""
    return cast("Pooling", tap.partition(":")[2] or "average")


def pooled(stages: Iterable[str], pooling: Pooling) -> tuple[str, ...]:
    """The taps of some stages under one pooling."""
    return tuple(stages) if pooling == "average" else tuple(f"{stage}:{pooling}" for stage in stages)


def worth_a_try(stages: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The sets of taps that a search compares, from none to all.

    Each begins with the one before it, and so do the features: a picture is featurised once for all of them.

    Args:
        stages: the middle stage of a backbone.
    """
    peaks = pooled(stages, "average") + pooled(stages, "peaks")
    return tuple(dict.fromkeys(((), peaks, peaks + pooled(stages, "quarters"))))


def has_quarters(taps: Sequence[str]) -> bool:
    """Whether some of the features say where in the picture something is."""
    return any(pooling_of(tap) == "quarters" for tap in taps)


def maps_read(taps: Iterable[str]) -> int:
    """How many numbers the taps read of a map each, all together: one of it all, or four of quarters."""
    return sum(4 if pooling_of(tap) == "quarters" else 1 for tap in taps)


def in_words(taps: Sequence[str]) -> str:
    """By pooling: "features.13 and features.16, their peaks" for both, each averaged and with its peaks."""
    stages = {way: [stage_of(tap) for tap in taps if pooling_of(tap) == way] for way in POOLINGS}
    parts = [" and ".join(stages["average"])] if stages["average"] else []
    for way in POOLINGS[1:]:
        if stages[way]:
            whose = "their" if stages[way] == stages["average"] else f"{' and '.join(stages[way])} in"
            parts.append(f"{whose} {way}")
    return ", ".join(parts)
