"""The catalogue is plain data, and that data is torchvision's."""

import subprocess
import sys

import pytest

from trainer.catalogue import (
    NANO,
    UNKNOWN_LICENCE,
    BackboneEntry,
    backbone_names,
    entry_of_file,
    get_entry,
    get_variants,
)
from trainer.errors.backbones import UnknownBackbone
from trainer.weights import PUBLISHED_AT

PUBLISHED = [variant for name in backbone_names() if name != NANO for variant in get_variants(name)]


def test_every_backbone_that_was_promised_is_there() -> None:
    promised = {
        "mobilenet_v2",
        "mobilenet_v3_small",
        "mobilenet_v3_large",
        "resnet18",
        "resnet50",
        "resnet101",
        "vgg16",
    }
    promised |= {"inception_v3", "googlenet", "efficientnet_b0", "squeezenet1_1", "convnext_tiny", "vit_b_16", "nano"}

    assert promised <= set(backbone_names())


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(UnknownBackbone, match=r"resnet5'.*mobilenet_v2.*resnet50"):
        get_entry("resnet5")


def test_listing_loads_nothing_heavy() -> None:
    program = (
        "import sys, trainer.catalogue, trainer.backbones; print({'torch', 'torchvision', 'onnx'} & set(sys.modules))"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "set()"


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.weights_name)
def test_preprocessing_and_files_are_those_of_torchvisions_weights(entry: BackboneEntry) -> None:
    """The numbers are typed twice, here and there; a difference would cost accuracy without any error."""
    from torchvision.models import get_weight

    weights = get_weight(entry.weights_name)
    preset = weights.transforms()

    assert weights in type(weights) and entry.name in weights.url.replace("_google", "")
    assert weights.url == f"{PUBLISHED_AT}/{entry.weights_file}"
    assert [entry.spec.height, entry.spec.width] == preset.crop_size * 2
    assert [entry.spec.resize] == preset.resize_size
    assert (list(entry.spec.mean), list(entry.spec.std)) == (preset.mean, preset.std)
    assert entry.spec.interpolation == preset.interpolation.value


@pytest.mark.parametrize("name", [name for name in backbone_names() if name != NANO])
def test_the_usual_weights_belong_to_the_architecture(name: str) -> None:
    from torchvision.models import get_model_weights

    assert get_entry(name).weights_name in {str(weights) for weights in get_model_weights(name)}


def test_nanos_entry_is_what_nano_says_of_itself() -> None:
    from trainer.nano import NANO_FEATURE_SIZE, NANO_RESIZE, NANO_SIZE

    entry = get_entry(NANO)

    assert (entry.feature_size, entry.spec.height, entry.spec.width) == (NANO_FEATURE_SIZE, NANO_SIZE, NANO_SIZE)
    assert entry.spec.resize == NANO_RESIZE


def test_a_published_file_is_known_by_its_content_and_brings_its_own_preprocessing() -> None:
    """Versions 1 and 2 of MobileNetV2 differ in their resize; a renamed copy is still what it is."""
    entry = entry_of_file("mobilenet_v2", file_name="renamed.pth", sha256="7ebf99e0" + 56 * "0")

    assert (entry.weights_name, entry.spec.resize) == ("MobileNet_V2_Weights.IMAGENET1K_V2", 232)


def test_any_other_file_gets_the_usual_preprocessing_and_no_invented_licence() -> None:
    entry = entry_of_file("mobilenet_v2", file_name="own.pth", sha256=64 * "a")

    assert entry.spec == get_entry("mobilenet_v2").spec
    assert (entry.weights_name, entry.licence) == ("own.pth", UNKNOWN_LICENCE)


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.weights_name)
def test_no_size_below_torchvisions_smallest_is_allowed(entry: BackboneEntry) -> None:
    from torchvision.models import get_weight

    assert entry.sizes.smallest >= max(get_weight(entry.weights_name).meta["min_size"])
    assert entry.sizes.fixed or entry.spec.height % entry.sizes.step == 0


def test_only_nano_and_the_transformer_have_no_middle_stage() -> None:
    assert {name for name in backbone_names() if not get_entry(name).middle_stages} == {NANO, "vit_b_16"}


def test_a_pair_is_told_to_be_for_comparing_only() -> None:
    """`compare` shows pairs, so somebody will try to train one."""
    with pytest.raises(UnknownBackbone, match=r"'mobilenet_v2\+nano'.* Two side by side can be compared"):
        get_entry("mobilenet_v2+nano")
