"""`python -m service.keys new | list | remove`: makes the keys that `python -m service --api-keys FILE` asks for.

Exit codes: 0 done, 2 usage, a file that cannot be used, or a name that is taken or not there.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from service.access_errors import KeyNotShown
from service.access_settings import KeyFileSettings
from service.key_file import KeyEntry, Right, entry_of, new_key, read_keys, text_of, with_key, without_key
from service.key_settings import KeysListSettings, KeysNewSettings, KeysRemoveSettings
from shared.errors import FinialError
from shared.files import write_atomically
from shared.lock import locked

PROGRAM = "python -m service.keys"
EXIT_DONE, EXIT_USAGE = 0, 2

_OWN = 0o600
_WAIT_S = 10.0


def main(arguments: Sequence[str]) -> int:
    """Run one verb. Returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help") or arguments[0] not in VERBS:
        asked = bool(arguments) and arguments[0] in ("-h", "--help")
        print(_overview(), file=sys.stdout if asked else sys.stderr)
        return EXIT_DONE if asked else EXIT_USAGE
    verb, *rest = arguments
    try:
        VERBS[verb](rest)
    except FinialError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(_in_words(error))
    return EXIT_DONE


def new(arguments: Sequence[str]) -> None:
    """Make a key."""
    settings = KeysNewSettings.from_command_line(arguments, program=f"{PROGRAM} new")
    key, path, name = new_key(), _file_of(settings), _name_of(settings)
    rights: list[Right] = ["admin", "predict"] if settings.admin else ["predict"]
    entry = entry_of(key, rights=rights, per_minute=settings.per_minute, expires=settings.expires)
    with _held(path):
        text = text_of(path) if path.exists() else ""
        _write(path, with_key(path, text, name, entry))
        try:
            _show(key)
        except OSError as error:  # nobody would ever know it
            _write(path, text)
            raise KeyNotShown(path, name, error.strerror or str(error)) from error
    sys.stderr.write(f"{name} was added to {path}. Its key is shown only now; only its hash is kept.\n")


def _show(key: str) -> None:
    try:
        print(key, flush=True)  # noqa: T201
    except OSError:
        with contextlib.suppress(OSError):
            sys.stdout.close()  # what is left in it would be tried again at the end
        raise


def list_(arguments: Sequence[str]) -> None:
    """List the keys."""
    settings = KeysListSettings.from_command_line(arguments, program=f"{PROGRAM} list")
    for name, entry in sorted(read_keys(_file_of(settings)).items()):
        print(f"{name}  {_line_of(entry)}")  # noqa: T201


def remove(arguments: Sequence[str]) -> None:
    """Take a key out."""
    settings = KeysRemoveSettings.from_command_line(arguments, program=f"{PROGRAM} remove")
    path, name = _file_of(settings), _name_of(settings)
    with _held(path):
        _write(path, without_key(path, text_of(path), name))
    sys.stderr.write(f"{name} was removed from {path}; running services notice within a second.\n")


VERBS: dict[str, Callable[[Sequence[str]], None]] = {"new": new, "list": list_, "remove": remove}


def _file_of(settings: KeyFileSettings) -> Path:
    if settings.api_keys is None:
        raise SystemExit(_complain("which file? Name it by --api-keys FILE, or by FINIAL_API_KEYS."))
    return settings.api_keys.resolve()  # a link stays one, and the file it leads to is replaced


def _name_of(settings: KeysNewSettings | KeysRemoveSettings) -> str:
    if settings.name is None:
        raise SystemExit(_complain("what is the key called? Say it by --name NAME."))
    return settings.name


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Nobody else changes the file meanwhile: two who write at once would lose a key."""
    with locked(path.with_name(f".{path.name}.lock"), wait_s=_WAIT_S):
        yield


def _write(path: Path, text: str) -> None:
    """A new file is its owner's alone; one that is there stays whose it is, and as open as it is."""
    before = path.stat() if path.exists() else None
    write_atomically(path, text.encode(), mode=_OWN)
    if before is not None:
        with contextlib.suppress(PermissionError):
            os.chown(path, before.st_uid, before.st_gid)
        path.chmod(before.st_mode & 0o777)


def _in_words(error: OSError) -> str:
    told = error.strerror or str(error)
    return told if error.filename is None else f"{error.filename}: {told}. Name another file by --api-keys."


def _line_of(entry: KeyEntry) -> str:
    limit = "" if entry.per_minute is None else f", {entry.per_minute} a minute"
    end = "" if entry.expires is None else f", until {entry.expires.isoformat()}"
    end += "" if entry.is_valid(datetime.now(UTC)) else " EXPIRED"
    return f"{'+'.join(entry.rights)}{limit}{end}"


def _overview() -> str:
    return f"usage: {PROGRAM} {' | '.join(VERBS)} ...\n\n`{PROGRAM} VERB --help` lists a verb's options."


def _complain(message: str) -> int:
    sys.stderr.write(f"{PROGRAM}: {message}\n")
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
