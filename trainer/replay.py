"""`train --from BUNDLE`: the settings of an earlier run, taken from its bundle, for a run that repeats it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared.bundle import Bundle, BundleMetadata, read_bundle
from shared.complaints import expectation
from shared.publish import resolve
from trainer.backbones import BackboneEntry, Weights, choose_backbone, find_weights
from trainer.differences import Differences, compare
from trainer.errors.backbones import WeightsMissing
from trainer.errors.training import ReplayRefused, ReplayWeightsMissing
from trainer.feature_settings import chooses_cost
from trainer.gates import GATES
from trainer.named_test import NAMED_TEST, fold_shares
from trainer.samples import Sample
from trainer.settings import TrainSettings
from trainer.sgd_settings import without_idle
from trainer.split_file import read_labels_by_digest
from trainer.weights import PUBLISHED


@dataclass(frozen=True)
class Earlier:
    """The run that is repeated.

    Attributes:
        bundle: what it published.
        labels: of each picture that it used, by digest.
    """

    bundle: Bundle
    labels: dict[str, str]

    @property
    def backbone(self) -> str:
        """The name of its backbone."""
        return self.bundle.metadata.backbone.name

    def compare(self, after: Bundle, made: BundleMetadata, samples: Sequence[Sample]) -> Differences:
        """What differs in the run that repeated it; see `differences.compare`."""
        return compare(self.bundle, self.labels, after, made, samples)

    def settings(self, given: TrainSettings) -> TrainSettings:
        """Its settings, name and backbone; what was given by flag, variable or file goes before.

        Also the number of threads is taken over: with another one, the last bits may differ. Gates are not, which
        earlier trainers recorded: what is current has changed since.

        Raises:
            ReplayRefused: they do not go together.
        """
        metadata = self.bundle.metadata
        known = TrainSettings.model_fields.keys() - GATES
        recorded = {name: value for name, value in metadata.settings.items() if name in known}
        recorded |= self._shares(given)
        mine = {TrainSettings.model_fields[name].alias or name: getattr(given, name) for name in given.model_fields_set}
        if given.weights is None:
            recorded["backbone"] = metadata.backbone.name
        recorded = without_idle(recorded, recorded | mine)
        together = recorded | mine
        if not chooses_cost(together.get("image_size"), search=together.get("search")):
            recorded.pop("max_cost", None)
        try:
            merged = TrainSettings.model_validate(recorded | {"name": metadata.name} | mine)
            merged.check_together()
        except ValueError as error:
            detail = _in_words(error)
            raise ReplayRefused(
                self.bundle.path, detail, from_bundle=_named_in(detail, {**recorded, **dict.fromkeys(mine)})
            ) from error
        return merged

    def _shares(self, given: TrainSettings) -> dict[str, Any]:
        """Its shares of DATA, of which nothing is tested on where a test set is named.

        Raises:
            ReplayRefused: it had a test set of its own, and none is named.
        """
        if given.test is None and self.bundle.metadata.settings.get(NAMED_TEST):
            detail = "it was tested on a set of its own, and a bundle does not say where pictures lie; name it: --test"
            raise ReplayRefused(self.bundle.path, detail, from_bundle=())
        return {} if given.test is None else {"split": fold_shares(self.bundle.metadata.split.shares)}

    @property
    def reason(self) -> str:
        """Why its backbone is used again, a sentence."""
        return f"{self.backbone}, as in {self.bundle.path}; weights: {self.bundle.metadata.backbone.weights}."

    def find_weights(self, weights_url: str | None) -> tuple[BackboneEntry, Weights]:
        """Its backbone with its weights: embedded, cached, or published ones downloaded again.

        Raises:
            ReplayWeightsMissing: they cannot be had without being named, or are others by now.
        """
        entry, _ = choose_backbone(self.backbone, None)
        published = self.bundle.metadata.backbone.weights.startswith(PUBLISHED)
        try:
            weights = find_weights(entry, None, download=published, weights_url=weights_url)
        except WeightsMissing as error:
            raise self._weights_missing(
                str(error) if published else "a bundle does not say where files lie."
            ) from error
        if weights.sha256 != self.bundle.metadata.backbone.weights_sha256:
            raise self._weights_missing(f"those that were found have {weights.sha256}.")
        return entry, weights

    def _weights_missing(self, found: str) -> ReplayWeightsMissing:
        """The error that says which file is wanted."""
        backbone = self.bundle.metadata.backbone
        return ReplayWeightsMissing(
            self.bundle.path,
            backbone=backbone.name,
            source=backbone.weights,
            sha256=backbone.weights_sha256,
            found=found,
        )


def _in_words(error: ValueError) -> str:
    """Without pydantic's page about it."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    where = f"--{str(first['loc'][0]).replace('_', '-')}: " if first["loc"] else ""
    return where + expectation(first)


def _named_in(sentence: str, recorded: Mapping[str, Any]) -> list[str]:
    """Those recorded options whose flag a sentence names, as flags with their values."""
    named = [name.replace("-", "_") for name in re.findall(r"--([a-z0-9-]*[a-z0-9])", sentence)]
    return [
        f"--{name.replace('_', '-')} {recorded[name]}"
        for name in dict.fromkeys(named)
        if recorded.get(name) is not None
    ]


def read_earlier(path: Path) -> Earlier:
    """Read the bundle of a run that is to be repeated.

    Raises:
        BundleError: it is not there, damaged, or of another schema.
    """
    bundle = read_bundle(resolve(path))
    return Earlier(bundle, read_labels_by_digest(bundle.path))
