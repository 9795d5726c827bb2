"""Settings: each option declared once in a typed, frozen model, and thereby a flag, a variable and a TOML key.

Precedence: flag, FINIAL_* environment variable, the verb's table in the TOML file, its top level, default.
"""

import argparse
import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, CliApp, SettingsConfigDict

ENVIRONMENT_PREFIX = "FINIAL_"
EXIT_USAGE = 2


class FinialSettings(BaseSettings):
    """What every program's settings share."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_prefix_target="all",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_show_env_vars=True,
    )

    config: Path | None = Field(None, description="TOML file with any of these options.")

    @classmethod
    def from_command_line(cls, arguments: Sequence[str], *, program: str) -> Self:
        """Read flags, environment and TOML file; a usage error ends the process with exit code 2.

        Args:
            arguments: what follows the program's name.
            program: how the user called it, e.g. "python -m trainer train"; its last word names the TOML table.
        """
        cls.model_config["cli_prog_name"] = program
        try:
            from_file = _read_toml(cls, _config_path(arguments), table=program.split()[-1])
            return CliApp.run(cls, cli_args=list(arguments), **from_file)
        except ValidationError as error:
            _end(program, "; ".join(_sentence(cls, detail) for detail in error.errors(include_url=False)))
        except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
            _end(program, f"--config: {error}")


def _config_path(arguments: Sequence[str]) -> Path | None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", default=os.environ.get(f"{ENVIRONMENT_PREFIX}CONFIG"))
    path: str | None = parser.parse_known_args(list(arguments))[0].config
    return Path(path) if path else None


def _read_toml(cls: type[FinialSettings], path: Path | None, *, table: str) -> dict[str, Any]:
    """Options of `cls` from the file, without those that the environment overrides."""
    if path is None:
        return {}
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    shared_by_all = {key: value for key, value in content.items() if key in cls.model_fields}
    own = content.get(table, {})
    if unknown := sorted(set(own) - set(cls.model_fields)):
        raise KeyError(f"{path}: [{table}] has no option {unknown[0]!r}; it has {', '.join(sorted(cls.model_fields))}")
    merged = shared_by_all | own
    return {key: value for key, value in merged.items() if f"{ENVIRONMENT_PREFIX}{key.upper()}" not in os.environ}


def _sentence(cls: type[FinialSettings], detail: Any) -> str:
    """One validation error, named by the flag and the variable that set it."""
    reason = str(detail["msg"]).removeprefix("Value error, ")
    if not detail["loc"]:
        return reason
    field = str(detail["loc"][0])
    name = field.upper() if _is_positional(cls, field) else f"--{field.replace('_', '-')}"
    variable = f"{ENVIRONMENT_PREFIX}{field.upper()}"
    where = f"{name} (set by {variable})" if variable in os.environ else name
    return f"{where}: {reason}, found {detail['input']!r}"


def _is_positional(cls: type[FinialSettings], field: str) -> bool:
    return field in cls.model_fields and cls.model_fields[field].is_required()


def _end(program: str, message: str) -> NoReturn:
    print(f"{program}: {message}\nTry `{program} --help`.", file=sys.stderr)  # noqa: T201
    raise SystemExit(EXIT_USAGE)
