"""The parity gate: PyTorch and ONNX Runtime give the same features, and the same labels, for the same pixels."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.preprocess import PreprocessSpec
from trainer.engines import OnnxEngine
from trainer.errors.features import ParityFailed
from trainer.head import Head
from trainer.progress import Progress
from trainer.torch_features import torch_features

if TYPE_CHECKING:
    from torch import nn

PARITY_TOLERANCE = 1e-4

_PROBE_SEED, _PROBES = 7, 3


def prove_parity(
    module: "nn.Module",
    graph: bytes,
    spec: PreprocessSpec,
    *,
    images: NDArray[np.uint8] | None = None,
    head: Head | None = None,
) -> float:
    """Run both on the same pixels, on the CPU, and compare.

    Args:
        module: normalised pictures (N, 3, H, W) to features.
        graph: what was exported from it.
        spec: the pixels' size, mean and std.
        images: pixels (N, H, W, 3); seeded noise over gradients if left out.
        head: labels are compared too, if given.

    Returns:
        The largest relative difference of a row.

    Raises:
        ParityFailed: they disagree.
    """
    images = probe_images(spec) if images is None else images
    return prove_parity_with(torch_features(lambda: module, spec, images), graph, images, head=head)


def prove_parity_with(
    expected: NDArray[np.float32], graph: bytes, images: NDArray[np.uint8], *, head: Head | None = None
) -> float:
    """Compare with what torch gave for these pixels; `expected` has shape (N, D). Otherwise as `prove_parity`."""
    onnx = OnnxEngine(graph, provider="cpu")
    return check_parity(expected, np.concatenate([onnx.run(image[None]) for image in images]), head=head)


def tell_difference(
    expected: NDArray[np.float32], graph: bytes, images: NDArray[np.uint8], progress: Progress
) -> float:
    """Say how far an int8 graph's features are from torch's, shape (N, D), and return the median over the pictures."""
    onnx = OnnxEngine(graph, provider="cpu")
    differences = relative_differences(expected, np.concatenate([onnx.run(image[None]) for image in images]))
    median, most = float(np.median(differences)), float(differences.max())
    progress.say(
        f"The float32 graph is proven; features of the int8 graph differ from torch's by {median:.1%} on the golden "
        f"pictures, {most:.1%} at most. The head was fitted on them.",
        int8_difference=median,
        int8_difference_most=most,
    )
    return median


def check_parity(expected: NDArray[np.float32], found: NDArray[np.float32], *, head: Head | None = None) -> float:
    """Compare features, both (N, D), row by row; returns the largest relative difference.

    Raises:
        ParityFailed: a row differs by more than PARITY_TOLERANCE or is not finite, or the head prefers another label.
    """
    differences = relative_differences(expected, found)
    worst = float(differences.max(initial=0.0))
    if not worst <= PARITY_TOLERANCE:
        row = int(differences.argmax())
        raise ParityFailed(f"features of picture {row} differ by {worst:.2g}, at most {PARITY_TOLERANCE:g} is allowed")
    if head is not None:
        changed = np.flatnonzero(head.logits(expected).argmax(1) != head.logits(found).argmax(1))
        if len(changed):
            raise ParityFailed(f"another label is predicted for picture {changed[0]} and {len(changed) - 1} more")
    return worst


def relative_differences(expected: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float64]:
    """Norm of the difference over the norm of what was expected, shape (N,); infinite where either is not finite."""
    norms = np.linalg.norm(expected.astype(np.float64), axis=1)
    with np.errstate(invalid="ignore"):
        differences = np.linalg.norm(found.astype(np.float64) - expected, axis=1) / np.maximum(norms, 1e-12)
    return np.where(np.isfinite(differences), differences, np.inf)


def probe_images(spec: PreprocessSpec) -> NDArray[np.uint8]:
    """A few seeded pictures of the spec's size, (N, H, W, 3): gradients in random directions under noise."""
    random = np.random.default_rng(_PROBE_SEED)
    rows, columns = np.mgrid[-1 : 1 : spec.height * 1j, -1 : 1 : spec.width * 1j]
    slopes = random.uniform(-60, 60, (2, _PROBES, 1, 1, 3))
    smooth = 128 + slopes[0] * rows[..., None] + slopes[1] * columns[..., None]
    noise = random.normal(0, 25, (_PROBES, spec.height, spec.width, 3))
    images: NDArray[np.uint8] = np.clip(smooth + noise, 0, 255).astype(np.uint8)
    return images
