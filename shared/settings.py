"""Settings: each option declared once in a typed, frozen model, and thereby a flag, a variable and a TOML key.

Precedence: flag, FINIAL_* environment variable, the verb's table in the TOML file, its top level, default.
"""

import argparse
import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, CliApp, SettingsConfigDict, SettingsError

from shared.addresses import shown
from shared.complaints import expectation
from shared.config_file import Config, read_config
from shared.errors import ConfigInvalid
from shared.help_page import flag_of, help_page, is_positional

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
        cli_exit_on_error=False,
    )

    help_groups: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Headings of `--help`, and the options under each."""
    replaced_options: ClassVar[Mapping[str, str]] = {}
    """Flags of former versions, each with the flag that took its place."""
    variables_in_help: ClassVar[bool] = False
    """Whether `--help` names the variable with each option: for programs that containers start."""

    config: Path | None = Field(None, description="TOML file with any of these options.")

    @classmethod
    def from_command_line(cls, arguments: Sequence[str], *, program: str) -> Self:
        """Read flags, environment and TOML file; a usage error ends the process with exit code 2.

        Args:
            arguments: what follows the program's name.
            program: how the user called it, e.g. "python -m trainer train"; its last word names the TOML table.
        """
        cls.model_config["cli_prog_name"] = program
        if {"-h", "--help"} & {*_before_files(arguments)}:
            _show(help_page(cls, cls.help_groups, program=program, variables=cls.variables_in_help))
        if unknown := _unknown_flag(cls, arguments):
            _end(program, unknown)
        config = Config()
        try:
            if path := _config_path(arguments, program):
                table, known = program.split()[-1], _options(*_all_settings())
                config = read_config(path, table=table, options=_options(cls), known=known)
            for note in config.notes:
                print(f"{program}: {note}", file=sys.stderr)  # noqa: T201
            from_file = {key: value for key, value in config.values.items() if not _variable(key)}
            return CliApp.run(cls, cli_args=list(arguments), **from_file)
        except ValidationError as error:
            _end(
                program,
                "; ".join(
                    _sentence(cls, arguments, config, detail) for detail in _merged(error.errors(include_url=False))
                ),
            )
        except SettingsError as error:
            _end(program, _in_short(str(error)))
        except ConfigInvalid as error:
            _end(program, str(error))


def _config_path(arguments: Sequence[str], program: str) -> Path | None:
    parser = argparse.ArgumentParser(program, add_help=False, allow_abbrev=False)
    parser.add_argument("--config", default=_variable("config"))
    path: str | None = parser.parse_known_args(list(arguments))[0].config
    return Path(path) if path else None


def _all_settings(above: type[FinialSettings] = FinialSettings) -> set[type[FinialSettings]]:
    """The settings of all verbs of the running program."""
    return {above}.union(*(_all_settings(below) for below in above.__subclasses__()))


def _options(*settings: type[FinialSettings]) -> set[str]:
    """Names of what may be set by a file: positional arguments and the file itself may not."""
    fields = [item for cls in settings for item in cls.model_fields.items() if not is_positional(item[1])]
    return {field.alias or name for name, field in fields} - {"config"}


def _before_files(arguments: Sequence[str]) -> Sequence[str]:
    """The arguments before `--`; what follows it is no option, whatever it begins with."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _unknown_flag(cls: type[FinialSettings], arguments: Sequence[str]) -> str:
    """A sentence about the first flag that the verb does not have; "" if it has them all."""
    flags = {flag_of(name, field) for name, field in cls.model_fields.items() if not is_positional(field)}
    flags |= {f"--no-{flag[2:]}" for flag in flags}
    given = [word.partition("=")[0] for word in _before_files(arguments) if word.startswith("--")]
    for word in given:
        if successor := cls.replaced_options.get(word):
            return f"unknown option {word}; {successor} took its place"
        if not any(flag.startswith(word) for flag in flags):  # a flag may be shortened
            close = difflib.get_close_matches(word, sorted(flags), n=1)
            return f"unknown option {word}" + (f"; did you mean {close[0]}?" if close else "")
    return ""


def _variable(option: str) -> str:
    """What the environment says of an option; an empty variable counts as not set, and case does not matter."""
    wanted = f"{ENVIRONMENT_PREFIX}{option}".upper()
    return next((value for name, value in os.environ.items() if name.upper() == wanted and value), "")


def _in_short(complaint: str) -> str:
    """What argparse says of arguments that it cannot read, without the list of all options before it."""
    said = complaint.rpartition("error parsing CLI: ")[2].removeprefix("argument ")
    said = said.replace("ignored explicit argument", "takes no value, found")
    hint = "; switches such as --json take no value" if said.startswith("unrecognized arguments") else ""
    return f"{said}{hint}"


def _merged(details: Sequence[Any]) -> list[dict[str, Any]]:
    """What was wrong with each value: an option that takes a word or a number, and got neither, erred once."""
    merged: dict[tuple[Any, str], dict[str, Any]] = {}
    for number, detail in enumerate(details):
        key = (detail["loc"][0] if detail["loc"] else number, repr(detail["input"]))
        if key in merged:
            merged[key]["reason"] += f" or {expectation(detail).removeprefix('expected ')}"
        else:
            merged[key] = dict(detail) | {"reason": expectation(detail)}
    return list(merged.values())


def _sentence(cls: type[FinialSettings], arguments: Sequence[str], config: Config, detail: Any) -> str:
    """One validation error, named by the flag and by what set it, if that was not the flag."""
    if not detail["loc"]:
        return str(detail["reason"])
    option = str(detail["loc"][0])
    is_option = option in _options(cls)
    flag = f"--{option.replace('_', '-')}" if is_option else option.upper()
    where = "" if not is_option or flag in {word.partition("=")[0] for word in arguments} else _where(option, config)
    found = detail["input"]
    return f"{flag}{where}: {detail['reason']}, found {(shown(found) if isinstance(found, str) else found)!r}"


def _where(option: str, config: Config) -> str:
    if _variable(option):
        return f" (set by {ENVIRONMENT_PREFIX}{option.upper()})"
    return " (set in the TOML file)" if option in config.values else ""


def _show(page: str) -> NoReturn:
    try:
        print(page, flush=True)  # noqa: T201
    except BrokenPipeError:  # whoever read has read enough; Python's own flush at exit is to stay silent as well
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(0)


def _end(program: str, message: str) -> NoReturn:
    print(f"{program}: {message}\nTry `{program} --help`.", file=sys.stderr)  # noqa: T201
    raise SystemExit(EXIT_USAGE)
