"""Where data that was unpacked or fetched lies in the cache."""

from pathlib import Path

DATA_FOLDER = "data"
_ELSEWHERE = "elsewhere"


def archive_home(digest: str, cache_dir: Path) -> Path:
    """The folder that an archive with this SHA-256 is unpacked in."""
    return cache_dir / DATA_FOLDER / digest[:32]


def address_home(address_digest: str, cache_dir: Path) -> Path:
    """The folder that what lies at an address, of this SHA-256, is mirrored in."""
    return cache_dir / DATA_FOLDER / _ELSEWHERE / address_digest[:32]


def list_data(cache_dir: Path) -> list[Path]:
    """All of these folders that are there, in a fixed order; what is still being unpacked is not among them."""
    found = [*(cache_dir / DATA_FOLDER).glob("[!.]*"), *(cache_dir / DATA_FOLDER / _ELSEWHERE).glob("[!.]*")]
    return sorted(path for path in found if path.is_dir() and path.name != _ELSEWHERE)
