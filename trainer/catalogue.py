"""The backbones to choose from, as plain data: nothing heavy is imported to list them.

Sizes, preprocessing and file names are those of torchvision's weights; a test compares them with torchvision itself.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from shared.preprocess import Interpolation, PreprocessSpec
from trainer.errors.backbones import UnknownBackbone

NANO = "nano"
NANO_LICENCE = "weights made from ImageNet-trained ones; research terms may apply, see nano.card.md of Finial"
PREFERRED = "mobilenet_v2"

UNKNOWN_LICENCE = "unknown: that of the weights file"


@dataclass(frozen=True)
class Sizes:
    """The sides of square pictures, in px, that a backbone can take: multiples of `step` from `smallest` on.

    Attributes:
        smallest: of them.
        step: 1 where any will do.
        fixed: whether there is no other than that of the weights.
    """

    smallest: int = 32
    step: int = 1
    fixed: bool = False


@dataclass(frozen=True)
class BackboneEntry:
    """One backbone with one set of weights.

    Attributes:
        name: torchvision's name of the architecture, or "nano".
        feature_size: D, the length of its penultimate features.
        spec: the preprocessing that belongs to the weights.
        weights_name: the weights enum, e.g. "MobileNet_V2_Weights.IMAGENET1K_V1"; a file's name; or "embedded".
        licence: under which terms the weights may be used, as far as it is known.
        note: what it is good for, in a few words.
        weights_file: name of the published file, ending in the first 8 hex digits of its SHA-256; "" if there is none.
        last_layer: dotted name of the module whose input is the penultimate features; features are pooled before it
            where they are still maps.
        weights_sha256: of the embedded file, 64 hex digits; "" for published ones, whose name ends in its beginning.
        middle_stages: dotted names of the modules whose pooled maps tell of smaller things than the penultimate
            features do, from the first to the last; empty where there is none to be read.
        sizes: of the pictures that it can take.
    """

    name: str
    feature_size: int
    spec: PreprocessSpec
    weights_name: str
    licence: str
    note: str
    weights_file: str = ""
    last_layer: str = ""
    weights_sha256: str = ""
    middle_stages: tuple[str, ...] = ()
    sizes: Sizes = Sizes()


def backbone_names() -> list[str]:
    """Every name that `get_entry` knows, small networks first."""
    return list(_CATALOGUE)


def get_entry(name: str) -> BackboneEntry:
    """The entry of a backbone with its usual weights.

    Raises:
        UnknownBackbone: no such name; the message lists the choices.
    """
    return get_variants(name)[0]


def get_variants(name: str) -> tuple[BackboneEntry, ...]:
    """The entry of a backbone with each of its published weights, the usual ones first.

    Raises:
        UnknownBackbone: no such name; the message lists the choices.
    """
    if name not in _CATALOGUE:
        raise UnknownBackbone(name, choices=backbone_names())
    return _CATALOGUE[name]


def entry_of_file(name: str, *, file_name: str, sha256: str) -> BackboneEntry:
    """The entry of a backbone with the weights of a local file.

    A file that torchvision published is known by its content, and brings the preprocessing of its weights enum; any
    other gets the backbone's usual preprocessing.

    Raises:
        UnknownBackbone: no such name; the message lists the choices.
    """
    for variant in get_variants(name):
        published_digits = variant.weights_file.rpartition("-")[2].removesuffix(".pth")
        if published_digits and sha256.startswith(published_digits):
            return variant
    return replace(get_entry(name), weights_name=file_name, licence=UNKNOWN_LICENCE)


def _entry(
    name: str,
    weights: str,
    file: str,
    *,
    size: int = 224,
    resize: int = 256,
    interpolation: Interpolation = "bilinear",
    licence: str = "BSD-3-Clause (torchvision); trained on ImageNet-1k, whose pictures are for research",
    sha256: str = "",
) -> BackboneEntry:
    architecture = _ARCHITECTURES[name]
    return BackboneEntry(
        name=name,
        feature_size=architecture.feature_size,
        spec=PreprocessSpec(height=size, width=size, resize=resize, interpolation=interpolation),
        weights_name=weights,
        licence=licence,
        note=architecture.note,
        weights_file=file,
        last_layer=architecture.last_layer,
        weights_sha256=sha256,
        middle_stages=architecture.middle_stages,
        sizes=architecture.sizes,
    )


class _Architecture(NamedTuple):
    feature_size: int
    last_layer: str
    note: str
    middle_stages: tuple[str, ...] = ()
    sizes: Sizes = Sizes()


# The middle stage is the last one whose maps have a sixteenth of the picture's side; for mobilenet_v2, where it was
# measured, the last blocks belong to it as well (decision 0018). Nano's features hold its own already; what is in the
# middle of a vision transformer are no maps.
_ARCHITECTURES = {
    NANO: _Architecture(416, "", "comes with Finial and needs no download; fast, for small tasks"),
    "squeezenet1_1": _Architecture(512, "classifier", "few parameters; the weakest features", ("features.7",)),
    "mobilenet_v3_small": _Architecture(1024, "classifier.3", "the fastest with good features", ("features.8",)),
    "mobilenet_v2": _Architecture(
        1280,
        "classifier.1",
        "the default once its weights are there: good features at little cost",
        ("features.13", "features.16", "features.17"),
    ),
    "mobilenet_v3_large": _Architecture(
        1280, "classifier.3", "better features at the cost of mobilenet_v2", ("features.12",)
    ),
    "efficientnet_b0": _Architecture(
        1280, "classifier.1", "better features at twice the cost of mobilenet_v2", ("features.5",)
    ),
    "resnet18": _Architecture(512, "fc", "the plain classic, small", ("layer3",)),
    "googlenet": _Architecture(1024, "fc", "Inception v1; for comparison with older work", ("inception4e",)),
    "resnet50": _Architecture(2048, "fc", "the plain classic, and the yardstick", ("layer3",)),
    "resnet101": _Architecture(2048, "fc", "resnet50, deeper; twice its cost", ("layer3",)),
    "inception_v3": _Architecture(2048, "fc", "larger pictures (299 px)", ("Mixed_6e",), Sizes(smallest=75)),
    "convnext_tiny": _Architecture(768, "classifier.2", "strong features; as heavy as resnet50", ("features.5",)),
    "vit_b_16": _Architecture(
        768, "heads.head", "a vision transformer; heavy on a CPU", (), Sizes(smallest=224, fixed=True)
    ),
    "vgg16": _Architecture(  # it pools to 7 x 7, which the graph can only do evenly
        4096,
        "classifier.6",
        "half a gigabyte of weights; for comparison with older work",
        ("features.23",),
        Sizes(smallest=224, step=224),
    ),
}

# Where torchvision has two sets of weights, the older recipe comes first: the newer ones gain their accuracy on
# ImageNet with label smoothing and mixed pictures, which makes penultimate features worse for a linear probe.
# Source: Kornblith et al. 2021, "Why Do Better Loss Functions Lead to Less Transferable Features?"
_ENTRIES = (
    _entry(
        NANO,
        "embedded",
        "",
        size=128,
        resize=128,
        licence=NANO_LICENCE,
        sha256="72cf3f97397a6df837e2f8621199cdc5abea307a9f7f9c3fb4ef8e5d63fb7c38",
    ),
    _entry("squeezenet1_1", "SqueezeNet1_1_Weights.IMAGENET1K_V1", "squeezenet1_1-b8a52dc0.pth"),
    _entry("mobilenet_v3_small", "MobileNet_V3_Small_Weights.IMAGENET1K_V1", "mobilenet_v3_small-047dcff4.pth"),
    _entry("mobilenet_v2", "MobileNet_V2_Weights.IMAGENET1K_V1", "mobilenet_v2-b0353104.pth"),
    _entry("mobilenet_v2", "MobileNet_V2_Weights.IMAGENET1K_V2", "mobilenet_v2-7ebf99e0.pth", resize=232),
    _entry("mobilenet_v3_large", "MobileNet_V3_Large_Weights.IMAGENET1K_V1", "mobilenet_v3_large-8738ca79.pth"),
    _entry(
        "mobilenet_v3_large", "MobileNet_V3_Large_Weights.IMAGENET1K_V2", "mobilenet_v3_large-5c1a4163.pth", resize=232
    ),
    _entry(
        "efficientnet_b0",
        "EfficientNet_B0_Weights.IMAGENET1K_V1",
        "efficientnet_b0_rwightman-7f5810bc.pth",
        interpolation="bicubic",
    ),
    _entry("resnet18", "ResNet18_Weights.IMAGENET1K_V1", "resnet18-f37072fd.pth"),
    _entry("googlenet", "GoogLeNet_Weights.IMAGENET1K_V1", "googlenet-1378be20.pth"),
    _entry("resnet50", "ResNet50_Weights.IMAGENET1K_V1", "resnet50-0676ba61.pth"),
    _entry("resnet50", "ResNet50_Weights.IMAGENET1K_V2", "resnet50-11ad3fa6.pth", resize=232),
    _entry("resnet101", "ResNet101_Weights.IMAGENET1K_V1", "resnet101-63fe2227.pth"),
    _entry("resnet101", "ResNet101_Weights.IMAGENET1K_V2", "resnet101-cd907fc2.pth", resize=232),
    _entry(
        "inception_v3", "Inception_V3_Weights.IMAGENET1K_V1", "inception_v3_google-0cc3c7bd.pth", size=299, resize=342
    ),
    _entry("convnext_tiny", "ConvNeXt_Tiny_Weights.IMAGENET1K_V1", "convnext_tiny-983f1562.pth", resize=236),
    _entry("vit_b_16", "ViT_B_16_Weights.IMAGENET1K_V1", "vit_b_16-c867db91.pth"),
    _entry(
        "vit_b_16",
        "ViT_B_16_Weights.IMAGENET1K_SWAG_LINEAR_V1",
        "vit_b_16_lc_swag-4e70ced5.pth",
        resize=224,
        interpolation="bicubic",
        licence="CC-BY-NC-4.0 (SWAG): not for commercial use",
    ),
    _entry("vgg16", "VGG16_Weights.IMAGENET1K_V1", "vgg16-397923af.pth"),
)

_CATALOGUE = {name: tuple(entry for entry in _ENTRIES if entry.name == name) for name in _ARCHITECTURES}
