"""Where something is, as a user writes it: a path, or an address such as s3://bucket/models."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_IN_TEXT = re.compile(rf"({_ADDRESS.pattern})(?:[^\s/?#@]*@)?([^\s?#]*)(?:[?#]\S*)?")


def is_address(location: str) -> bool:
    """Whether it is an address (`https://...`) rather than a path."""
    return _ADDRESS.match(location) is not None


def local_path(location: str) -> Path | None:
    """The path that is meant, also by a file:// address; None for what lies elsewhere."""
    if not is_address(location):
        return Path(location)
    return Path(unquote(urlsplit(location).path)) if location.lower().startswith("file://") else None


def names_a_machine(location: str) -> bool:
    """Whether a file:// address names another machine: in file://data/flowers, data is one, and no folder."""
    return location.lower().startswith("file://") and urlsplit(location).netloc.lower() not in ("", "localhost")


def shown(location: str) -> str:
    """The location as it may be printed and stored: without password, key or signature."""
    if not is_address(location):
        return location
    parts = urlsplit(location)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def without_secrets(text: str, location: str) -> str:
    """A message of others as it may be printed: what addresses in it may hold besides their paths is cut off.

    Args:
        text: any; libraries quote an address in their own way before they repeat it.
        location: the one that is known to be spoken of.
    """
    if is_address(location):
        text = text.replace(location, shown(location))
    text = _IN_TEXT.sub(r"\1\2", text)
    parts = urlsplit(location) if is_address(location) else None
    for secret in (parts.query, parts.fragment, parts.password) if parts else ():
        for spelling in (secret, unquote(secret)) if secret else ():
            text = text.replace(spelling, "...")
    return text
