"""What `compare` puts side by side: each way to have features of the pictures, computed once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from shared.preprocess import Fit
from trainer.errors.features import QuantisationFailed
from trainer.feature_choices import in_words, prepared_for, rendered_apart
from trainer.feature_library import FeatureLibrary
from trainer.joined_graph import join_graphs
from trainer.progress import Progress
from trainer.recipe import FeatureChoice, Precision
from trainer.run_backbone import RunBackbone
from trainer.settings import TrainSettings
from trainer.training import Training

JOINED = " + "


@dataclass(frozen=True)
class Way:
    """One way to have features of the pictures, computed.

    Attributes:
        backbones: their names.
        choice: of features; the same for both where there are two backbones.
        graph: that gives them.
        features: shape (N, D), in the order of the samples.
    """

    backbones: tuple[str, ...]
    choice: FeatureChoice
    graph: bytes
    features: NDArray[np.float32]

    @property
    def name(self) -> str:
        """In words."""
        features = in_words(replace(self.choice, precision="float32"))
        return ", ".join([JOINED.join(self.backbones), features, self.choice.precision])

    @property
    def without_mirror(self) -> "tuple[tuple[str, ...], FeatureChoice]":
        """What tells the way from others, were it without the mirror image."""
        return self.backbones, replace(self.choice, mirror=False)


def all_ways(
    training: Training,
    backbones: Sequence[RunBackbone],
    settings: TrainSettings,
    progress: Progress,
    *,
    precisions: Sequence[Precision],
    mirror: bool,
    square: bool,
) -> list[Way]:
    """Each backbone in every fit that is asked for and every precision, and every two that take the same pixels.

    Args:
        training: the pictures.
        backbones: at least one.
        settings: of the run.
        progress: told of a backbone that has no int8 form.
        precisions: wanted.
        mirror: also with the mirror image of each picture.
        square: whether all pictures are, so that some fits give the same pixels; only the first of those is taken.
    """
    ways = list(_ways(training, backbones, settings, progress, precisions, mirror=mirror, square=square))
    return ways + _joined(ways)


def _ways(
    training: Training,
    backbones: Sequence[RunBackbone],
    settings: TrainSettings,
    progress: Progress,
    precisions: Sequence[Precision],
    *,
    mirror: bool,
    square: bool,
) -> Iterator[Way]:
    calibration = [training.samples[row] for row in training.rows("train").tolist()]
    for backbone in backbones:
        library = FeatureLibrary(backbone, training.samples, settings, progress, calibration=calibration)
        for choice in choices_of(backbone, settings, mirror=mirror, square=square):
            for precision in precisions:
                wanted = replace(choice, precision=precision)
                try:
                    graph = library.graph_of(wanted)
                except QuantisationFailed as error:
                    progress.warn(f"{backbone.entry.name}: {error}")
                    continue
                yield Way((backbone.entry.name,), wanted, graph, library.rows(wanted).plain)


def choices_of(backbone: RunBackbone, settings: TrainSettings, *, mirror: bool, square: bool) -> list[FeatureChoice]:
    """The backbone's choice in the fit that was asked for, or in every one; with `mirror` each mirrored as well."""
    base, side = backbone.choice, backbone.choice.spec.height
    fits: tuple[Fit, ...] = ("crop", "pad", "stretch") if settings.fit == "auto" else (base.spec.fit,)
    every = [replace(base, spec=prepared_for(backbone.entry, side, fit)) for fit in fits]
    apart = rendered_apart(every, first=base) if square else every
    return [replace(one, mirror=by) for one in apart for by in dict.fromkeys([base.mirror, base.mirror or mirror])]


def _joined(ways: Sequence[Way]) -> list[Way]:
    """Every two of different backbones that take the same pixels in the same precision."""
    return [
        Way(
            (*one.backbones, *other.backbones),
            one.choice,
            join_graphs(one.graph, other.graph),
            np.hstack([one.features, other.features]),
        )
        for one, other in combinations(ways, 2)
        if one.backbones != other.backbones and one.choice == other.choice
    ]
