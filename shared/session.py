"""Opens ONNX Runtime sessions; the only home of onnxruntime. Tells what was really obtained."""

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelRefused, ProviderUnavailable, RuntimeConflict
from shared.onnx_file import refuse_unsafe_model

Provider = Literal["auto", "cpu", "cuda"]
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

_RUNTIME_BUILDS = ("onnxruntime", "onnxruntime-gpu")
_LOG_ERRORS_ONLY = 3


class Session:
    """One ONNX Runtime InferenceSession. `run` may be called from several threads at once.

    Attributes:
        provider: the execution provider that was obtained, e.g. "CPUExecutionProvider".
        threads: how many threads one run computes on (CPU).
        output_names: names of the graph's outputs.
        metadata: the custom metadata stored in the file.
    """

    def __init__(self, inference_session: Any, *, threads: int) -> None:
        self._session = inference_session
        self.threads = threads
        self.provider: str = inference_session.get_providers()[0]
        self.output_names: tuple[str, ...] = tuple(output.name for output in inference_session.get_outputs())
        self.input_name: str = inference_session.get_inputs()[0].name
        self.metadata: dict[str, str] = dict(inference_session.get_modelmeta().custom_metadata_map)

    def shape_of(self, name: str) -> tuple[int | None, ...]:
        """Declared shape of an input or output; None where it may vary. KeyError: no such tensor."""
        for tensor in (*self._session.get_inputs(), *self._session.get_outputs()):
            if tensor.name == name:
                return tuple(side if isinstance(side, int) else None for side in tensor.shape)
        raise KeyError(name)

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Compute the named outputs of a batch of images, uint8 (N, H, W, 3)."""
        results: list[NDArray[np.float32]] = self._session.run(list(outputs), {self.input_name: images})
        return results


def open_session(
    model: bytes | Path, *, provider: Provider = "auto", threads: int = 1, spinning: bool = False
) -> Session:
    """Open a model that stands on its own.

    Args:
        model: the file's content, or where it is.
        provider: "auto" takes CUDA when this build and machine have it, else the CPU.
        threads: cores that one run may use on a CPU.
        spinning: let idle threads spin. Off by default: on a shared CPU that starves the neighbours.

    Raises:
        RuntimeConflict: not exactly one build of ONNX Runtime is installed.
        ModelRefused: not a model, foreign operators, or data kept outside the file.
        ProviderUnavailable: CUDA was asked for and not obtained.
    """
    require_one_runtime()
    import onnxruntime  # heavy, and a service without a model never needs it

    content = model if isinstance(model, bytes) else model.read_bytes()
    refuse_unsafe_model(content)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    wanted = _providers(provider, onnxruntime)
    try:
        inference_session = onnxruntime.InferenceSession(content, options, providers=wanted)
    except Exception as error:  # ONNX Runtime's exception types are private and many
        raise ModelRefused(f"ONNX Runtime does not open this model: {' '.join(str(error).split())[:300]}") from error
    obtained: list[str] = inference_session.get_providers()
    if provider == "cuda" and CUDA not in obtained:
        raise ProviderUnavailable(wanted=CUDA, obtained=obtained)
    return Session(inference_session, threads=threads)


def require_one_runtime() -> str:
    """Name of the one installed build of ONNX Runtime.

    Raises:
        RuntimeConflict: both are installed, or none.
    """
    found = [name for name in _RUNTIME_BUILDS if _is_installed(name)]
    if len(found) != 1:
        raise RuntimeConflict(found)
    return found[0]


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _providers(provider: Provider, onnxruntime: Any) -> list[str]:
    available: list[str] = onnxruntime.get_available_providers()
    if provider == "cpu" or (provider == "auto" and CUDA not in available):
        return [CPU]
    if CUDA not in available:
        raise ProviderUnavailable(wanted=CUDA, obtained=available)
    # Finds the CUDA libraries that pip installed; without it they must be on the loader's path.
    onnxruntime.preload_dlls()
    return [CUDA, CPU]
