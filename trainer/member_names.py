"""Names of files that come from elsewhere, made safe: relative, inside the folder, and none of them a program's own."""

from trainer.errors.sources import UnsafeName

_MOST_LETTERS = 300
_NOBODYS = ("__MACOSX",)  # what macOS puts beside the files of every archive


def safe_name(name: str, *, origin: str) -> str | None:
    """The name as relative path with forward slashes; None for a file that only a program left there.

    Args:
        name: as written; Windows programs write backslashes.
        origin: what holds the file, for the error.

    Raises:
        UnsafeName: it would lie outside the folder: absolute, with a drive, or with `..`.
    """
    plain = name.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if plain.startswith("/") or ".." in parts or "\0" in plain or (parts and parts[0][1:2] == ":"):
        raise UnsafeName(origin, name[:_MOST_LETTERS])
    return None if not parts or parts[0] in _NOBODYS else "/".join(parts)
