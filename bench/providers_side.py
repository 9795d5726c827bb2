"""One side of `bench.providers`: computes a model by one execution provider when told to, and answers in JSON lines.

Run as a file by the interpreter of any environment that has a build of ONNX Runtime and numpy; nothing of Finial is
imported, so that an environment which Finial does not know can be measured as well.
"""

import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

CPU, OPENVINO = "CPUExecutionProvider", "OpenVINOExecutionProvider"
OUTPUTS = ["probabilities", "novelty", "features"]
"""Those that the graph has: a model of few pictures tells no novelty."""


def open_model(path: str, provider: str, *, streams: int, threads: int, one_picture: bool) -> Any:
    """A session. OpenVINO computes on threads of its own: `threads` in all, `streams` runs at once.

    Args:
        path: the model file.
        provider: the execution provider.
        streams: how many runs may be under way at once (OpenVINO; on the CPU provider each has its caller's thread).
        threads: of one run on the CPU provider; of all streams together for OpenVINO.
        one_picture: whether OpenVINO is told that a batch is always of one, which it optimises for.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads if provider == CPU else 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads > 1 else "0")
    if threads > 1:  # as the service opens a wide session
        options.add_session_config_entry("session.intra_op.spin_duration_us", "100")
        options.add_session_config_entry("session.force_spinning_stop", "1")
    if provider == CPU:
        return onnxruntime.InferenceSession(path, options, providers=[CPU], enable_fallback=0)
    of_device = {
        "INFERENCE_PRECISION_HINT": "f32",  # by default bfloat16 where the processor has it
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": streams,
        "ENABLE_CPU_PINNING": False,  # cores are shared with decoding
    }
    wanted = {"device_type": "CPU", "load_config": json.dumps({"CPU": of_device})}
    if one_picture:
        wanted["reshape_input"] = f"images[{','.join(map(str, shape_of(path)))}]"
    found = onnxruntime.InferenceSession(path, options, providers=[(OPENVINO, wanted)], enable_fallback=0)
    if found.get_providers()[0] != OPENVINO:
        raise SystemExit(f"this build of ONNX Runtime has no OpenVINO: {found.get_providers()}")
    return found


def shape_of(path: str) -> tuple[int, ...]:
    """The shape of one picture; OpenVINO takes a wrong one without an error, and answers nonsense."""
    images = np.load(Path(path).parent / "golden" / "images.npy")
    return (1, *images.shape[1:])


def serve(path: str, provider: str, *, cores: int, one_picture: bool) -> None:
    """Open both sessions of a pool, tell what that took and what they answer, then measure whenever a line comes."""
    before, started = resident_mb(), time.perf_counter()
    narrow = open_model(path, provider, streams=cores, threads=1 if provider == CPU else cores, one_picture=one_picture)
    opened, after = time.perf_counter() - started, resident_mb()
    wide = open_model(path, provider, streams=1, threads=cores, one_picture=one_picture)
    images = np.load(Path(path).parent / "golden" / "images.npy")
    outputs = [output.name for output in narrow.get_outputs() if output.name in OUTPUTS]
    of_answer = [name for name in outputs if name != "features"]
    answers = [narrow.run(outputs, {"images": image[None]}) for image in images]
    say(
        open_s=opened,
        memory_mb=after - before,
        both_mb=resident_mb() - before,
        version=onnxruntime.__version__,
        **{name: np.concatenate([one[at] for one in answers]).tolist() for at, name in enumerate(outputs)},
    )
    runs: dict[str, Callable[[], object]] = {
        "narrow": lambda: narrow.run(of_answer, {"images": images[:1]}),
        "wide": lambda: wide.run(of_answer, {"images": images[:1]}),
    }
    for line in sys.stdin:
        session, callers, seconds = line.split()
        say(**measure(runs[session], callers=int(callers), seconds=float(seconds)))


def measure(run: Callable[[], object], *, callers: int, seconds: float) -> dict[str, float]:
    """Closed loop of some callers: pictures a second, seconds of processor time a picture, median seconds of a run."""
    taken: list[list[float]] = [[] for _ in range(callers)]
    used, started = time.process_time(), time.perf_counter()

    def call(mine: list[float]) -> None:
        while (begun := time.perf_counter()) < started + seconds:
            run()
            mine.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=call, args=(mine,)) for mine in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed, all_taken = time.perf_counter() - started, sorted(itertools.chain(*taken))
    return {
        "per_s": len(all_taken) / elapsed,
        "processor_s": (time.process_time() - used) / len(all_taken),
        "median_s": all_taken[len(all_taken) // 2],
    }


def resident_mb() -> float:
    """Memory of this process, in MB (10^6 bytes)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def say(**what: object) -> None:
    """One line to whoever started this."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    _, model_path, provider_name, core_count, batch = sys.argv
    serve(model_path, provider_name, cores=int(core_count), one_picture=batch == "one")
