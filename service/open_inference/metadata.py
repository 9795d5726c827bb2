"""What the Open Inference Protocol is told of the service and its models."""

from collections.abc import Mapping, Sequence

from service.generation import Generation
from service.model_status import Status
from service.open_inference.answer import BYTES, FP32
from service.open_inference.request import LABEL
from service.open_inference.schemas import ModelMetadata, RepositoryEntry, TensorMetadata
from shared.bundle import FEATURES, INPUT_NAME, NOVELTY

SERVER_NAME, EXTENSIONS = "finial", ["binary_tensor_data", "classification"]
PLATFORM = "onnx_onnxv1"
_ANY = -1


def outputs_of(generation: Generation) -> Sequence[str]:
    """Names of the outputs that a model has here, in order."""
    return (*generation.bundle.metadata.outputs, LABEL)


def describe(generation: Generation) -> ModelMetadata:
    """What a model takes and gives. Picture files may be sent in place of pixels, which a shape cannot say."""
    spec = generation.bundle.metadata.spec
    files = {"also": "BYTES [-1]: picture files"}
    images = TensorMetadata(
        name=INPUT_NAME, datatype="UINT8", shape=[_ANY, spec.height, spec.width, 3], parameters=files
    )
    return ModelMetadata(
        name=generation.name,
        versions=[generation.version],
        platform=PLATFORM,
        inputs=[images],
        outputs=[_output(name, generation) for name in outputs_of(generation)],
    )


def index_of(models: Mapping[str, Status], *, ready_only: bool) -> list[RepositoryEntry]:
    """Every model that is known, or every one that is served."""
    entries = [_entry(name, status) for name, status in models.items()]
    return [entry for entry in entries if entry.state == "READY" or not ready_only]


def _output(name: str, generation: Generation) -> TensorMetadata:
    if name == LABEL:
        return TensorMetadata(name=name, datatype=BYTES, shape=[_ANY])
    return TensorMetadata(name=name, datatype=FP32, shape=[_ANY, *_row_shape(name, generation)])


def _row_shape(name: str, generation: Generation) -> list[int]:
    if name == NOVELTY:
        return []
    return [generation.bundle.metadata.backbone.feature_size if name == FEATURES else len(generation.labels)]


def _entry(name: str, status: Status) -> RepositoryEntry:
    if status.generation is not None:
        return RepositoryEntry(name=name, version=status.generation.version, state="READY")
    reason = status.failed.message if status.failed else "not loaded yet"
    return RepositoryEntry(name=name, version="", state="UNAVAILABLE", reason=reason)
