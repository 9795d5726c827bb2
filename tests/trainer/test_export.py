"""Export: the same backbone gives the same bytes wherever it is made, and the folded copy leaves the original alone."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from shared.preprocess import PreprocessSpec
from tests.trainer.random_weights import random_state, save_with_hash, whole_network
from trainer.errors.features import ExportFailed
from trainer.export import export_backbone
from trainer.parity import prove_parity

ROOT = Path(__file__).parents[2]
SPEC = PreprocessSpec(height=32, width=40, resize=40, mean=(0.4, 0.5, 0.6), std=(0.1, 0.2, 0.3))


class Small(nn.Module):
    """A convolution, a batch norm after it and one that stands alone."""

    def __init__(self, pooled: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 5, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(5)
        self.activation = nn.ReLU()
        self.alone = nn.BatchNorm2d(5)
        self.pool = nn.AdaptiveAvgPool2d(pooled)
        self.load_state_dict(random_state(self))
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        return self.pool(self.alone(self.activation(self.norm(self.convolution(images))))).flatten(1)


def operators(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.ModelProto.FromString(graph).graph.node]


def test_normalisation_is_inside_and_height_may_differ_from_width() -> None:
    """Padding is of normalised zeros, so a normalisation folded the wrong way would show at the borders."""
    module = Small()

    assert prove_parity(module, export_backbone(module, SPEC), SPEC) < 1e-5


def test_a_batch_norm_becomes_part_of_the_convolution_before_it() -> None:
    module = Small()
    before = {name: value.clone() for name, value in module.state_dict().items()}

    found = operators(export_backbone(module, SPEC))

    assert found.count("Conv") == 1
    assert isinstance(module.norm, nn.BatchNorm2d)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize(("pooled", "operator"), [((1, 1), "GlobalAveragePool"), ((4, 8), "AveragePool")])
def test_adaptive_pooling_is_one_operator(pooled: tuple[int, int], operator: str) -> None:
    module = Small(pooled)

    graph = export_backbone(module, SPEC)

    assert operator in operators(graph)
    assert prove_parity(module, graph, SPEC) < 1e-5


def test_pooling_that_does_not_divide_evenly_is_refused() -> None:
    """VGG16 pools to 7 x 7; at some picture sizes that has no operator."""
    with pytest.raises(ExportFailed, match="32 x 40 cannot be pooled evenly to"):
        export_backbone(Small((7, 7)), SPEC)


def test_the_exporter_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    export_backbone(Small(), SPEC)

    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_exports_from_two_folders_and_hash_seeds_are_byte_equal_and_name_no_folder(tmp_path: Path) -> None:
    """The exporter writes stack traces with file paths, and sets whose order depends on the hash seed."""
    weights = save_with_hash(tmp_path, "mobilenet_v3_small", random_state(whole_network("mobilenet_v3_small")))
    program = (
        "import sys; from pathlib import Path\n"
        "from trainer.backbones import build_backbone, choose_backbone, find_weights\n"
        "from trainer.export import export_backbone\n"
        "entry, _ = choose_backbone(None, Path(sys.argv[1]))\n"
        "module = build_backbone(entry, find_weights(entry, Path(sys.argv[1]), download=False))\n"
        "Path('graph.onnx').write_bytes(export_backbone(module, entry.spec))"
    )
    graphs = []

    for hash_seed in ("0", "1"):
        folder = tmp_path / f"run-{hash_seed}"
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", program, str(weights)], cwd=folder, env=environment, check=True)
        graphs.append((folder / "graph.onnx").read_bytes())

    assert hashlib.sha256(graphs[0]).digest() == hashlib.sha256(graphs[1]).digest()
    assert str(tmp_path).encode() not in graphs[0]
    assert str(ROOT).encode() not in graphs[0] and b"site-packages" not in graphs[0]
