"""Tapped stages follow the penultimate features, both sides of a picture are averaged: in torch and in the graph."""

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from shared.preprocess import PreprocessSpec
from tests.trainer.random_weights import random_state, save_with_hash, whole_network
from trainer.backbones import BackboneEntry, Weights, build_backbone, choose_backbone, find_weights, get_entry
from trainer.catalogue import NANO
from trainer.chosen_module import OfBothSides, WithTaps, build_chosen
from trainer.engines import OnnxEngine
from trainer.errors.features import TapUnusable
from trainer.export import export_backbone
from trainer.parity import probe_images, prove_parity
from trainer.tap_pooling import pool
from trainer.taps import worth_a_try

SPEC = PreprocessSpec(height=64, width=64, resize=64)
LARGER = PreprocessSpec(height=288, width=288, resize=288)


class Stages(nn.Module):
    """Two convolutions with their norms, a stage that gives no maps, and one that is never used."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, 2, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.second = nn.Conv2d(4, 5, 3, 2)
        self.flat = nn.Flatten()
        self.unused = nn.Conv2d(4, 5, 3)
        with torch.no_grad():
            self.first[1].running_mean += 0.3

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.second(self.first(images))
        return self.flat(maps.mean((2, 3)))


@pytest.fixture
def stages() -> nn.Module:
    return Stages().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def nano() -> tuple[BackboneEntry, Weights]:
    entry = get_entry(NANO)
    return entry, find_weights(entry, None, download=False)


def tapped(stages: nn.Module, *taps: str) -> WithTaps:
    return WithTaps(copy.deepcopy(stages), taps, name="stages")


def test_taps_follow_the_features_in_the_order_in_which_they_were_named(stages: nn.Module, pictures: Tensor) -> None:
    found = tapped(stages, "second", "first.0")(pictures)

    expected = [
        stages(pictures),
        stages.second(stages.first(pictures)).mean((2, 3)),  # type: ignore[operator]
        stages.first[0](pictures).mean((2, 3)),  # type: ignore[index]
    ]
    assert torch.allclose(found, torch.cat(expected, dim=1), atol=1e-6)


def test_one_stage_may_be_read_in_several_ways(stages: nn.Module, pictures: Tensor) -> None:
    found = tapped(stages, "second", "second:peaks", "second:quarters")(pictures)

    maps = stages.second(stages.first(pictures))  # type: ignore[operator]
    expected = [stages(pictures), maps.mean((2, 3)), pool(maps, "peaks"), pool(maps, "quarters")]
    assert torch.allclose(found, torch.cat(expected, dim=1), atol=1e-6)


@pytest.mark.slow
def test_the_graph_reads_a_stage_as_torch_does_even_where_a_norm_is_folded_into_it(stages: nn.Module) -> None:
    """A convolution that took over its norm would no longer give the maps that are tapped."""
    for taps in (("first.0",), ("first.1",), ("first.2", "second"), ("first.0:peaks", "second:quarters")):
        module = tapped(stages, *taps).eval()

        assert prove_parity(module, export_backbone(module, SPEC), SPEC) < 1e-5


def test_both_sides_are_averaged(stages: nn.Module, pictures: Tensor) -> None:
    found = OfBothSides(stages)(pictures)

    assert torch.allclose(found, (stages(pictures) + stages(pictures.flip(3))) / 2, atol=1e-6)
    assert torch.allclose(found, OfBothSides(stages)(pictures.flip(3)), atol=1e-6)


def test_several_threads_may_run_one_module(stages: nn.Module, pictures: Tensor) -> None:
    """The torch engine does; each thread must find its own picture's maps."""
    module = tapped(stages, "first")
    many = [pictures * scale for scale in np.linspace(0.1, 2, 64)]

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(module, many))

    assert all(torch.equal(one, module(images)) for one, images in zip(found, many, strict=True))


@pytest.mark.parametrize(
    ("tap", "why"),
    [
        ("third", "there is no such module in stages"),
        ("flat", r"of shape \(5,\), are no maps in stages"),
        ("unused", "this module computes nothing"),
        ("third:peaks", "there is no such module in stages"),
    ],
)
def test_a_stage_that_cannot_be_tapped_is_named_with_the_reason(
    stages: nn.Module, pictures: Tensor, tap: str, why: str
) -> None:
    with pytest.raises(TapUnusable, match=f"--taps {tap}: .*{why}.*--taps middle or none"):
        tapped(stages, tap)(pictures)


def test_what_is_no_maps_is_said_also_when_it_is_found_while_exporting(stages: nn.Module) -> None:
    with pytest.raises(TapUnusable, match="no maps"):
        export_backbone(tapped(stages, "flat").eval(), SPEC)


@pytest.mark.slow
@pytest.mark.parametrize(("taps", "mirror"), [((), True), (("blocks.9",), True)])
def test_a_chosen_graph_gives_what_torch_gives_and_holds_the_weights_once(
    nano: tuple[BackboneEntry, Weights], taps: tuple[str, ...], *, mirror: bool
) -> None:
    entry, _ = nano
    module = build_chosen(*nano, taps=taps, mirror=mirror)
    graph, plain = export_backbone(module, SPEC), export_backbone(build_backbone(*nano), SPEC)

    assert prove_parity(module, graph, SPEC) < 1e-5
    assert len(graph) < len(plain) + 10_000
    (features,) = onnx.ModelProto.FromString(graph).graph.output
    assert features.type.tensor_type.shape.dim[1].dim_value == entry.feature_size + 64 * len(taps)


@pytest.mark.slow
def test_the_first_columns_of_a_tapped_graph_are_the_features_of_fewer_taps_bit_for_bit(tmp_path: Path) -> None:
    """So a search featurises a picture once for all; here with the middle stage of the catalogue, at another size."""
    path = save_with_hash(tmp_path, "mobilenet_v2", random_state(whole_network("mobilenet_v2")))
    entry, _ = choose_backbone(None, path)
    weights = find_weights(entry, path, download=False)
    modules = [build_chosen(entry, weights, taps=taps, mirror=False) for taps in worth_a_try(entry.middle_stages)]
    graphs = [export_backbone(module, LARGER) for module in modules]

    *fewer, wide = (OnnxEngine(graph, provider="cpu").run(probe_images(LARGER)[:1]) for graph in graphs)

    assert [one.shape[1] for one in (*fewer, wide)] == [1280, 1280 + 2 * 576, 1280 + 6 * 576]
    assert all(np.array_equal(one, wide[:, : one.shape[1]]) for one in fewer)
    assert prove_parity(modules[-1], graphs[-1], LARGER) <= 1e-4
