"""Opens ONNX Runtime sessions; the only home of onnxruntime. Tells what was really obtained."""

import contextlib
import importlib.metadata
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.cuda_library import why_not_loadable
from shared.errors import ModelRefused, NoGpu, ProviderUnavailable, RunFailed, RuntimeConflict
from shared.onnx_file import refuse_unsafe_model
from shared.openvino import OPENVINO, WHOLLY, openvino_options

Provider = Literal["auto", "cpu", "cuda"]
AnyProvider = Literal["auto", "cpu", "cuda", "openvino"]
"""OpenVINO serves only: the trainer's features are computed by the kernels that its golden answers come from."""

Spinning = bool | Literal["briefly"]
SPIN_US = 100
"""Longer than most gaps between the operators of a run in which a thread has nothing to do (decision 52)."""

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
CUDA_OPTIONS = {
    "use_tf32": "0",  # 10 bits of mantissa instead of 23: not what the head was fitted on
    "cudnn_conv_algo_search": "HEURISTIC",  # the default times every algorithm anew for each size of batch
}

_RUNTIME_BUILDS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino")
_LOG_FATAL_ONLY = 4  # errors are raised; its own coloured lines would stand between our JSON lines
_DRIVER = "libcuda.so"  # comes with the driver; all other libraries can be installed without a device
_NO_DEVICE = "no CUDA-capable device"


class Runtime(Protocol):
    """What is used of the module `onnxruntime`, so that a test can stand in for a machine with a GPU."""

    SessionOptions: Callable[[], Any]
    InferenceSession: Callable[..., Any]
    get_available_providers: Callable[[], list[str]]
    preload_dlls: Callable[[], None]


class Session:
    """One ONNX Runtime InferenceSession. `run` may be called from several threads at once.

    Attributes:
        provider: the execution provider that was obtained, e.g. "CPUExecutionProvider".
        threads: how many threads one run computes on (CPU).
        output_names: names of the graph's outputs.
        metadata: the custom metadata stored in the file.
        without_gpu: why it computes on the CPU although a GPU was wanted; None when it does not, or none was.
        only_shape: the one shape of a batch that it may be given; None for any that fits.
    """

    def __init__(
        self,
        inference_session: Any,
        *,
        threads: int,
        without_gpu: ProviderUnavailable | None = None,
        only_shape: tuple[int, ...] | None = None,
    ) -> None:
        if len(inference_session.get_inputs()) != 1:
            raise ModelRefused(f"the model has {len(inference_session.get_inputs())} inputs, expected 1")
        self._session = inference_session
        self.threads, self.without_gpu, self.only_shape = threads, without_gpu, only_shape
        self.provider: str = inference_session.get_providers()[0]
        self.output_names: tuple[str, ...] = tuple(output.name for output in inference_session.get_outputs())
        self.input_name: str = inference_session.get_inputs()[0].name
        self.metadata: dict[str, str] = dict(inference_session.get_modelmeta().custom_metadata_map)

    def shape_of(self, name: str) -> tuple[int | None, ...]:
        """Declared shape of an input or output; None where it may vary. KeyError: no such tensor."""
        for tensor in (*self._session.get_inputs(), *self._session.get_outputs()):
            if tensor.name == name:
                return tuple(side if isinstance(side, int) else None for side in tensor.shape or ())
        raise KeyError(name)

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Compute the named outputs of a batch of images, uint8 (N, H, W, 3).

        Raises:
            RunFailed: the model has no such output, or cannot compute this batch.
        """
        if self.only_shape is not None and images.shape != self.only_shape:
            raise RunFailed(images.shape, detail=f"{self.provider} was opened for {self.only_shape} only")
        try:
            results: list[NDArray[np.float32]] = self._session.run(list(outputs), {self.input_name: images})
        except Exception as error:  # ONNX Runtime's exception types are private and many
            raise RunFailed(images.shape, detail=_one_line(error)) from error
        return results


def open_session(
    model: bytes | Path,
    *,
    provider: AnyProvider = "auto",
    threads: int = 1,
    runs: int = 1,
    spinning: Spinning = False,
    runtime: Runtime | None = None,
) -> Session:
    """Open a model that stands on its own.

    Args:
        model: the file's content, or where it is.
        provider: "auto" takes CUDA when this build and machine have it, else the CPU; `without_gpu` then says why.
            "openvino" is taken only where it is asked for, and is then given one picture a run.
        threads: cores that one run may use on a CPU, at least 1.
        runs: how many runs OpenVINO computes at once, at least 1; elsewhere each computes on the thread that calls.
        spinning: let idle threads spin. Off by default: on a shared CPU that starves the neighbours. "briefly": within
            a run only, and for SPIN_US at most, so that threads of one run need not be woken for each operator.
        runtime: stands in for the module `onnxruntime` in tests.

    Raises:
        RuntimeConflict: not exactly one build of ONNX Runtime is installed.
        ModelRefused: not a model, foreign operators, data kept outside the file, or not one input.
        ProviderUnavailable: CUDA or OpenVINO was asked for and not obtained.
    """
    if threads < 1:
        raise ValueError(f"threads = {threads}, expected at least 1")
    runtime = runtime or _import_runtime()
    content = model if isinstance(model, bytes) else model.read_bytes()
    refuse_unsafe_model(content)
    options = _options(runtime, threads=threads, spinning=spinning)
    if provider == "openvino":
        return _open_on_openvino(content, options, runtime, threads=threads, runs=runs)
    failure: ProviderUnavailable | None = None
    if provider != "cpu":
        found = _open_on_gpu(content, options, runtime)
        if not isinstance(found, ProviderUnavailable):
            return Session(found, threads=threads)
        failure = found
    # Also where CUDA is insisted on: only the CPU tells a model that cannot be opened from a GPU that is not there.
    session = Session(_open_on_cpu(content, options, runtime), threads=threads, without_gpu=failure)
    if provider == "cuda" and failure is not None:
        raise failure
    return session


def require_one_runtime(is_installed: Callable[[str], bool] | None = None) -> str:
    """Name of the one installed build of ONNX Runtime.

    Args:
        is_installed: tells whether a distribution of that name is installed; asks this environment by default.

    Raises:
        RuntimeConflict: several are installed, or none.
    """
    found = [name for name in _RUNTIME_BUILDS if (is_installed or _is_installed)(name)]
    if len(found) != 1:
        raise RuntimeConflict(found)
    return found[0]


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _import_runtime() -> Runtime:
    require_one_runtime()
    import onnxruntime  # heavy, and a service without a model never needs it

    imported: Runtime = onnxruntime
    return imported


def _options(runtime: Runtime, *, threads: int, spinning: Spinning) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _LOG_FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    if spinning == "briefly":
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_US))
        options.add_session_config_entry("session.force_spinning_stop", "1")  # when the last run ends
    options.add_session_config_entry("session.load_model_format", "ONNX")  # the only one that was looked into
    return options


def _open_on_gpu(model: bytes, options: Any, runtime: Runtime) -> Any | ProviderUnavailable:
    """A session on CUDA, or why there is none. Running out of the GPU's memory is a reason like any other."""
    available = runtime.get_available_providers()
    if CUDA not in available:
        detail = f"this build has {', '.join(available)}"
        return ProviderUnavailable(wanted=CUDA, obtained=[CPU], reason="provider-missing", detail=detail)
    # Finds the CUDA libraries that pip installed; without it they must be on the loader's path. Results go to stdout,
    # and what it prints there is none.
    with contextlib.redirect_stdout(sys.stderr):
        runtime.preload_dlls()
    try:
        session = _open(model, options, runtime, [(CUDA, CUDA_OPTIONS), CPU])
    except Exception as error:  # ONNX Runtime's exception types are private and many
        detail = _one_line(error)
        reason: NoGpu = "no-device" if _NO_DEVICE in detail else "device-failed"
        return ProviderUnavailable(wanted=CUDA, obtained=[CPU], reason=reason, detail=detail)
    if (obtained := session.get_providers())[0] == CUDA:
        return session
    detail = why_not_loadable(runtime)
    reason = "no-device" if _DRIVER in detail else "library-not-loadable"
    return ProviderUnavailable(wanted=CUDA, obtained=obtained, reason=reason, detail=detail)


def _open_on_openvino(model: bytes, options: Any, runtime: Runtime, *, threads: int, runs: int) -> Session:
    """A session on OpenVINO alone: what it cannot compute, or not wholly, is refused and not computed elsewhere."""
    if OPENVINO not in (available := runtime.get_available_providers()):
        detail = f"this build has {', '.join(available)}"
        raise ProviderUnavailable(wanted=OPENVINO, obtained=[CPU], reason="provider-missing", detail=detail)
    declared = Session(_open_on_cpu(model, options, runtime), threads=threads)  # refuses what is no model at all
    sides = declared.shape_of(declared.input_name)
    shape = (1, *(side for side in sides[1:] if side is not None))
    if len(shape) != len(sides):
        raise ModelRefused(f"its input has shape {sides}, OpenVINO is opened for pictures of one size only")
    wanted = openvino_options(threads=threads, runs=runs, input_name=declared.input_name, one_picture=shape)
    options.add_session_config_entry(*WHOLLY)
    try:
        session = _open(model, options, runtime, [(OPENVINO, wanted)])
    except Exception as error:  # ONNX Runtime's exception types are private and many
        raise ModelRefused(f"OpenVINO does not compute the whole of this model: {_one_line(error)}") from error
    if (obtained := session.get_providers())[0] != OPENVINO:
        raise ProviderUnavailable(wanted=OPENVINO, obtained=obtained, reason="library-not-loadable")
    return Session(session, threads=threads, only_shape=shape)


def _open_on_cpu(model: bytes, options: Any, runtime: Runtime) -> Any:
    try:
        return _open(model, options, runtime, [CPU])
    except Exception as error:  # as above
        raise ModelRefused(f"ONNX Runtime does not open this model: {_one_line(error)}") from error


def _open(model: bytes, options: Any, runtime: Runtime, providers: Sequence[Any]) -> Any:
    # Its own fallback prints to stdout and changes the provider behind our back, even in the middle of a run.
    session = runtime.InferenceSession(model, options, providers=list(providers), enable_fallback=0)
    session._model_bytes = None  # kept for that fallback, and as large as the weights
    return session


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
