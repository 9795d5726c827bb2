"""From a version's folder to a generation that may be served: read, verify, open, warm, golden check."""

import logging
from pathlib import Path

import numpy as np

from service.batching import NO_BATCHING, Batching
from service.generation import Generation
from service.memory import give_back_memory
from service.runner import SessionRunner
from shared.bundle import INPUT_NAME, NOVELTY, PROBABILITIES, Bundle, read_bundle
from shared.cpu_features import Cpu, read_cpu
from shared.errors import BundleInvalid
from shared.evidence import read_evidence
from shared.golden import check_golden
from shared.openvino import OPENVINO
from shared.session import CUDA, AnyProvider, Session, open_session

logger = logging.getLogger(__name__)

MIB = 1024**2


def open_generation(
    name: str,
    path: Path,
    *,
    provider: AnyProvider = "cpu",
    cpu: Cpu | None = None,
    cores: int = 1,
    wide_lane_max_mb: int = 256,
    batching: Batching = NO_BATCHING,
) -> Generation:
    """Read, verify, open and warm a version, and replay its golden check.

    Args:
        name: the name to serve it under.
        path: the version's folder.
        provider: where to compute.
        cpu: what must meet the bundle's requirements; this machine's by default.
        cores: what a wide run may use; 1 for narrow runs only.
        wide_lane_max_mb: largest model file, in MiB, that is opened a second time for wide runs.
        batching: when pictures of several requests are run together, and how many.

    Raises:
        RequirementMissing: the CPU does not meet them.
        BundleError: the bundle is damaged, or the model does not keep what its metadata promises.
        SessionError: ONNX Runtime does not open it.
    """
    bundle = read_bundle(path)
    (cpu or read_cpu()).require(bundle.metadata.requirements, path=path)
    model = bundle.read_model()
    narrow = open_session(model, provider=provider, threads=1, runs=cores)
    check_tensors(bundle, narrow)
    warm_up(bundle, narrow)
    warnings = (*([str(narrow.without_gpu)] if narrow.without_gpu else []), *check_golden(bundle, narrow))
    wide, batches = None, batching.suits(narrow)
    if cores > 1 and narrow.provider != CUDA and (batches or len(model) <= wide_lane_max_mb * MIB):
        wide = open_session(
            model, provider="openvino" if narrow.provider == OPENVINO else "cpu", threads=cores, spinning="briefly"
        )
        check_golden(bundle, wide)
    outputs = wanted_outputs(bundle)
    runner = batching.open(wide or narrow, outputs, bundle) if batches else SessionRunner(narrow, wide, outputs=outputs)
    give_back_memory()
    return Generation(name, bundle, runner, evidence=read_evidence(bundle), warnings=warnings, on_close=_on_close)


def wanted_outputs(bundle: Bundle) -> tuple[str, ...]:
    """The outputs that an answer is made of: probabilities, then novelty if the graph knows it."""
    return (PROBABILITIES, NOVELTY) if NOVELTY in bundle.metadata.outputs else (PROBABILITIES,)


def check_tensors(bundle: Bundle, session: Session) -> None:
    """Compare the graph's declared inputs and outputs with the metadata.

    Raises:
        BundleInvalid: a name or a shape differs.
    """
    spec, label_count, evidence = bundle.metadata.spec, len(bundle.metadata.labels), bundle.metadata.evidence
    if session.input_name != INPUT_NAME:
        raise BundleInvalid(bundle.model_path, detail=f"its input is {session.input_name!r}, expected {INPUT_NAME!r}")
    promised = {PROBABILITIES, *bundle.metadata.outputs, *(evidence.outputs if evidence else ())}
    if missing := sorted(promised - set(session.output_names)):
        raise BundleInvalid(bundle.model_path, detail=f"it has no output {missing[0]!r}, bundle.json lists it")
    _check_shape(bundle, session, INPUT_NAME, (None, spec.height, spec.width, 3))
    _check_shape(bundle, session, PROBABILITIES, (None, label_count))


def warm_up(bundle: Bundle, session: Session) -> None:
    """Run once on a tensor shaped by the metadata, so that no request pays for the first run.

    Raises:
        BundleInvalid: the run fails, or its answer has another shape than the metadata promises.
    """
    spec = bundle.metadata.spec
    images = np.zeros((1, spec.height, spec.width, 3), np.uint8)
    try:
        found = session.run(images, bundle.metadata.outputs)
    except Exception as error:  # ONNX Runtime's exception types are private and many
        raise BundleInvalid(
            bundle.model_path, detail=f"its first run fails ({' '.join(str(error).split())[:200]})"
        ) from error
    shapes = {name: values.shape for name, values in zip(bundle.metadata.outputs, found, strict=True)}
    expected = {
        PROBABILITIES: (1, len(bundle.metadata.labels)),
        NOVELTY: (1,),
    }
    for name, shape in shapes.items():
        if shape != expected.get(name, shape):
            raise BundleInvalid(
                bundle.model_path, detail=f"output {name!r} has shape {shape}, expected {expected[name]}"
            )


def _check_shape(bundle: Bundle, session: Session, name: str, expected: tuple[int | None, ...]) -> None:
    found = session.shape_of(name)
    fits = len(found) == len(expected) and all(
        side == wanted or side is None or wanted is None for side, wanted in zip(found, expected, strict=True)
    )
    if not fits:
        raise BundleInvalid(bundle.model_path, detail=f"{name!r} has shape {found}, its metadata says {expected}")


def _on_close(generation: Generation) -> None:
    give_back_memory()
    logger.info("generation closed", extra={"model": generation.name, "version": generation.version})
