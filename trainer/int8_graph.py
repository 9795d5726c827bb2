"""The int8 graph of a run: quantised on pictures of the train split, once for everything that it depends on."""

import hashlib
import importlib.metadata
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.cpu_features import VNNI, Cpu
from shared.decode import TRAINER_LIMITS, decode
from shared.files import sha256_of
from shared.preprocess import PreprocessSpec, preprocess
from trainer.activation_ranges import measure_ranges
from trainer.fingerprint import what_decoding_depends_on
from trainer.golden_pictures import choose_golden
from trainer.graph_store import kept_graph
from trainer.progress import Progress
from trainer.quantise import QUANTISER_REVISION, nodes_left_float, quantise
from trainer.sample_bytes import read_sample
from trainer.samples import Sample

CALIBRATION_COUNT = 128
"""More pictures change the scales by less than a step."""

_TOOLS = ("onnx", "onnxruntime", "onnxruntime-gpu")


def int8_graph(
    graph: bytes, spec: PreprocessSpec, samples: Sequence[Sample], *, cache_dir: Path, cpu: Cpu, progress: Progress
) -> bytes:
    """The int8 form of a backbone's graph, from the cache or quantised now.

    On a CPU with VNNI weights have 8 bits and the model requires VNNI; on any other they have 7, which never overflow.

    Args:
        graph: of `backbone_graph`, float32.
        spec: how pictures are prepared for it.
        samples: of the train split, all readable; up to CALIBRATION_COUNT of them are looked at.
        cache_dir: holds the graphs.
        cpu: that it is made for.
        progress: told when it has to be made.

    Raises:
        QuantisationFailed: it has no int8 form.
        PictureNoLongerUsable: one of them was changed or removed meanwhile.
        CacheNotWritable: it cannot be stored.
    """
    chosen = calibration_samples(samples)

    def make() -> bytes:
        nodes_left_float(graph)  # refuses what has no int8 form before any picture is read
        progress.say(f"Quantising the backbone to int8, with the scales that {len(chosen)} training pictures have.")
        with progress.phase("quantise", total=len(chosen)) as phase:

            def prepared() -> Iterator[NDArray[np.uint8]]:
                for sample in chosen:
                    yield _prepare(sample, spec)
                    phase.advance()

            ranges = measure_ranges(graph, prepared())
        return quantise(graph, ranges, reduced_range=not cpu.has(VNNI))

    return kept_graph(cache_dir, _key(graph, spec, chosen, cpu), make)


def requirements_of(cpu: Cpu) -> tuple[str, ...]:
    """What an int8 graph that was made for a CPU requires of those that run it."""
    return (VNNI,) if cpu.has(VNNI) else ()


def calibration_samples(samples: Sequence[Sample]) -> list[Sample]:
    """Up to CALIBRATION_COUNT samples, label by label in turn, the smallest digests of each: the choice is stable."""
    different = {sample.digest: sample for sample in samples}
    return choose_golden(tuple(different.values()), CALIBRATION_COUNT)


def _prepare(sample: Sample, spec: PreprocessSpec) -> NDArray[np.uint8]:
    image = decode(read_sample(sample), at_least=spec.decode_at_least, limits=TRAINER_LIMITS)
    return preprocess(image, spec)


def _key(graph: bytes, spec: PreprocessSpec, samples: Sequence[Sample], cpu: Cpu) -> str:
    """Scales are measured in float32, whose last bits are those of a kind of CPU."""
    what = {
        "graph": sha256_of(graph),
        "spec": spec.model_dump(mode="json"),
        "pictures": [sample.digest for sample in samples],
        "cpu": cpu.instruction_class,
        "quantiser": QUANTISER_REVISION,
        "tools": {tool: _version(tool) for tool in _TOOLS},
        **what_decoding_depends_on(),
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def _version(tool: str) -> str | None:
    try:
        return importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        return None
