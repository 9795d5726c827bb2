"""Where data is, as a user writes it: what an archive or a table is called, and the data in it."""

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator

from shared.addresses import local_path

Location = Annotated[str, BeforeValidator(lambda value: os.fspath(value) if isinstance(value, os.PathLike) else value)]
"""A path, or an address such as s3://bucket/flowers.zip, whose two slashes a Path would make one."""

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz")


def archive_suffix(name: str) -> str:
    """The suffix that says that a file is an archive, in any case; "" if none does."""
    return max((suffix for suffix in ARCHIVE_SUFFIXES if name.lower().endswith(suffix)), key=len, default="")


def last_name(location: str) -> str:
    """The last part of the location: the name of the file or folder that it leads to."""
    if (path := local_path(location)) is not None:
        return path.resolve().name
    parts = urlsplit(location)
    return unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.netloc.rpartition("@")[2]


def stem(location: str) -> str:
    """The name of the data: its last name without the suffix of an archive or a file."""
    name, path = last_name(location), local_path(location)
    if suffix := archive_suffix(name):
        return name[: -len(suffix)]
    is_file = path.is_file() if path is not None else name.lower().endswith((".csv", ".tsv"))
    return Path(name).stem if is_file else name
