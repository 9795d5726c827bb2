"""Which backbone is taken, and what is said when weights do not fit. Every entry's features: test_every_backbone."""

from pathlib import Path

import pytest
import torch

from tests.trainer.random_weights import put_into_cache, random_state, save_with_hash, whole_network
from trainer.backbones import build_backbone, build_classifier, choose_backbone, class_names, find_weights
from trainer.catalogue import UNKNOWN_LICENCE, get_entry, get_variants
from trainer.errors import UsageError
from trainer.errors.backbones import (
    BackboneNotRecognised,
    UnknownBackbone,
    WeightsDamaged,
    WeightsDoNotFit,
    WeightsMissing,
)


@pytest.fixture(autouse=True)
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch"


@pytest.fixture(scope="module")
def squeezenet_state() -> dict[str, torch.Tensor]:
    return random_state(whole_network("squeezenet1_1"))


def test_with_nothing_named_and_nothing_cached_it_is_the_embedded_one() -> None:
    entry, reason = choose_backbone(None, None)

    assert entry.name == "nano"
    assert "no weights of mobilenet_v2 are cached" in reason


def test_cached_weights_of_the_preferred_backbone_are_taken(torch_home: Path) -> None:
    put_into_cache(get_entry("mobilenet_v2"), torch_home, {})

    entry, reason = choose_backbone(None, None)

    assert entry == get_entry("mobilenet_v2")
    assert "cached" in reason


@pytest.mark.parametrize("name", [None, "mobilenet_v2"])
def test_whichever_published_weights_are_cached_bring_their_own_preprocessing(
    name: str | None, torch_home: Path
) -> None:
    newer = get_variants("mobilenet_v2")[1]
    put_into_cache(newer, torch_home, {})

    entry, _ = choose_backbone(name, None)

    assert entry == newer
    assert entry.spec.resize == 232


def test_a_named_backbone_is_taken_as_named() -> None:
    assert choose_backbone("resnet50", None) == (
        get_entry("resnet50"),
        "resnet50, because it was named; weights: ResNet50_Weights.IMAGENET1K_V1.",
    )


def test_nano_cannot_be_named_and_ruled_out() -> None:
    with pytest.raises(UsageError, match="leave out --backbone nano or --no-nano"):
        choose_backbone("nano", None, no_nano=True)


def test_without_nano_nothing_is_left_to_fall_back_to() -> None:
    with pytest.raises(WeightsMissing, match="mobilenet_v2-b0353104"):
        choose_backbone(None, None, no_nano=True)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UnknownBackbone):
        choose_backbone("resnet5", None)


@pytest.mark.parametrize(
    ("file", "architecture"),
    [
        ("mobilenet_v2_qnnpack_dequantized.pth", "mobilenet_v2"),
        ("mobilenet_v3_large-own.pth", "mobilenet_v3_large"),
        ("resnet101.safetensors", "resnet101"),
    ],
)
def test_a_weights_file_tells_its_architecture_by_its_name(file: str, architecture: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(b"never opened here")

    entry, reason = choose_backbone(None, tmp_path / file)

    assert (entry.name, entry.weights_name, entry.licence) == (architecture, file, UNKNOWN_LICENCE)
    assert file in reason


def test_a_weights_file_of_any_name_tells_its_architecture_by_what_it_holds(
    squeezenet_state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save(squeezenet_state, tmp_path / "best.pth")

    entry, reason = choose_backbone(None, tmp_path / "best.pth")

    assert entry.name == "squeezenet1_1"
    assert "best.pth fits it" in reason


def test_a_weights_file_that_fits_nothing_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1)}, tmp_path / "best.pth")

    with pytest.raises(BackboneNotRecognised, match=r"best\.pth"):
        choose_backbone(None, tmp_path / "best.pth")


def test_weights_cannot_be_given_to_nano(tmp_path: Path) -> None:
    entry, _ = choose_backbone("nano", tmp_path / "own.pth")

    with pytest.raises(UsageError, match="leave out --weights"):
        find_weights(entry, tmp_path / "own.pth", download=False)


def test_weights_of_another_backbone_are_refused_and_recognised(
    squeezenet_state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = save_with_hash(tmp_path, "best", squeezenet_state)
    entry, _ = choose_backbone("resnet18", path)

    with pytest.raises(WeightsDoNotFit) as caught:
        build_backbone(entry, find_weights(entry, path, download=False))

    told = str(caught.value)
    assert "lacks conv1.weight" in told and "has features.0.weight" in told
    assert "use --backbone squeezenet1_1" in told


def test_one_tensor_of_another_shape_is_named_with_both_shapes(
    squeezenet_state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    """A network fine-tuned to two classes has another last layer; loading it must not look like success."""
    path = save_with_hash(tmp_path, "best", squeezenet_state | {"classifier.1.bias": torch.zeros(2)})
    entry, _ = choose_backbone("squeezenet1_1", path)

    with pytest.raises(WeightsDoNotFit, match=r"classifier.1.bias is float32 \(2,\), expected float32 \(1000,\)"):
        build_backbone(entry, find_weights(entry, path, download=False))


def test_a_file_that_changed_since_it_was_found_is_not_loaded(
    squeezenet_state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save(squeezenet_state, tmp_path / "squeezenet1_1.pth")
    entry, _ = choose_backbone(None, tmp_path / "squeezenet1_1.pth")
    weights = find_weights(entry, tmp_path / "squeezenet1_1.pth", download=False)
    torch.save({}, tmp_path / "squeezenet1_1.pth")

    with pytest.raises(WeightsDamaged):
        build_backbone(entry, weights)


def test_old_files_without_batch_counters_are_taken(tmp_path: Path) -> None:
    state = random_state(whole_network("resnet18"))
    old = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "resnet18.pth")
    entry, _ = choose_backbone(None, tmp_path / "resnet18.pth")

    module = build_backbone(entry, find_weights(entry, tmp_path / "resnet18.pth", download=False))

    assert module(torch.zeros(1, 3, 64, 64)).shape == (1, 512)


def test_a_backbone_is_frozen() -> None:
    entry = get_entry("nano")

    module = build_backbone(entry, find_weights(entry, None, download=False))

    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_nano_gives_as_many_features_as_its_entry_says() -> None:
    entry = get_entry("nano")
    module = build_backbone(entry, find_weights(entry, None, download=False))

    features = module(torch.zeros(2, 3, entry.spec.height, entry.spec.width))

    assert features.shape == (2, entry.feature_size)
    with pytest.raises(ValueError, match="without a classifier"):
        build_classifier(entry, find_weights(entry, None, download=False))


def test_classes_are_named_in_imagenets_order() -> None:
    names = class_names(get_entry("resnet18"))

    assert (len(names), names[0], names[999]) == (1000, "tench", "toilet tissue")
