"""Why ONNX Runtime's CUDA library cannot be loaded: it says so on stderr alone, and goes on with the CPU."""

import ctypes
from pathlib import Path

LIBRARY = "libonnxruntime_providers_cuda.so"


def why_not_loadable(runtime: object) -> str:
    """What the loader says of the library with the CUDA provider; "" where it cannot be asked.

    Only for one that ONNX Runtime failed to load: loading it for the first time is ONNX Runtime's to do.

    Args:
        runtime: the module `onnxruntime`.
    """
    package = getattr(runtime, "__file__", None)
    library = Path(package).parent / "capi" / LIBRARY if package else None
    if library is None or not library.exists():
        return ""
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return str(error)
    return ""
