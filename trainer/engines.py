"""What computes features from pixels: ONNX Runtime on the very graph that serves, or the torch module itself."""

import importlib.metadata
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.bundle import FEATURES
from shared.errors import ProviderUnavailable
from shared.preprocess import PreprocessSpec
from shared.session import CUDA, Provider, open_session, require_one_runtime

if TYPE_CHECKING:
    from torch import nn

_BATCH_ON_CUDA = 64


class Engine(Protocol):
    """Computes features.

    Attributes:
        identity: name, version and where it computes; part of the features' fingerprint.
        batch_size: how many pictures a run takes at most; with 1, `run` may be called from several threads at once.
    """

    identity: str
    batch_size: int

    def single_threaded(self) -> AbstractContextManager[None]:
        """While it lasts, a run on a CPU computes on the calling thread alone."""

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (N, D) of pixels (N, H, W, 3)."""


def onnx_identity(provider: str) -> str:
    """What names the features that ONNX Runtime as it is installed here computes on an execution provider."""
    runtime = require_one_runtime()
    identity = f"{runtime} {importlib.metadata.version(runtime)} {provider}"
    return f"{identity} without TF32" if provider == CUDA else identity


class OnnxEngine:
    """ONNX Runtime, one picture a run on one thread, so that a row depends on its picture alone.

    Args:
        graph: of `backbone_graph`.
        provider: where to compute.

    Attributes:
        feature_size: D.
        provider: that was obtained.

    Raises:
        SessionError: the graph is not opened as asked.
    """

    def __init__(self, graph: bytes, *, provider: Provider = "auto") -> None:
        self._session = open_session(graph, provider=provider, threads=1)
        self.provider = self._session.provider
        self.identity = onnx_identity(self.provider)
        self.batch_size = 1
        self.feature_size = self._session.shape_of(FEATURES)[1] or 0

    def single_threaded(self) -> AbstractContextManager[None]:
        """It never computes in any other way."""
        return nullcontext()

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (N, D) of pixels (N, H, W, 3)."""
        return self._session.run(images, [FEATURES])[0]


class TorchEngine:
    """The eager torch module, in batches on CUDA if torch has it, else one picture a run.

    Its features agree with the graph's within the parity gate, but are not the same bits.

    Args:
        module: gives the module, normalised pictures (N, 3, H, W) to features (N, D); asked at the first run.
        spec: its mean and std are applied here, as torchvision's presets do it.
        provider: "cpu" never takes CUDA, "cuda" insists on it.

    Raises:
        ProviderUnavailable: CUDA was asked for and torch has none.
    """

    def __init__(self, module: "Callable[[], nn.Module]", spec: PreprocessSpec, *, provider: Provider = "auto") -> None:
        import torch

        if provider == "cuda" and not torch.cuda.is_available():
            raise ProviderUnavailable(
                wanted="CUDA for torch", obtained=["cpu"], reason="no-device", detail="torch finds no GPU"
            )
        device = "cuda" if provider != "cpu" and torch.cuda.is_available() else "cpu"
        self._device = torch.device(device)
        self._make_module = module
        self._mean, self._std = (
            torch.tensor(values, device=self._device).view(1, 3, 1, 1) for values in (spec.mean, spec.std)
        )
        self.batch_size = _BATCH_ON_CUDA if device == "cuda" else 1
        self.identity = f"torch {torch.__version__} {device}"

    @contextmanager
    def single_threaded(self) -> Iterator[None]:
        """Torch keeps one number of threads for the whole process; it is put back."""
        import torch

        # Several threads of one run wait for each other by spinning; on a busy machine that tripled the CPU time.
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    @cached_property
    def _module(self) -> "nn.Module":
        return self._make_module().to(self._device)

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (N, D) of pixels (N, H, W, 3)."""
        import torch

        with torch.inference_mode(), _full_precision():
            pixels = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2) / 255
            features: NDArray[np.float32] = self._module((pixels - self._mean) / self._std).cpu().numpy()
        return features


def _full_precision() -> AbstractContextManager[None]:
    """No TF32 in CUDA's convolutions: it keeps 10 of a factor's 23 bits, and the features must equal the graph's."""
    import torch

    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    return flags
