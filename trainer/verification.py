"""Checks real weights: does a backbone, with the classifier it was trained with, recognise labelled ImageNet pictures?

Weights that are fed the wrong preprocessing, channel order or options still load and still train a head, only a worse
one; this tells.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.backbones import build_classifier, class_names
from trainer.catalogue import NANO, BackboneEntry
from trainer.engines import TorchEngine
from trainer.errors import BadData, UsageError
from trainer.errors.backbones import NoClassesFound
from trainer.manifest import Manifest, PassedOver, Sample
from trainer.picture_rows import rows_of
from trainer.weights import Weights

Classes = frozenset[int]

_WORDNET_ID = re.compile(r"^n\d{8}[_-]?")


def verify_backbone(entry: BackboneEntry, weights: Weights, manifest: Manifest, *, threads: int = 1) -> dict[str, Any]:
    """Top-1 and top-5 accuracy of the whole network on the pictures whose class can be told.

    Args:
        entry: a backbone of torchvision's.
        weights: what to check.
        manifest: pictures with labels (or file names) such as "tench", "n01440764_tench", or class indices.
        threads: pictures in work at once.

    Returns:
        `backbone`, `weights`, `weights_sha256`; `n` pictures that were classified; `top_1` and `top_5` in [0, 1];
        `unmatched`, names of pictures that tell no class; `unreadable`, names with reasons.

    Raises:
        UsageError: nano has no classifier.
        NoClassesFound: no picture tells a class.
        BadData: none of those that do can be read.
        WeightsUnreadable, WeightsDoNotFit, WeightsDamaged: as `build_backbone`.
    """
    if entry.name == NANO:
        raise UsageError("nano comes without a classifier of its own, so there is nothing to verify; name another.")
    index = index_classes(class_names(entry))
    classes = {sample.name: classes_of(sample, index) for sample in manifest.samples}
    matched = [sample for sample in manifest.samples if classes[sample.name]]
    if not matched:
        raise NoClassesFound(len(manifest.samples))
    ranks: list[int] = []
    unreadable: list[PassedOver] = []
    network = TorchEngine(lambda: build_classifier(entry, weights), entry.spec)
    rows = rows_of(matched, network, entry.spec, threads=threads)
    for sample, row in zip(matched, rows, strict=True):
        if isinstance(row, PassedOver):
            unreadable.append(row)
        elif row.features is not None:
            ranks.append(rank_of(classes[sample.name], row.features[0]))
    if not ranks:
        raise BadData(f"none of {len(matched)} pictures can be used; {unreadable[0].name}: {unreadable[0].reason}")
    return {
        "backbone": entry.name,
        "weights": weights.source,
        "weights_sha256": weights.sha256,
        "n": len(ranks),
        "top_1": float(np.mean(np.array(ranks) < 1)),
        "top_5": float(np.mean(np.array(ranks) < 5)),
        "unmatched": [sample.name for sample in manifest.samples if not classes[sample.name]],
        "unreadable": [{"name": one.name, "reason": one.reason} for one in (*manifest.unreadable, *unreadable)],
    }


def index_classes(names: Sequence[str]) -> Mapping[str, Classes]:
    """Class indices by simplified name and by number; a name that two classes share has both."""
    index: dict[str, set[int]] = defaultdict(set)
    for number, name in enumerate(names):
        index[_simplified(name)].add(number)
        index[str(number)].add(number)
    return {name: frozenset(numbers) for name, numbers in index.items()}


def classes_of(sample: Sample, index: Mapping[str, Classes]) -> Classes:
    """Classes that a sample's label, or else its file's name, may mean; empty if none."""
    for text in (sample.label, PurePosixPath(sample.name).stem):
        if found := index.get(_simplified(text)):
            return found
    return frozenset()


def rank_of(classes: Classes, logits: NDArray[np.float32]) -> int:
    """How many other classes have larger logits, shape (K,), than the best of `classes`."""
    best = max(logits[number] for number in classes)
    return int((logits > best).sum())


def _simplified(text: str) -> str:
    """Without the WordNet number that folders of ImageNet begin with, and with letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", _WORDNET_ID.sub("", text).lower())
