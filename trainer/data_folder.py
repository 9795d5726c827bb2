"""Where data that was unpacked or fetched lies in the cache."""

import secrets
from pathlib import Path

DATA_FOLDER = "data"
STAGING_PREFIX = ".staging-"
"""Names of folders that are being filled or removed; nothing in them is ever used."""
ELSEWHERE = "elsewhere"


def archive_home(digest: str, cache_dir: Path) -> Path:
    """The folder that an archive with this SHA-256 is unpacked in."""
    return cache_dir / DATA_FOLDER / digest[:32]


def address_home(address_digest: str, cache_dir: Path) -> Path:
    """The folder that what lies at an address, of this SHA-256, is mirrored in."""
    return cache_dir / DATA_FOLDER / ELSEWHERE / address_digest[:32]


def aside(home: Path) -> Path:
    """Take its name from what is to be removed, so that a half of it never passes for the whole; where it is now.

    Raises:
        OSError: it cannot be renamed.
    """
    data = home.parent.parent if home.parent.name == ELSEWHERE else home.parent
    return home.rename(data / f"{STAGING_PREFIX}{secrets.token_hex(8)}")


def list_data(cache_dir: Path) -> list[Path]:
    """All of these folders that are there, in a fixed order; what is still being unpacked is not among them."""
    found = [*(cache_dir / DATA_FOLDER).glob("[!.]*"), *(cache_dir / DATA_FOLDER / ELSEWHERE).glob("[!.]*")]
    return sorted(path for path in found if path.is_dir() and path.name != ELSEWHERE)


def is_archive_home(home: Path) -> bool:
    """Whether it is what an archive is unpacked in, not a mirror."""
    return home.parent.name != ELSEWHERE
