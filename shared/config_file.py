"""The TOML file of options: top-level keys for every verb, one table a verb. What nobody knows is never passed over."""

import difflib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.errors import ConfigInvalid

TABLES = ("train", "audit", "compare", "evaluate", "predict", "backbones", "cache", "rollback", "sample", "service")
"""Every verb of the trainer, and the service: one file may serve them all."""


@dataclass(frozen=True)
class Config:
    """What a file says to one verb.

    Attributes:
        values: by option.
        notes: a sentence about each top-level key that sets nothing in the program that is running.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_config(path: Path, *, table: str, options: Collection[str], known: Collection[str]) -> Config:
    """Read the options of one verb; a key may be written with '-' or '_'.

    Args:
        path: of the file.
        table: of the verb; it beats the top level.
        options: of the verb.
        known: of all verbs of the running program. Those of another program cannot be told from slips: a top-level
            key that is not among them is noted instead of refused.

    Raises:
        ConfigInvalid: the file cannot be read, has a table that no verb has, or an option that the verb does not have.
    """
    content = _parse(path)
    tables = {*TABLES, table}
    _check_tables(path, content, tables)
    own = _by_option(path, content.get(table, {}), where=f"[{table}]")
    everyones = _by_option(path, {key: content[key] for key in content.keys() - tables}, where="the top level")
    if unknown := sorted(own.keys() - set(options)):
        has = f"it has {', '.join(sorted(options))}"
        raise ConfigInvalid(path, f"[{table}] has no option {unknown[0]!r}{_meant(unknown[0], options)}; {has}")
    notes = [
        f"{path}: no option {key!r} here{_meant(key, known)}; it sets nothing."
        for key in sorted(everyones.keys() - set(known))
    ]
    return Config({key: value for key, value in everyones.items() if key in options} | own, tuple(notes))


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin UTF-8 with a mark
    except OSError as error:
        raise ConfigInvalid(path, f"cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise ConfigInvalid(path, f"byte {error.object[error.start]:#04x} at {error.start} is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(path, f"is not TOML: {error}") from error


def _check_tables(path: Path, content: Mapping[str, Any], tables: Collection[str]) -> None:
    for key, value in content.items():
        if key in tables and not isinstance(value, dict):
            raise ConfigInvalid(path, f"{key} = {str(value)[:40]}, expected a table [{key}]")
        if key not in tables and isinstance(value, dict):
            choices = ", ".join(f"[{name}]" for name in sorted(tables))
            raise ConfigInvalid(path, f"unknown table [{key}]{_meant(key, tables)}; choose one of {choices}")


def _by_option(path: Path, content: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    options = {key.replace("-", "_"): value for key, value in content.items()}
    if len(options) < len(content):
        raise ConfigInvalid(path, f"{where} sets an option twice, once with '-' and once with '_'")
    return options


def _meant(word: str, choices: Collection[str]) -> str:
    close = difflib.get_close_matches(word, sorted(choices), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
