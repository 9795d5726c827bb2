"""`train --from BUNDLE`: the settings of an earlier run, taken from its bundle, for a run that repeats it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.bundle import Bundle, BundleMetadata, read_bundle
from shared.publish import resolve
from trainer.differences import Differences, compare
from trainer.errors import ReplayWeightsMissing, WeightsMissing
from trainer.samples import Sample
from trainer.settings import TrainSettings
from trainer.split_file import read_labels_by_digest


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

        Also the number of threads is taken over: with another one, the last bits may differ.
        """
        metadata = self.bundle.metadata
        recorded = {name: value for name, value in metadata.settings.items() if name in TrainSettings.model_fields}
        mine = {TrainSettings.model_fields[name].alias or name: getattr(given, name) for name in given.model_fields_set}
        if given.weights is None:
            recorded["backbone"] = metadata.backbone.name
        return TrainSettings.model_validate(recorded | {"name": metadata.name} | mine)

    def require_weights(self, sha256: str) -> None:
        """The weights that were found without being named are those of the earlier run.

        Raises:
            ReplayWeightsMissing: they are not.
        """
        if sha256 != self.bundle.metadata.backbone.weights_sha256:
            raise self.weights_missing(f"those that were found have {sha256}.")

    def weights_missing(self, found: WeightsMissing | str) -> ReplayWeightsMissing:
        """The error that says which file is wanted."""
        backbone = self.bundle.metadata.backbone
        return ReplayWeightsMissing(
            self.bundle.path,
            backbone=backbone.name,
            source=backbone.weights,
            sha256=backbone.weights_sha256,
            found=found,
        )


def read_earlier(path: Path) -> Earlier:
    """Read the bundle of a run that is to be repeated.

    Raises:
        BundleError: it is not there, damaged, or of another schema.
    """
    bundle = read_bundle(resolve(path))
    return Earlier(bundle, read_labels_by_digest(bundle.path))
