"""Evidence that does not belong to its model is refused when the bundle is loaded, never shown."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.bundle import FEATURES, LOGITS, Bundle, EvidenceInfo
from shared.errors import BundleInvalid, FinialError, GoldenMismatch
from shared.evidence import check_evidence, heat_of, read_evidence
from shared.golden import Golden, check_golden
from tests.shared.models import LABELS, some_images
from tests.shared.test_golden import bundle_with

K, C = len(LABELS), 3
INFO = EvidenceInfo(outputs=("maps",), file="evidence.npy")


def to_npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def centred(seed: int = 0) -> NDArray[np.float32]:
    weights = np.random.default_rng(seed).normal(size=(K, C + 1))
    return (weights - weights.mean(0)).astype(np.float32)


def bundle_of(folder: Path, content: bytes | None, info: EvidenceInfo | None = INFO) -> Bundle:
    if content is not None:
        (folder / "evidence.npy").write_bytes(content)
    golden = Golden(some_images(1), np.full((1, K), 1 / 3, np.float32))
    return bundle_with(folder, golden, evidence=info)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    weights = centred()

    evidence = read_evidence(bundle_of(tmp_path, to_npy(weights)))

    assert evidence is not None
    assert evidence.outputs == ("maps",)
    assert np.array_equal(evidence.weights, weights)


def test_a_bundle_without_evidence_says_so(tmp_path: Path) -> None:
    assert read_evidence(bundle_of(tmp_path, None, None)) is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "not among the files"),
        (b"", "not an array"),
        (b"\x93NUMPY\x01\x00\xff\xff", "not an array"),
        (b"no array at all", "not an array"),
        (to_npy(centred().astype(np.float64)), "float64"),
        (to_npy(centred()[:, :-1]), r"\(3, 3\), expected float32 \(3, 4\)"),
        (to_npy(centred()[:2]), r"\(2, 4\)"),
        (to_npy(np.asfortranarray(centred())), "expected float32"),
        (to_npy(np.array([{"a": 1}]), allow_pickle=True), "object"),
        (to_npy(centred())[:-4], "bytes of values"),
        (to_npy(centred()) + b"more", "bytes of values"),
        (to_npy(centred() * np.float32(np.inf)), "not numbers"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_words(tmp_path: Path, content: bytes | None, told: str) -> None:
    bundle = bundle_of(tmp_path, content)

    with pytest.raises(BundleInvalid, match=told):
        read_evidence(bundle)


def test_a_header_that_promises_more_than_there_is_costs_no_memory(tmp_path: Path) -> None:
    content = to_npy(centred()).replace(b"(3, 4), }", b"(3, 4000000000000), }")

    with pytest.raises(BundleInvalid, match="4000000000000"):
        read_evidence(bundle_of(tmp_path, content))


def consistent(weights: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """What a graph gives whose head is these weights."""
    maps = np.random.default_rng(1).uniform(0, 5, (C, 4, 4)).astype(np.float32)
    features = maps.mean((1, 2))
    return {"maps": maps, FEATURES: features, LOGITS: weights[:, :-1] @ features + weights[:, -1] + np.float32(7)}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({}, None),
        ({FEATURES: np.float32([1, 2, 3])}, GoldenMismatch),
        ({LOGITS: np.float32([1, 2, 3])}, GoldenMismatch),
        ({LOGITS: np.float32([np.nan, 2, 3])}, GoldenMismatch),
        ({"maps": np.full((C, 4, 4), np.nan, np.float32)}, GoldenMismatch),
        ({"maps": np.ones((C + 1, 4, 4), np.float32)}, BundleInvalid),
        ({"maps": np.ones((C, 4), np.float32)}, BundleInvalid),
        ({"maps": np.ones((C, 0, 4), np.float32)}, BundleInvalid),
    ],
)
def test_a_graph_whose_maps_do_not_add_up_to_its_answers_is_refused(
    tmp_path: Path, changed: dict[str, Any], error: type[FinialError] | None
) -> None:
    weights = centred()
    bundle = bundle_of(tmp_path, to_npy(weights))
    evidence = read_evidence(bundle)
    assert evidence is not None
    given = consistent(weights) | changed

    def check() -> None:
        check_evidence(bundle, evidence, [given["maps"]], features=given[FEATURES], logits=given[LOGITS])

    if error is None:
        check()
    else:
        with pytest.raises(error):
            check()


class Graph:
    """A session that gives the same tensors for every picture."""

    def __init__(self, answers: dict[str, NDArray[np.float32]]) -> None:
        self._answers = answers

    def run(self, images: NDArray[np.uint8], outputs: list[str]) -> list[NDArray[np.float32]]:
        return [self._answers[name][np.newaxis] for name in outputs]


@pytest.mark.parametrize("belongs", [True, False])
def test_the_golden_check_covers_the_evidence(tmp_path: Path, *, belongs: bool) -> None:
    """Weights of another model have the right shape; only the sums tell."""
    weights = centred()
    bundle = bundle_of(tmp_path, to_npy(weights if belongs else centred(seed=9)))
    graph: Any = Graph(consistent(weights) | {"probabilities": np.full(K, 1 / 3, np.float32)})

    if belongs:
        check_golden(bundle, graph)
    else:
        with pytest.raises(GoldenMismatch, match="does not add up"):
            check_golden(bundle, graph)


def test_a_coarse_map_counts_where_it_overlaps_and_its_mean_stays() -> None:
    coarse = np.array([[[1.0, 2], [3, 4]]], np.float32)
    fine = np.zeros((1, 4, 4), np.float32)

    heat = heat_of([fine, coarse], np.float32([1, 1, 0]))

    assert np.array_equal(heat, np.kron(coarse[0], np.ones((2, 2))))
    uneven = heat_of([np.zeros((1, 5, 3), np.float32), coarse], np.float32([1, 1, 0]))
    assert uneven.mean() == pytest.approx(coarse.mean())
    assert uneven[2].tolist() == pytest.approx([2, 2.5, 3])


def test_evidence_is_content(tmp_path: Path) -> None:
    """The service acts on it: a version with other weights is another version."""
    digests = set()
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        digests.add(bundle_of(tmp_path / str(seed), to_npy(centred(seed))).metadata.content_sha256)

    assert len(digests) == 2
