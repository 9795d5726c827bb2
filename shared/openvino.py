"""How a model is opened on OpenVINO: in full precision, wholly, for one picture a run, on threads that are counted."""

import json
from collections.abc import Sequence

OPENVINO = "OpenVINOExecutionProvider"
WHOLLY = ("session.disable_cpu_ep_fallback", "1")
"""Else ONNX Runtime's own kernels compute in silence what OpenVINO cannot, and nobody knows what answered."""


def openvino_options(*, threads: int, runs: int, input_name: str, one_picture: Sequence[int]) -> dict[str, str]:
    """Options of the execution provider, as ONNX Runtime takes them.

    Args:
        threads: cores that one run computes on.
        runs: how many may be under way at once: OpenVINO computes on threads of its own, and the rest would wait.
        input_name: of the graph.
        one_picture: shape (1, H, W, 3). For it alone is the graph compiled, which is faster than for any N; a run of
            another one would be answered for the first picture, or with nonsense, and never with an error.
    """
    of_processor = {
        "INFERENCE_PRECISION_HINT": "f32",  # by default bfloat16, where the processor has it
        "INFERENCE_NUM_THREADS": threads * runs,
        "NUM_STREAMS": runs,
        "ENABLE_CPU_PINNING": False,  # decoding, other models and other services share the cores
    }
    return {
        "device_type": "CPU",
        "load_config": json.dumps({"CPU": of_processor}),
        "reshape_input": f"{input_name}[{','.join(map(str, one_picture))}]",
    }
