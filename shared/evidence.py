"""Where in a picture the evidence for a label lies: the head, read at each place of the maps instead of at their mean.

Features that are the mean of maps over their places make a linear head the mean of what it says at each place: the
class activation map. `evidence.npy` holds, for each label, its weights over the channels, and a constant.

Source: Zhou et al. 2016, Learning Deep Features for Discriminative Localization; with the standardisation of the head
folded into the weights, and with what all labels share taken off, as no softmax sees it. See decision 0046.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.bundle import Bundle
from shared.errors import BundleInvalid, GoldenMismatch
from shared.listed_files import read_listed

MAPS = "maps"
"""The output of the maps; where features are the means of several, the others are `maps_1`, `maps_2` and so on."""

EVIDENCE_FILE = "evidence.npy"
FEATURES_TOLERANCE, LOGITS_TOLERANCE = 1e-4, 1e-3


@dataclass(frozen=True)
class Evidence:
    """What a bundle knows of where the evidence lies.

    Attributes:
        outputs: names of the graph's outputs that are maps, in the order of the features that are their means.
        weights: shape (K, C + 1), float32: by label, of the C channels of all maps, and a constant. Over all labels
            they sum to 0.
    """

    outputs: tuple[str, ...]
    weights: NDArray[np.float32]


def heat_of(maps: Sequence[NDArray[np.float32]], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """What speaks for a label at each place; over the places the mean is its logit less the mean of all logits.

    Args:
        maps: of one picture, each (C_i, h_i, w_i), C channels together.
        weights: shape (C + 1,) for one label, (K, C + 1) for several.

    Returns:
        Shape (h, w) or (K, h, w): the finest of the maps. A place of a coarser one counts where it overlaps.
    """
    height, width = (max(each.shape[axis] for each in maps) for axis in (1, 2))
    heat: NDArray[np.float32] = np.tile(weights[..., -1:, None], (height, width))
    done = 0
    for each in maps:
        own: NDArray[np.float32] = np.tensordot(weights[..., done : done + len(each)], each, axes=1)
        heat += _overlaps(height, own.shape[-2]) @ own @ _overlaps(width, own.shape[-1]).T
        done += len(each)
    return heat


def _overlaps(fine: int, coarse: int) -> NDArray[np.float32]:
    """How much of each of the fine places lies in each of the coarse ones, shape (fine, coarse); rows sum to 1."""
    edges: tuple[NDArray[np.float64], NDArray[np.float64]] = (
        np.arange(fine)[:, None] / fine,
        np.arange(coarse)[None] / coarse,
    )
    low, high = np.maximum(*edges), np.minimum(edges[0] + 1 / fine, edges[1] + 1 / coarse)
    overlaps: NDArray[np.float32] = (np.maximum(high - low, 0) * fine).astype(np.float32)
    return overlaps


def read_evidence(bundle: Bundle) -> Evidence | None:
    """What the bundle says of evidence; None where it says that there is none.

    Raises:
        BundleInvalid: the file is not listed, not an array of the right type and shape, or not all of it is finite.
        BundleIncomplete, BundleCorrupted: it was changed meanwhile.
    """
    info, metadata = bundle.metadata.evidence, bundle.metadata
    if info is None:
        return None
    if info.file not in metadata.files:
        raise _invalid(bundle, "it is not among the files that bundle.json lists")
    entry = metadata.files[info.file]
    content = read_listed(bundle.path, info.file, sha256=entry.sha256, size_bytes=entry.size_bytes)
    weights = _to_array(bundle, content, (len(metadata.labels), metadata.backbone.feature_size + 1))
    if not np.isfinite(weights).all():
        raise _invalid(bundle, "it holds values that are not numbers")
    return Evidence(info.outputs, weights)


def check_evidence(
    bundle: Bundle,
    evidence: Evidence,
    maps: Sequence[NDArray[np.float32]],
    *,
    features: NDArray[np.float32],
    logits: NDArray[np.float32],
) -> None:
    """What the graph gives for one picture fits together: maps, features (D,) and logits (K,).

    Raises:
        BundleInvalid: the maps have another number of channels, or are no maps.
        GoldenMismatch: the features are not the means of the maps, or the heat does not add up to the logits.
    """
    if any(each.ndim != 3 or 0 in each.shape for each in maps) or sum(map(len, maps)) != len(features):
        shapes = ", ".join(str(each.shape) for each in maps)
        raise BundleInvalid(bundle.model_path, detail=f"maps of {shapes} for {len(features)} features")
    means = np.concatenate([each.mean((1, 2), dtype=np.float64) for each in maps])
    _require_close(bundle, "the features are not the means of the maps", means, features, FEATURES_TOLERANCE)
    of_heat = heat_of(maps, evidence.weights).mean((1, 2), dtype=np.float64)
    centred = logits - logits.mean(dtype=np.float64)
    _require_close(bundle, "the heat does not add up to the logits", of_heat, centred, LOGITS_TOLERANCE)


def _require_close(
    bundle: Bundle, what: str, found: NDArray[np.float64], expected: NDArray[np.floating], tolerance: float
) -> None:
    """The norm of the difference is at most that share of the norm of what is expected, or of 1 if that is less."""
    difference = float(np.linalg.norm(found - expected)) / max(1.0, float(np.linalg.norm(expected)))
    if not difference <= tolerance:  # also true for what is not a number
        raise GoldenMismatch(
            bundle.path, detail=f"{what}: they differ by {difference:.2g}, at most {tolerance:g} is allowed"
        )


def _to_array(bundle: Bundle, content: bytes, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Type and shape are looked at before there is memory for anything."""
    file = io.BytesIO(content)
    try:
        if (version := np.lib.format.read_magic(file)) != (1, 0):
            raise ValueError(f"format {version}")
        found, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except ValueError as error:
        raise _invalid(bundle, f"not an array that NumPy wrote ({error})") from error
    if found != shape or is_fortran or dtype != np.dtype("<f4"):
        raise _invalid(bundle, f"an array of {dtype} {found}, expected float32 {shape} for these labels and features")
    values = np.frombuffer(content[file.tell() :], dtype="<f4") if (len(content) - file.tell()) % 4 == 0 else None
    if values is None or values.size != shape[0] * shape[1]:
        raise _invalid(bundle, f"{len(content) - file.tell():,} bytes of values, expected {4 * shape[0] * shape[1]:,}")
    return values.reshape(shape)


def _invalid(bundle: Bundle, detail: str) -> BundleInvalid:
    info = bundle.metadata.evidence
    return BundleInvalid(bundle.path / (info.file if info else EVIDENCE_FILE), detail=detail)
