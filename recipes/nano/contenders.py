"""What can be judged: a backbone's graph, or features made by hand; each turns pictures into features."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load

from recipes.nano.handmade import SPEC, handmade_features
from shared.bundle import FEATURES
from shared.decode import TRAINER_LIMITS, decode
from shared.errors import PictureError
from shared.preprocess import PreprocessSpec, preprocess
from shared.session import Session, open_session
from trainer.backbones import choose_backbone, find_weights
from trainer.catalogue import NANO, get_entry
from trainer.export import export_backbone
from trainer.featurize import featurize
from trainer.graph import backbone_graph
from trainer.manifest import Sample
from trainer.nano import build_nano

HANDMADE = "handmade"

Rows = tuple[NDArray[np.float32], tuple[int, ...]]
"""Features (N, D) of the samples that can be read, and their N places among those asked for."""


class Contender(Protocol):
    """Whatever gives features."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    @property
    def spec(self) -> PreprocessSpec:
        """How its pixels are prepared."""

    @property
    def file_bytes(self) -> int:
        """Size of its weights file."""

    def of_samples(self, samples: Sequence[Sample], cache_dir: Path, threads: int, /) -> Rows:
        """Features of all samples that can be read."""

    def of_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (D,) of one prepared picture (H, W, 3), on one thread."""


@dataclass(frozen=True)
class GraphContender:
    """A backbone, judged by the graph that would serve."""

    name: str
    spec: PreprocessSpec
    file_bytes: int
    graph: bytes

    def of_samples(self, samples: Sequence[Sample], cache_dir: Path, threads: int, /) -> Rows:
        """By the pipeline's own featurize, and its cache."""
        found = featurize(samples, self.graph, self.spec, cache_dir=cache_dir, threads=threads)
        return found.values, found.readable

    def of_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One run of the graph."""
        (features,) = self._session.run(pixels[np.newaxis], [FEATURES])
        return features.reshape(-1)

    @cached_property
    def _session(self) -> Session:
        return open_session(self.graph, provider="cpu", threads=1)


@dataclass(frozen=True)
class HandmadeContender:
    """Histograms of gradients and colours; nothing is stored for them."""

    name: str = HANDMADE
    spec: PreprocessSpec = SPEC
    file_bytes: int = 0

    def of_samples(self, samples: Sequence[Sample], _cache_dir: Path, _threads: int, /) -> Rows:
        """One after the other: they are cheap."""
        rows = {}
        for place, sample in enumerate(samples):
            with contextlib.suppress(PictureError):
                rows[place] = self.of_pixels(prepare(sample.path.read_bytes(), self.spec))
        return np.stack(list(rows.values())), tuple(rows)

    def of_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Both kinds of histograms."""
        return handmade_features(pixels)


def read_contender(description: str, cache_dir: Path) -> Contender:
    """`handmade`, `NAME` or `NAME=WEIGHTS`; a backbone is exported if its graph is not in the cache.

    `nano=WEIGHTS` is a result of the recipe that is not shipped yet.
    """
    if description == HANDMADE:
        return HandmadeContender()
    name, _, file = description.partition("=")
    weights_file = Path(file) if file else None
    if name == NANO and weights_file is not None:
        return _unshipped(weights_file)
    entry, _ = choose_backbone(name, weights_file)
    weights = find_weights(entry, weights_file, download=False)
    graph = backbone_graph(entry, weights, entry.spec, cache_dir)
    return GraphContender(entry.name, entry.spec, weights.path.stat().st_size, graph)


def _unshipped(weights_file: Path) -> Contender:
    nano, spec, data = build_nano(), get_entry(NANO).spec, weights_file.read_bytes()
    nano.load_state_dict({name: value.float() for name, value in load(data).items()}, strict=True)
    return GraphContender(f"{NANO} ({weights_file.stem})", spec, len(data), export_backbone(nano, spec))


def prepare(data: bytes, spec: PreprocessSpec) -> NDArray[np.uint8]:
    """An encoded picture to the pixels that a contender wants."""
    return preprocess(decode(data, at_least=spec.decode_at_least, limits=TRAINER_LIMITS), spec)
