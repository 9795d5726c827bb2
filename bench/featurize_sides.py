"""The sides of `bench.featurize`: Finial, and the loops that it is measured against. Each runs in its own process.

    python -m bench.featurize_sides JOB.json NAME

It says "ready", then does one run for each line that it is told, which names how many pictures, and answers with one
JSON object. So torch is in the memory of nobody who does without it, and starting is in nobody's time.
"""

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from bench.drawn_pictures import drawn_pictures
from bench.memory import peak_mb
from bench.process_tree import own_processor_s
from shared.bundle import FEATURES
from shared.decode import TRAINER_LIMITS, decode
from shared.preprocess import PreprocessSpec, preprocess
from shared.session import open_session
from trainer.backbones import build_backbone, choose_backbone, find_weights
from trainer.engines import Engine, OnnxEngine, TorchEngine
from trainer.featurize import featurize
from trainer.in_order import in_order
from trainer.ray_cluster import connected
from trainer.ray_settings import EngineName, RayOptions
from trainer.samples import Sample

BATCH = 8  # of torch: with 32, what its layers hand on no longer fits a cache, and takes half as long again
WARM_UP = 64
_PURE_BATCH = 64
_UNTIL_THE_END = ExitStack()


class Job(BaseModel):
    """What all sides are told.

    Attributes:
        pictures: the folder that is drawn into.
        graphs: precision -> ONNX file.
        spec: how pixels are prepared for them.
        backbone, weights: that they were exported from.
        threads: of each side.
    """

    model_config = ConfigDict(frozen=True)

    pictures: Path
    graphs: dict[str, Path]
    spec: PreprocessSpec
    backbone: str
    weights: Path | None
    threads: int

    def read_graph(self, precision: str = "float32") -> bytes:
        """The ONNX file's content."""
        return self.graphs[precision].read_bytes()

    def build_module(self) -> Any:
        """The backbone as a torch module."""
        entry, _ = choose_backbone(self.backbone, self.weights)
        return build_backbone(entry, find_weights(entry, self.weights, download=False))


Run = Callable[[Sequence[Sample]], None]


def finial(job: Job, precision: str = "float32", *, engine: EngineName = "onnxruntime", device: str = "cpu") -> Run:
    """`featurize` with an empty cache: hashes, statistics, what is stored, and what is read back of it."""
    graph = job.read_graph(precision)

    def run(samples: Sequence[Sample]) -> None:
        with tempfile.TemporaryDirectory(dir=job.pictures.parent) as folder:
            found = featurize(
                samples,
                graph,
                job.spec,
                cache_dir=Path(folder),
                engine=engine,
                module=job.build_module,
                provider="cuda" if device == "cuda" else "cpu",
                ray=RayOptions(cpus_here=job.threads),
                threads=job.threads,
            )
        if found.featurized != len(samples):
            raise SystemExit(f"{found.featurized} of {len(samples)} pictures were computed")

    return run


def on_ray(job: Job) -> Run:
    """The same by as many workers as others have threads, on a cluster of this machine that is there already.

    Their time of the processor is not counted.
    """
    _UNTIL_THE_END.enter_context(connected(RayOptions(cpus_here=job.threads), graph_bytes=len(job.read_graph())))
    return finial(job, engine="ray")


def narrow_runs(job: Job, precision: str = "float32") -> Run:
    """The barest loop: each thread reads, decodes and computes one picture of its share after the other.

    It hashes, measures and stores nothing, hands nothing over, and tells nobody how far it is.
    """
    engine = OnnxEngine(job.read_graph(precision), provider="cpu")
    return lambda samples: _each_alone(samples, engine, job)


def wide_runs(job: Job, precision: str = "float32") -> Run:
    """Threads decode ahead; one run after the other computes on all cores."""
    session = open_session(job.read_graph(precision), provider="cpu", threads=job.threads)

    def run(samples: Sequence[Sample]) -> None:
        for pixels in _prepared(samples, job, threads=job.threads):
            session.run(pixels[None], [FEATURES])

    return run


def eager_alone(job: Job) -> Run:
    """Eager torch, a picture a run, each on one thread."""
    return _torch_alone(folded(job.build_module()), job)


def eager_batches(job: Job) -> Run:
    """Eager torch in batches on all cores while a thread decodes ahead, as with a DataLoader."""
    return _in_batches(folded(job.build_module()), job)


def frozen_alone(job: Job) -> Run:
    """TorchScript, frozen: a graph and no longer eager. A picture a run, each on one thread."""
    return _torch_alone(frozen(job.build_module(), job.spec), job)


def compiled_batches(job: Job) -> Run:
    """As eager batches, compiled by torch.compile before the clock runs, weights frozen into the code."""
    import torch
    import torch._inductor.config

    torch._inductor.config.freezing = True  # what its documentation names for inference on CPUs
    return _in_batches(torch.compile(folded(job.build_module())), job)


def model_alone(job: Job) -> Run:
    """CUDA: batches of noise that are in memory already, neither decoded nor read. What no featurising can exceed."""
    session = open_session(job.read_graph(), provider="cuda")
    shape = (_PURE_BATCH, job.spec.height, job.spec.width, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    def run(samples: Sequence[Sample]) -> None:
        for _ in range(-(-len(samples) // _PURE_BATCH)):
            session.run(noise, [FEATURES])

    return run


SIDES: dict[str, Callable[[Job], Run]] = {
    "finial": finial,
    "bare loop, narrow runs": narrow_runs,
    "bare loop, wide runs": wide_runs,
    "finial int8": lambda job: finial(job, "int8"),
    "bare loop int8, narrow runs": lambda job: narrow_runs(job, "int8"),
    "finial, torch engine": lambda job: finial(job, engine="torch"),
    "eager torch, one by one": eager_alone,
    "eager torch, batches": eager_batches,
    "frozen TorchScript, one by one": frozen_alone,
    "torch.compile, batches": compiled_batches,
}
ON_RAY: dict[str, Callable[[Job], Run]] = {"finial, on ray": on_ray}
ON_CUDA: dict[str, Callable[[Job], Run]] = {
    "model alone, CUDA": model_alone,
    "finial, CUDA": lambda job: finial(job, device="cuda"),
    "finial, torch engine, CUDA": lambda job: finial(job, engine="torch", device="cuda"),
}


def _each_alone(samples: Sequence[Sample], engine: Engine, job: Job) -> None:
    def loop(share: Sequence[Sample]) -> None:
        for sample in share:
            engine.run(_prepare(sample, job.spec)[None])

    shares = [samples[first :: job.threads] for first in range(job.threads)]
    with engine.single_threaded(), ThreadPoolExecutor(job.threads) as pool:
        list(pool.map(loop, shares))  # raises what a thread raised


def folded(module: Any) -> Any:
    """The module with batch norms folded into convolutions, channels last: what eager torch computes fastest."""
    import torch
    from torch.fx.experimental.optimization import fuse

    return fuse(module).to(memory_format=torch.channels_last)


def frozen(module: Any, spec: PreprocessSpec) -> Any:
    """The module as TorchScript with its weights in it, channels last."""
    import torch

    example = torch.zeros(1, 3, spec.height, spec.width).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), warnings.catch_warnings(action="ignore", category=FutureWarning):  # torch.compile is advised
        trace: Any = torch.jit.trace  # untyped
        return torch.jit.freeze(trace(module.to(memory_format=torch.channels_last), example))


def _torch_alone(module: Any, job: Job) -> Run:
    engine = TorchEngine(lambda: module, job.spec, provider="cpu")
    return lambda samples: _each_alone(samples, engine, job)


def _in_batches(module: Any, job: Job) -> Run:
    import torch

    torch.set_num_threads(job.threads)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (job.spec.mean, job.spec.std))

    def run(samples: Sequence[Sample]) -> None:
        pictures = _prepared(samples, job, threads=1)  # decodes faster than all cores compute
        with torch.inference_mode():
            while batch := list(islice(pictures, BATCH)):
                batch += batch[:1] * (BATCH - len(batch))  # of one size, or it is compiled again for the last one
                pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2) / 255
                module((pixels - mean) / std).numpy()

    return run


def _prepared(samples: Sequence[Sample], job: Job, *, threads: int) -> Iterator[NDArray[np.uint8]]:
    return in_order(samples, lambda sample: _prepare(sample, job.spec), threads=threads)


def _prepare(sample: Sample, spec: PreprocessSpec) -> NDArray[np.uint8]:
    image = decode(sample.path.read_bytes(), at_least=spec.decode_at_least, limits=TRAINER_LIMITS)
    return preprocess(image, spec)


@contextmanager
def _quiet_stdout() -> Iterator[Callable[[object], None]]:
    """What to answer with; whatever else is printed goes to stderr."""
    answers, sys.stdout = sys.stdout, sys.stderr
    yield lambda answer: print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Answer each line of standard input."""
    job = Job.model_validate_json(Path(sys.argv[1]).read_bytes())
    with _quiet_stdout() as answer:
        run = (SIDES | ON_RAY | ON_CUDA)[sys.argv[2]](job)
        run(drawn_pictures(job.pictures, WARM_UP))
        answer("ready")
        for line in sys.stdin:
            samples = drawn_pictures(job.pictures, int(line))
            began_s, used_s = time.perf_counter(), own_processor_s()
            run(samples)
            took_s, used_s = time.perf_counter() - began_s, own_processor_s() - used_s
            answer({"per_s": len(samples) / took_s, "cpu_ms": 1000 * used_s / len(samples), "peak_mb": peak_mb()})


if __name__ == "__main__":
    main()
