"""The bundle: what a training run leaves behind and a service serves. Its schema, and reading it with suspicion.

A bundle is an immutable folder `<models>/<name>/<version>/`; `publish` writes them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.errors import BundleCorrupted, BundleIncomplete, BundleInvalid, ModelMissing, ModelRefused
from shared.files import sha256_of
from shared.listed_files import read_listed, require_no_link, unreadable, verify_listed
from shared.onnx_file import refuse_unsafe_model
from shared.preprocess import PreprocessSpec

SCHEMA_VERSION = 1
METADATA_FILE, MODEL_FILE, CURRENT_FILE = "bundle.json", "model.onnx", "current"
INPUT_NAME, PROBABILITIES, LOGITS, FEATURES, NOVELTY = (
    "images",
    "probabilities",
    "logits",
    "features",
    "novelty",
)

# Files whose bytes are the same for the same pictures, seed and versions; only they make the content hash.
CONTENT_FILES = (MODEL_FILE, "head.safetensors", "labels.txt", "metrics.json", "split.csv", "evidence.npy")
CONTENT_FOLDER = "golden/"

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"
VERSION_PATTERN = r"^[0-9]{8}T[0-9]{9}Z-[0-9a-f]{8}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
FILE_PATTERN = r"^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$"
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=FILE_PATTERN)]
Label = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$")]
Labels = Annotated[tuple[Label, ...], Field(min_length=2)]

_OWN_DIGEST = "metadata_sha256"
_OF_A_NEWER_TRAINER = "; if a newer trainer wrote this, update what reads it first"
MAX_METADATA_BYTES = 16 * 1024**2


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Part):
    """Digest and size of one file of the bundle."""

    sha256: Digest
    size_bytes: int = Field(ge=0)


class BackboneInfo(_Part):
    """Which frozen network the features come from, and under which terms its weights may be used."""

    name: str
    feature_size: int = Field(ge=1)
    weights: str = Field(description="Where the weights came from: a file's name, a torchvision weights enum.")
    weights_sha256: Digest
    licence: str
    graph_sha256: Digest
    taps: tuple[str, ...] = Field(
        (), description="Stages that are read beside the last one, by module; `:peaks` or `:quarters` if not averaged."
    )
    mirror: bool = Field(False, description="Features are averaged over the picture and its mirror image.")


class Thresholds(_Part):
    """Novelty above `unfamiliar` flags a picture; null when the model has no novelty, with the reason."""

    unfamiliar: float | None = None
    novelty_reason: str | None = None


class ReferenceInfo(_Part):
    """What heads predicted for pictures that they had not seen; the service tells by it whether its traffic drifts."""

    pictures: int = Field(ge=1)
    groups: int = Field(ge=1)
    effective: float = Field(ge=1, description="Independent pictures that would tell the shares as well.")
    counts: tuple[Annotated[int, Field(ge=0)], ...] = Field(description="Pictures by predicted label, as `labels`.")
    novelty_effective: float | None = Field(None, ge=1, description="The same of novelty; null where there is none.")


class SplitInfo(_Part):
    """How samples were assigned; the assignment itself, by picture digest, is in split.csv."""

    seed: int
    shares: tuple[float, float, float]
    counts: Mapping[str, int]


class EvidenceInfo(_Part):
    """Where the evidence for a label is read from; see `shared.evidence`."""

    outputs: tuple[str, ...] = Field(min_length=1, description="Outputs of the graph: the maps behind the features.")
    file: FileName = Field(description="Weights of the labels over the channels of the maps.")


class BundleMetadata(_Part):
    """The content of bundle.json, without the digest of itself that stands first in it."""

    schema_version: Literal[1] = 1
    name: Name
    labels: Labels
    spec: PreprocessSpec
    outputs: tuple[str, ...] = (PROBABILITIES, LOGITS, FEATURES)
    backbone: BackboneInfo
    precision: Literal["float32", "int8"] = "float32"
    requirements: tuple[str, ...] = ()
    metrics: Mapping[str, Any]
    thresholds: Thresholds = Thresholds()
    evidence: EvidenceInfo | None = Field(None, description="None: only occlusion tells where the evidence lies.")
    evidence_reason: str | None = None
    reference: ReferenceInfo | None = None
    manifest_digest: Digest
    split: SplitInfo
    settings: Mapping[str, Any]
    tools: Mapping[str, str]
    content_sha256: Digest
    files: Mapping[FileName, FileEntry]


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and found whole."""

    path: Path
    metadata: BundleMetadata

    @property
    def version(self) -> str:
        """The folder's name: UTC time and content hash prefix."""
        return self.path.name

    @property
    def model_path(self) -> Path:
        """The served graph."""
        return self.path / MODEL_FILE

    def read_model(self) -> bytes:
        """The served graph's bytes, verified once more: what is opened is what was looked into.

        Raises:
            BundleIncomplete, BundleCorrupted: the file was changed meanwhile.
        """
        entry = self.metadata.files[MODEL_FILE]
        return read_listed(self.path, MODEL_FILE, sha256=entry.sha256, size_bytes=entry.size_bytes)


def read_bundle(path: Path) -> Bundle:
    """Read and verify a version's folder.

    Raises:
        ModelMissing: no bundle here.
        BundleInvalid: bundle.json cannot be understood (unknown schema, bad field, path outside the folder), or the
            model does not stand on its own (foreign operators, data outside its file).
        BundleIncomplete: a listed file is missing, cut or not a plain file.
        BundleCorrupted: the SHA-256 of a file, or of bundle.json, differs.
    """
    bundle = Bundle(path=path, metadata=read_metadata(path))
    files = bundle.metadata.files
    for name, entry in files.items():
        if name != MODEL_FILE:
            verify_listed(path, name, sha256=entry.sha256, size_bytes=entry.size_bytes)
    try:
        refuse_unsafe_model(bundle.read_model())
    except ModelRefused as error:
        raise BundleInvalid(bundle.model_path, detail=str(error)) from error
    if (found := content_digest(files)) != bundle.metadata.content_sha256:
        raise BundleCorrupted(path, expected=bundle.metadata.content_sha256, found=found)
    return bundle


def read_metadata(path: Path) -> BundleMetadata:
    """Read bundle.json alone; the other files are not looked at. Raises as `read_bundle`."""
    file = path / METADATA_FILE
    raw = _read_json(file)
    if raw.get("schema_version") != SCHEMA_VERSION:
        raise BundleInvalid(file, detail=f"schema_version is {raw.get('schema_version')!r}, expected {SCHEMA_VERSION}")
    expected = raw.pop(_OWN_DIGEST, None)
    if expected != (found := _own_digest(raw)):
        raise BundleCorrupted(file, expected=str(expected), found=found)
    metadata = validate_metadata(file, raw)
    _check_names(file, metadata)
    return metadata


def format_metadata(metadata: BundleMetadata) -> bytes:
    """The bytes of bundle.json: the metadata behind a digest of itself, so that no altered label goes unnoticed.

    Numbers that are not finite become null.

    Raises:
        ValueError: a metric or setting has no JSON form.
    """
    fields = json.loads(json.dumps(metadata.model_dump(mode="json"), allow_nan=False))
    return json.dumps({_OWN_DIGEST: _own_digest(fields)} | fields, indent=1, ensure_ascii=False).encode()


def validate_metadata(file: Path, fields: Mapping[str, Any]) -> BundleMetadata:
    """Build the metadata of `file` from its fields.

    Raises:
        BundleInvalid: a field is missing, unknown or out of bounds.
    """
    try:
        return BundleMetadata.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        hint = _OF_A_NEWER_TRAINER if first["type"] == "extra_forbidden" else ""
        raise BundleInvalid(file, detail=f"{where}: {first['msg']}{hint}") from error


def content_digest(files: Mapping[str, FileEntry]) -> str:
    """SHA-256 over names and digests of the files that make up the content (not of reports and run times)."""
    content = sorted(name for name in files if name in CONTENT_FILES or name.startswith(CONTENT_FOLDER))
    lines = "".join(f"{files[name].sha256}  {name}\n" for name in content)
    return hashlib.sha256(lines.encode()).hexdigest()


def _read_json(file: Path) -> dict[str, Any]:
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelMissing(file.parent) from error
    except OSError as error:
        raise unreadable(file, error) from error
    require_no_link(file.parent, METADATA_FILE)
    try:
        if not file.is_file():  # to open a pipe might wait for ever
            raise BundleIncomplete(file, detail="not a plain file")
        if (size := file.stat().st_size) > MAX_METADATA_BYTES:
            raise BundleInvalid(file, detail=f"{size:,} bytes, at most {MAX_METADATA_BYTES:,} are expected")
        raw = json.loads(file.read_bytes(), parse_constant=_refuse_constant)
    except OSError as error:
        raise unreadable(file, error) from error
    except (ValueError, RecursionError) as error:
        raise BundleInvalid(file, detail=f"not JSON ({error})") from error
    if not isinstance(raw, dict):
        raise BundleInvalid(file, detail=f"it holds a {type(raw).__name__}, expected an object")
    return raw


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _own_digest(fields: Mapping[str, Any]) -> str:
    return sha256_of(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())


def _check_names(file: Path, metadata: BundleMetadata) -> None:
    if MODEL_FILE not in metadata.files:
        raise BundleInvalid(file, detail=f"{MODEL_FILE} is not among its files")
    if len(set(metadata.labels)) != len(metadata.labels):
        raise BundleInvalid(file, detail="a label is listed twice")
    if (reference := metadata.reference) is not None:
        _check_reference(file, reference, len(metadata.labels))


def _check_reference(file: Path, reference: ReferenceInfo, label_count: int) -> None:
    if len(reference.counts) != label_count or sum(reference.counts) != reference.pictures:
        detail = f"reference counts {sum(reference.counts)} pictures of {len(reference.counts)} labels"
        raise BundleInvalid(file, detail=f"{detail}, expected {reference.pictures} of {label_count}")
