"""A backbone of a run whose graph is given: no weights, no torch, no export."""

from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto

from shared.preprocess import PreprocessSpec
from tests.trainer.conv_graph import CONV_SPEC
from trainer.canonical import canonical
from trainer.catalogue import BackboneEntry
from trainer.progress import Progress
from trainer.recipe import FeatureChoice
from trainer.run_backbone import RunBackbone
from trainer.weights import Weights


@dataclass(frozen=True)
class GivenGraph(RunBackbone):
    """Gives the same graph for every choice."""

    def graph_of(self, choice: FeatureChoice, cache_dir: Path, progress: Progress) -> bytes:
        return self.graph

    def find_graph(self, choice: FeatureChoice, cache_dir: Path) -> bytes | None:
        return self.graph


def given_backbone(name: str, graph: bytes, size: int, *, spec: PreprocessSpec = CONV_SPEC) -> RunBackbone:
    """A backbone of that name whose features, `size` of them, are those of a graph."""
    entry = BackboneEntry(name, size, spec, "given", "none", "")
    weights = Weights(Path("given"), "0" * 64, "given")
    return GivenGraph(entry, weights, "given", FeatureChoice(spec), canonical(ModelProto.FromString(graph)))
