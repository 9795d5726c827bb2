"""The bundle: what a training run leaves behind and a service serves. Its schema, and reading it with suspicion.

A bundle is an immutable folder `<models>/<name>/<version>/`; `publish` writes them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.errors import BundleCorrupted, BundleIncomplete, BundleInvalid, ModelMissing
from shared.files import sha256_of_file
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
CONTENT_FILES = (MODEL_FILE, "head.safetensors", "labels.txt", "metrics.json", "split.csv")
CONTENT_FOLDER = "golden/"

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"
VERSION_PATTERN = r"^[0-9]{8}T[0-9]{9}Z-[0-9a-f]{8}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Labels = Annotated[tuple[str, ...], Field(min_length=2)]


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


class Thresholds(_Part):
    """Novelty above `unfamiliar` flags a picture; null when the model has no novelty, with the reason."""

    unfamiliar: float | None = None
    novelty_reason: str | None = None


class SplitInfo(_Part):
    """How samples were assigned; the assignment itself, by picture digest, is in split.csv."""

    seed: int
    shares: tuple[float, float, float]
    counts: Mapping[str, int]


class BundleMetadata(_Part):
    """The content of bundle.json."""

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
    manifest_digest: Digest
    split: SplitInfo
    settings: Mapping[str, Any]
    tools: Mapping[str, str]
    content_sha256: Digest
    files: Mapping[str, FileEntry]


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


def read_bundle(path: Path) -> Bundle:
    """Read and verify a version's folder.

    Raises:
        ModelMissing: no bundle here.
        BundleInvalid: bundle.json cannot be understood: unknown schema, bad field, path outside the folder.
        BundleIncomplete: a listed file is missing.
        BundleCorrupted: a file's SHA-256 differs.
    """
    metadata = read_metadata(path)
    for name, entry in metadata.files.items():
        _verify_file(path / name, entry)
    if (found := content_digest(metadata.files)) != metadata.content_sha256:
        raise BundleCorrupted(path, expected=metadata.content_sha256, found=found)
    return Bundle(path=path, metadata=metadata)


def read_metadata(path: Path) -> BundleMetadata:
    """Read bundle.json alone; the other files are not looked at. Raises as `read_bundle`."""
    file = path / METADATA_FILE
    if not file.is_file():
        raise ModelMissing(path)
    try:
        raw = json.loads(file.read_bytes())
        if not isinstance(raw, dict) or raw.get("schema_version") != SCHEMA_VERSION:
            found = raw.get("schema_version") if isinstance(raw, dict) else type(raw).__name__
            raise BundleInvalid(file, detail=f"schema_version is {found!r}, expected {SCHEMA_VERSION}")
        metadata = BundleMetadata.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleInvalid(file, detail=f"{where}: {first['msg']}") from error
    except ValueError as error:
        raise BundleInvalid(file, detail=f"not JSON ({error})") from error
    _check_names(file, metadata)
    return metadata


def content_digest(files: Mapping[str, FileEntry]) -> str:
    """SHA-256 over names and digests of the files that make up the content (not of reports and run times)."""
    content = sorted(name for name in files if name in CONTENT_FILES or name.startswith(CONTENT_FOLDER))
    lines = "".join(f"{files[name].sha256}  {name}\n" for name in content)
    return hashlib.sha256(lines.encode()).hexdigest()


def _check_names(file: Path, metadata: BundleMetadata) -> None:
    if MODEL_FILE not in metadata.files:
        raise BundleInvalid(file, detail=f"{MODEL_FILE} is not among its files")
    if len(set(metadata.labels)) != len(metadata.labels):
        raise BundleInvalid(file, detail="a label is listed twice")
    for name in metadata.files:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or "\\" in name or any(part in ("..", ".", "") for part in parts):
            raise BundleInvalid(file, detail=f"{name!r} does not name a file inside the bundle")


def _verify_file(path: Path, entry: FileEntry) -> None:
    try:
        if path.is_symlink() or not path.is_file():
            raise BundleIncomplete(path, detail="listed in bundle.json, but missing or not a plain file")
        if (size := path.stat().st_size) != entry.size_bytes:
            raise BundleIncomplete(path, detail=f"{size:,} bytes, bundle.json says {entry.size_bytes:,}")
        if (found := sha256_of_file(path)) != entry.sha256:
            raise BundleCorrupted(path, expected=entry.sha256, found=found)
    except OSError as error:
        raise BundleIncomplete(path, detail=f"cannot be read ({error.strerror})") from error
