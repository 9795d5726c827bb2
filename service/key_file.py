"""The file of API keys: one line of TOML for each, by name, with the SHA-256 of the key instead of the key.

A key is a random token of 256 bits. Slow hashes (scrypt, argon2) protect what people choose and others may guess; a
token of that length cannot be guessed from its SHA-256, and a slow hash would be a means to keep the service busy.
"""

import os
import re
import secrets
import stat
import tomllib
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from service.access_errors import KeyFileInvalid, KeyNameTaken, KeyNameUnknown
from shared.complaints import expectation
from shared.files import sha256_of

Right = Literal["predict", "admin"]

KEY_PREFIX, KEY_BYTES = "finial_", 32
MAX_KEYS = 1000
"""Each request is compared with every key."""
MAX_FILE_BYTES = 1024**2
"""Ten times what so many keys take."""
NAME_OF_KEY = r"^[A-Za-z0-9_-]{1,64}$"

KeyName = Annotated[str, StringConstraints(pattern=NAME_OF_KEY)]
PerMinute = Annotated[int, Field(ge=1, le=10_000_000)]


class KeyEntry(BaseModel):
    """What is known of one key.

    Attributes:
        sha256: of the whole key, prefix included, as 64 hex digits.
        rights: `admin` for the verbs below /admin, `predict` for all else that is not open.
        per_minute: how many requests it may make; None for as many as it likes.
        expires: the last day, UTC, on which it is valid; None for no end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    rights: Annotated[list[Right], Field(min_length=1)] = Field(default=["predict"])
    per_minute: PerMinute | None = None
    expires: date | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether it may be used at a moment."""
        return self.expires is None or now.astimezone(UTC).date() <= self.expires


KeyEntries = Mapping[str, KeyEntry]

_ENTRIES: TypeAdapter[dict[KeyName, KeyEntry]] = TypeAdapter(dict[KeyName, KeyEntry])


def read_keys(path: Path) -> KeyEntries:
    """The keys of a file, by name.

    Raises:
        KeyFileInvalid: it cannot be read, or is not as it must be.
    """
    return parse_keys(path, text_of(path))


def text_of(path: Path) -> str:
    """The file's content. Raises KeyFileInvalid: it cannot be read, is no file, or is too large for one of keys."""
    try:
        data = _first_bytes(path, MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise KeyFileInvalid(path, f"it has more than {MAX_FILE_BYTES:,} bytes")
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise KeyFileInvalid(path, "it is not UTF-8") from error
    except OSError as error:
        raise KeyFileInvalid(path, error.strerror or str(error)) from error


def _first_bytes(path: Path, count: int) -> bytes:
    """Of a file; what is none (a pipe without a writer) could keep whoever reads it waiting, and is not read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise KeyFileInvalid(path, "it is no regular file")
        return file.read(count)


def parse_keys(path: Path, text: str) -> KeyEntries:
    """The keys that a text lists; `path` is only for the error.

    Raises:
        KeyFileInvalid: what is written there is told without the values: somebody may have put a key there.
    """
    try:
        found = _ENTRIES.validate_python(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise KeyFileInvalid(path, f"it is not TOML ({error})") from error
    except RecursionError:
        raise KeyFileInvalid(path, "it is nested too deeply") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"][:2] if part != "[key]")
        told = f"{where}: {expectation(first)}"  # pydantic's own message shows the values
        raise KeyFileInvalid(path, told) from None
    if len(found) > MAX_KEYS:
        raise KeyFileInvalid(path, f"it has {len(found):,} keys, at most {MAX_KEYS:,} are taken")
    if twice := _twice([entry.sha256 for entry in found.values()]):
        names = [name for name, entry in found.items() if entry.sha256 in twice]
        raise KeyFileInvalid(path, f"{' and '.join(names)} are the same key")
    return found


def new_key() -> str:
    """A key that nobody has."""
    return KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)


_PREDICT: tuple[Right, ...] = ("predict",)


def entry_of(
    key: str, *, rights: Collection[Right] = _PREDICT, per_minute: int | None = None, expires: date | None = None
) -> KeyEntry:
    """What the file says of a key."""
    return KeyEntry(sha256=sha256_of(key.encode()), rights=sorted(set(rights)), per_minute=per_minute, expires=expires)


def with_key(path: Path, text: str, name: str, entry: KeyEntry) -> str:
    """The file's text with one more key; all else stays as it is written.

    Raises:
        KeyNameTaken: there is one of this name.
        KeyFileInvalid: the text is not as it must be.
    """
    if name in parse_keys(path, text):
        raise KeyNameTaken(path, name)
    line = f"{name} = {_inline(entry)}\n"
    longer = _before_tables(text, line)
    if parse_keys(path, longer).get(name) != entry:
        raise KeyFileInvalid(path, f"a line for {name} cannot be added; add it by hand: {line.strip()}")
    return longer


def without_key(path: Path, text: str, name: str) -> str:
    """The file's text without one key.

    Raises:
        KeyNameUnknown: there is none of this name.
        KeyFileInvalid: its entry is not one line, so that it must be removed by hand.
    """
    before = parse_keys(path, text)
    if name not in before:
        raise KeyNameUnknown(path, name, choices=sorted(before))
    line = re.compile(rf'^\s*"?{re.escape(name)}"?\s*=')
    shorter = "".join(each for each in text.splitlines(keepends=True) if not line.match(each))
    expected = {other: entry for other, entry in before.items() if other != name}
    try:
        is_right = parse_keys(path, shorter) == expected
    except KeyFileInvalid:
        is_right = False
    if not is_right:
        raise KeyFileInvalid(path, f"the entry of {name} is not a line by itself; remove it by hand")
    return shorter


def _before_tables(text: str, line: str) -> str:
    """What stands behind a `[table]` of TOML would be part of it."""
    begin = re.search(r"^\s*\[", text, re.MULTILINE)
    at = begin.start() if begin else len(text)
    gap = "\n" if at and not text[:at].endswith("\n") else ""
    return f"{text[:at]}{gap}{line}{text[at:]}"


def _inline(entry: KeyEntry) -> str:
    rights = ", ".join(f'"{right}"' for right in entry.rights)
    parts = [f'sha256 = "{entry.sha256}"', f"rights = [{rights}]"]
    parts += [f"per_minute = {entry.per_minute}"] if entry.per_minute is not None else []
    parts += [f"expires = {entry.expires.isoformat()}"] if entry.expires is not None else []
    return f"{{ {', '.join(parts)} }}"


def _twice(values: list[str]) -> set[str]:
    return {value for value in values if values.count(value) > 1} if len(set(values)) < len(values) else set()
