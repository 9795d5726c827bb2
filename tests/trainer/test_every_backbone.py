"""Every entry of the catalogue, with seeded random weights: built as torchvision builds it, cut where it should be, and
exported to a graph that gives what torch gives.

Torchvision builds its own from the same file, laid where it keeps downloads, so the two constructions are compared as a
whole: an option that its weights enum sets and ours does not (`transform_input`) shows in the numbers.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import onnx
import pytest
import torch
from torch import Tensor, nn

from shared.files import sha256_of_file
from shared.onnx_file import refuse_unsafe_model
from shared.session import open_session
from tests.trainer.random_weights import put_into_cache, random_state, whole_network
from trainer.backbones import build_backbone, build_classifier
from trainer.catalogue import NANO, BackboneEntry, backbone_names, get_entry
from trainer.chosen_module import WithTaps
from trainer.export import export_backbone
from trainer.parity import probe_images, prove_parity, relative_differences
from trainer.weights import Weights

QUICK = ("squeezenet1_1", "resnet18")
ALL = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in backbone_names() if name != NANO]


@dataclass
class Subject:
    """One backbone under test; what is costly is made once."""

    entry: BackboneEntry
    weights: Weights

    @cached_property
    def backbone(self) -> nn.Module:
        return build_backbone(self.entry, self.weights)

    @cached_property
    def graph(self) -> bytes:
        return export_backbone(self.backbone, self.entry.spec)

    @cached_property
    def torchvisions_own(self) -> tuple[Tensor, Tensor]:
        """What the last layer of torchvision's own network reads, pooled, and the logits; the network is let go."""
        from torchvision.models import get_model, get_weight

        network = get_model(self.entry.name, weights=get_weight(self.entry.weights_name)).eval()
        read: list[Tensor] = []
        network.get_submodule(self.entry.last_layer).register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
        with torch.no_grad():
            logits = network(self.normalised)
        return read[0] if read[0].ndim == 2 else read[0].mean((2, 3)), logits

    @property
    def normalised(self) -> Tensor:
        """Two pictures as torchvision's preset hands them to the network."""
        from torchvision.models import get_weight

        pictures = torch.from_numpy(probe_images(self.entry.spec)[:2]).permute(0, 3, 1, 2)
        prepared: Tensor = get_weight(self.entry.weights_name).transforms(
            crop_size=self.entry.spec.height, resize_size=self.entry.spec.height
        )(pictures)
        return prepared


@contextlib.contextmanager
def one_torch_thread() -> Iterator[None]:
    """On a busy machine, threads that wait for each other by spinning triple the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=ALL)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    entry = get_entry(request.param)
    torch_home = tmp_path_factory.mktemp("torch")
    with pytest.MonkeyPatch.context() as environment, one_torch_thread():
        environment.setenv("TORCH_HOME", str(torch_home))
        file = put_into_cache(entry, torch_home, random_state(whole_network(entry.name)))
        yield Subject(entry, Weights(file, sha256_of_file(file), "random"))
    file.unlink()  # the largest has half a gigabyte


def test_the_classifier_is_torchvisions_own(subject: Subject) -> None:
    expected = subject.torchvisions_own[1].numpy()

    with torch.no_grad():
        found = build_classifier(subject.entry, subject.weights)(subject.normalised).numpy()

    assert found.shape == (2, 1000)
    assert relative_differences(expected, found).max() < 1e-5


def test_features_are_what_torchvisions_own_last_layer_reads(subject: Subject) -> None:
    expected = subject.torchvisions_own[0].numpy()

    with torch.no_grad():
        found = subject.backbone(subject.normalised).numpy()

    assert found.shape == (2, subject.entry.feature_size)
    assert relative_differences(expected, found).max() < 1e-5


def test_two_pictures_have_two_rows_of_features(subject: Subject) -> None:
    """Random weights that answer the same to every picture would prove nothing."""
    with torch.no_grad():
        features = subject.backbone(subject.normalised).numpy()

    assert relative_differences(features[:1], features[1:])[0] > 0.02


def test_the_graph_gives_what_torch_gives(subject: Subject) -> None:
    assert prove_parity(subject.backbone, subject.graph, subject.entry.spec) <= 1e-4


def test_the_graph_takes_any_number_of_pictures(subject: Subject) -> None:
    images = probe_images(subject.entry.spec)
    session = open_session(subject.graph, provider="cpu")

    (together,) = session.run(images, ["features"])
    (alone,) = session.run(images[2:], ["features"])

    assert together.shape == (3, subject.entry.feature_size)
    assert relative_differences(together[2:], alone)[0] < 1e-5


def test_the_graph_stands_on_its_own(subject: Subject) -> None:
    """Standard operators, nothing outside the file, and no trace of where it was made."""
    refuse_unsafe_model(subject.graph)
    onnx.checker.check_model(subject.graph, full_check=True)

    model = onnx.ModelProto.FromString(subject.graph)
    assert not {node.op_type for node in model.graph.node} & {"BatchNormalization", "Dropout", "Identity", "Constant"}
    del model.graph.initializer[:]
    assert not [word for word in ("site-packages", ".py", "torch", "/") if word in str(model)]


def test_the_middle_stage_follows_the_features_and_is_pooled(subject: Subject) -> None:
    """Its name stands in the catalogue as plain data; only a network can tell whether there are maps of that name."""
    entry = subject.entry
    if not entry.middle_stages:
        pytest.skip("it has none")
    network = build_backbone(entry, subject.weights)
    read: dict[str, Tensor] = {}
    for stage in entry.middle_stages:
        network.get_submodule(stage).register_forward_hook(partial(_remember, read, stage))
    with torch.no_grad():
        plain = network(subject.normalised)
        found = WithTaps(network, entry.middle_stages, name=entry.name)(subject.normalised)

    expected = torch.cat([plain, *(read[stage].mean((2, 3)) for stage in entry.middle_stages)], dim=1)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)
    sizes = [max(read[stage].shape[2:]) for stage in entry.middle_stages]
    assert all(entry.spec.height / 33 <= size <= entry.spec.height / 6 for size in sizes)


def test_a_size_that_the_catalogue_allows_is_one_that_the_network_takes(subject: Subject) -> None:
    """Also the smallest one; what it refuses, it could not take."""
    sizes = subject.entry.sizes
    if sizes.fixed:
        with torch.no_grad(), pytest.raises(AssertionError, match="height"):
            subject.backbone(torch.zeros(1, 3, 256, 256))
        return
    with torch.no_grad():
        features = subject.backbone(torch.zeros(2, 3, sizes.smallest, sizes.smallest))

    assert features.shape == (2, subject.entry.feature_size)


def _remember(read: dict[str, Tensor], stage: str, _module: nn.Module, _inputs: object, output: Tensor) -> None:
    read[stage] = output
