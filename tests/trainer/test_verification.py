"""Real weights with their own classifier on real pictures: the only check that sees wrong preprocessing."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from trainer.backbones import choose_backbone, find_weights
from trainer.catalogue import get_entry
from trainer.errors import BadData, UsageError
from trainer.errors.backbones import NoClassesFound
from trainer.manifest import Manifest, Sample
from trainer.verification import classes_of, index_classes, rank_of, verify_backbone
from trainer.weights import Weights

CLASSES = index_classes(["tench", "cock", "red-backed sandpiper", "crane", "bird", "crane"])
NO_WEIGHTS = Weights(Path("none"), 64 * "0", "none")


def sample(label: str, name: str = "0001.jpg", path: Path = Path("nowhere.jpg"), digest: str = "") -> Sample:
    return Sample(str(path), name=name, label=label, digest=digest, split=None)


def manifest_of(*samples: Sample) -> Manifest:
    return Manifest(samples=samples, labels=("n",), passed_over=(), missing=(), labels_from="a test")


@pytest.mark.parametrize(
    ("label", "name", "means"),
    [
        ("tench", "a/0001.jpg", {0}),
        ("Red_Backed Sandpiper", "0001.jpg", {2}),
        ("n02027492_red-backed_sandpiper", "0001.jpg", {2}),
        ("n02027492-red-backed-sandpiper", "0001.jpg", {2}),
        ("1", "0001.jpg", {1}),
        ("n", "n02027492_red-backed_sandpiper.JPEG", {2}),
        ("crane", "0001.jpg", {3, 5}),
        ("unicorn", "0001.jpg", set()),
    ],
)
def test_a_label_or_file_name_tells_the_class(label: str, name: str, means: set[int]) -> None:
    assert classes_of(sample(label, name), CLASSES) == means


def test_the_rank_counts_the_classes_that_the_network_prefers() -> None:
    logits = np.array([0.1, 5.0, 3.0, -1.0, 2.0, 4.0], np.float32)

    assert rank_of(frozenset({1}), logits) == 0
    assert rank_of(frozenset({4}), logits) == 3
    assert rank_of(frozenset({3, 5}), logits) == 1


def test_pictures_that_name_no_class_are_an_error_that_says_what_is_expected() -> None:
    with pytest.raises(NoClassesFound, match="n01440764_tench"):
        verify_backbone(get_entry("resnet18"), NO_WEIGHTS, manifest_of(sample("unicorn")))


def test_nano_cannot_be_verified_this_way() -> None:
    with pytest.raises(UsageError, match="without a classifier"):
        verify_backbone(get_entry("nano"), NO_WEIGHTS, manifest_of(sample("tench")))


def test_a_folder_of_unreadable_pictures_is_an_error() -> None:
    with pytest.raises(BadData, match=r"0001\.jpg: cannot be read"):
        verify_backbone(get_entry("resnet18"), NO_WEIGHTS, manifest_of(sample("tench")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "least_top_1", "least_top_5"),
    [("mobilenet_v2_qnnpack_dequantized-32413124.pth", 0.78, 0.92), ("squeezenet1_1_caffe-974bb803.pth", 0.5, 0.75)],
)
def test_real_weights_recognise_real_pictures(
    file: str, least_top_1: float, least_top_5: float, shared_data: Path
) -> None:
    """Every twentieth class of ImageNet, one picture each; over all thousand these weights reach 0.838 and 0.610."""
    pictures = sorted((shared_data / "datasets" / "imagenet-samples").iterdir())
    samples = [sample("n", path.name, path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in pictures]
    entry, _ = choose_backbone(None, shared_data / "weights" / file)
    weights = find_weights(entry, shared_data / "weights" / file, download=False)

    found = verify_backbone(entry, weights, manifest_of(*samples, sample("unicorn")), threads=2)

    assert (found["n"], found["unmatched"], found["unreadable"]) == (50, ["0001.jpg"], [])
    assert found["top_1"] >= least_top_1
    assert found["top_5"] >= least_top_5
    assert found["weights_sha256"].startswith(file[-12:-4])
