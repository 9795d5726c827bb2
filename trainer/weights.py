"""Where a backbone's weights come from: a local file, torchvision's cache, or torchvision's download. Always hashed."""

import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from shared.files import sha256_of_file
from trainer.catalogue import NANO, BackboneEntry, get_entry
from trainer.errors import UsageError
from trainer.errors.backbones import WeightsDamaged, WeightsMissing, WeightsUnreadable

PUBLISHED_AT = "https://download.pytorch.org/models"
PUBLISHED = "torchvision "
"""What `Weights.source` begins with where they are published ones."""
NANO_FILE = Path(__file__).with_name("nano.safetensors")

_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.(?:pth|pt|safetensors)$")
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Weights:
    """A weights file that was found and hashed.

    Attributes:
        path: the file.
        sha256: of its bytes, 64 hex digits.
        source: for people: a file's name, a torchvision weights enum, or "embedded".
    """

    path: Path
    sha256: str
    source: str


def find_weights(
    entry: BackboneEntry, weights_file: Path | None, *, download: bool, weights_url: str | None = None
) -> Weights:
    """The weights of a backbone: the named file, else what is embedded or cached, else a download.

    Args:
        entry: the backbone, with the weights that are wanted.
        weights_file: a local file instead; whether it fits is seen when it is loaded.
        download: fetch what is not cached; otherwise nothing touches the network.
        weights_url: where published files are downloaded from instead of torchvision's own address, e.g. a mirror
            inside a firewall.

    Raises:
        WeightsMissing: not there, and not downloaded or not to be downloaded.
        WeightsUnreadable: the named or cached file cannot be read.
        WeightsDamaged: the file's SHA-256 does not begin as its name says.
        UsageError: a file was named for the embedded backbone.
    """
    if entry.name == NANO:
        if weights_file is not None:
            raise UsageError(f"nano carries its own weights; leave out --weights {weights_file}, or name its backbone.")
        return Weights(NANO_FILE, sha256_of_file(NANO_FILE), "embedded")
    if weights_file is not None:
        return _hashed(weights_file, source=weights_file.name)
    path = cached_file(entry)
    if not path.is_file():
        if not download:
            raise _missing(entry, f"{path.name} is not cached, and a download was not asked for by naming the backbone")
        _download(entry, path, weights_url or PUBLISHED_AT)
    return _hashed(path, source=f"{PUBLISHED}{entry.weights_name}")


def fetch_weights(name: str, *, weights_url: str | None = None) -> Weights:
    """Download the usual weights of a backbone ahead of time, unless they are cached.

    Raises:
        UnknownBackbone: no such name.
        WeightsMissing: they cannot be downloaded.
        WeightsDamaged: the cached file is not the one its name says.
    """
    return find_weights(get_entry(name), None, download=True, weights_url=weights_url)


def cached_file(entry: BackboneEntry) -> Path:
    """Where torchvision keeps the published weights of an entry, whether they are there or not.

    Read from the environment as torch.hub does it, so that asking does not load torch.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    torch_home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))  # noqa: PTH118 (may start with ~)
    return Path(torch_home).expanduser() / "hub" / "checkpoints" / entry.weights_file


def is_cached(entry: BackboneEntry) -> bool:
    """Whether the weights can be had without a network."""
    return entry.name == NANO or cached_file(entry).is_file()


def verify_unchanged(weights: Weights) -> None:
    """The file is still the one that was found.

    Raises:
        WeightsDamaged: it is not.
    """
    if (found := sha256_of_file(weights.path)) != weights.sha256:
        raise WeightsDamaged(weights.path, expected=weights.sha256, found=found)


def _hashed(path: Path, *, source: str) -> Weights:
    try:
        sha256 = sha256_of_file(path)
    except OSError as error:
        raise WeightsUnreadable(path, f"cannot be read ({error.strerror})") from error
    named = _HASH_IN_NAME.search(path.name)
    if named and not sha256.startswith(named[1]):
        raise WeightsDamaged(path, expected=named[1], found=sha256)
    return Weights(path, sha256, source)


def _download(entry: BackboneEntry, path: Path, base_url: str) -> None:
    """Torch's own download: beside, hash-checked, then renamed; what is left of a failed one is removed."""
    from torch.hub import download_url_to_file

    url = f"{base_url.rstrip('/')}/{path.name}"
    named = _HASH_IN_NAME.search(path.name)
    assert named is not None  # every published file carries its hash; a test sees to it  # noqa: S101
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _patience():
            download_url_to_file(url, str(path), hash_prefix=named[1], progress=sys.stderr.isatty())
    except (OSError, HTTPException, ValueError, RuntimeError) as error:  # RuntimeError: the hash is another
        raise _missing(entry, f"{url} could not be downloaded: {error}") from error


@contextmanager
def _patience() -> Iterator[None]:
    """torch.hub sets no timeout, and a firewall that drops packets would hang it for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _missing(entry: BackboneEntry, detail: str) -> WeightsMissing:
    path = cached_file(entry)
    return WeightsMissing(entry.name, file=path.name, folder=path.parent, detail=detail)
