"""`--help`, written from the settings: arguments first, then options under headings, as wide as the terminal."""

import shutil
import textwrap
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, CliPositionalArg

_POSITIONAL = get_args(CliPositionalArg[str])[1]  # what marks a field as positional
_WIDEST = 100
_COLUMN = 26
_WORDS = {int: "N", float: "X", Path: "PATH"}


def help_page(
    settings: type[BaseSettings], groups: Mapping[str, tuple[str, ...]], *, program: str, variables: bool = False
) -> str:
    """The page.

    Args:
        settings: whose options are explained.
        groups: names of fields by the heading that they go under; whatever is in no group comes last.
        program: how the user calls it.
        variables: name the environment variable with each option, instead of once for all.
    """
    width = max(40, min(_WIDEST, shutil.get_terminal_size().columns))
    fields = settings.model_fields
    positional = [name for name, field in fields.items() if is_positional(field)]
    lines = [_usage(program, {name: fields[name] for name in positional}), ""]
    lines += textwrap.wrap(" ".join((settings.__doc__ or "").split()), width)
    lines += [""] if positional else []
    for name in positional:
        lines += _entry(name.upper(), fields[name].description or "", width)
    for heading, names in _headed(fields, groups):
        lines += ["", f"{heading}:"]
        for name in names:
            flag = _flag(name, fields[name])
            text = _explained(fields[name]).removeprefix(f"{flag} ")
            lines += _entry(flag, f"{text} {_variable(name, fields[name])}" if variables else text, width)
    return "\n".join([*lines, "", *textwrap.wrap(_everywhere(fields), width)])


def is_positional(field: FieldInfo) -> bool:
    """Whether it is an argument rather than an option."""
    return _POSITIONAL in field.metadata


def flag_of(name: str, field: FieldInfo) -> str:
    """The flag that sets a field."""
    return f"--{(field.alias or name).replace('_', '-')}"


def _variable(name: str, field: FieldInfo) -> str:
    return f"FINIAL_{flag_of(name, field)[2:].replace('-', '_').upper()}"


def _usage(program: str, positional: Mapping[str, FieldInfo]) -> str:
    arguments = [
        name.upper() + ("..." if get_origin(field.annotation) is list else "") for name, field in positional.items()
    ]
    optional = [not field.is_required() for field in positional.values()]
    shown = [f"[{one}]" if may_lack else one for one, may_lack in zip(arguments, optional, strict=True)]
    return " ".join(["usage:", program, *shown, "[options]"])


def _headed(fields: Mapping[str, FieldInfo], groups: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, list[str]]]:
    placed = {name for names in groups.values() for name in names}
    rest = [name for name, field in fields.items() if name not in placed and not is_positional(field)]
    for heading, names in groups.items():
        if there := [name for name in names if name in fields]:
            yield heading, there
    if rest:
        yield ("Other" if placed & fields.keys() else "Options"), rest


def _flag(name: str, field: FieldInfo) -> str:
    flag = flag_of(name, field)
    if field.annotation is bool:
        return f"--no-{flag[2:]}" if field.default is True else flag
    return f"{flag} {_metavar(field.annotation)}"


def _metavar(annotation: Any) -> str:
    """What stands for the value; an option that may be left unset shows its other types."""
    if get_origin(annotation) in (Union, types.UnionType):
        shown = [_metavar(one) for one in get_args(annotation) if one is not type(None)]
        if not any(one.startswith("{") for one in shown):
            return shown[0]
        words_first = sorted(shown, key=lambda one: not one.startswith("{"))
        return "{" + ",".join(one.strip("{}") for one in words_first) + "}"
    if get_origin(annotation) is Literal:
        return "{" + ",".join(map(str, get_args(annotation))) + "}"
    if get_origin(annotation) is tuple:
        return ",".join("..." if one is Ellipsis else _metavar(one) for one in get_args(annotation))
    if get_origin(annotation) is not None and hasattr(annotation, "__metadata__"):
        return _metavar(get_args(annotation)[0])
    return next((word for kind, word in _WORDS.items() if annotation is kind), "TEXT")


def _explained(field: FieldInfo) -> str:
    default = field.default
    if default is None or isinstance(default, bool) or default == ():
        return field.description or ""
    shown = (
        ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in default)
        if isinstance(default, tuple)
        else str(default)
    )
    return f"{field.description} [{shown}]"


def _entry(name: str, text: str, width: int) -> list[str]:
    head = f"  {name}"
    lines = textwrap.wrap(text, width - _COLUMN) or [""]
    if len(head) > _COLUMN - 2:
        return [head, *(" " * _COLUMN + line for line in lines)]
    return [head.ljust(_COLUMN) + lines[0], *(" " * _COLUMN + line for line in lines[1:])]


def _everywhere(fields: Mapping[str, FieldInfo]) -> str:
    options = ((name, field) for name, field in fields.items() if not is_positional(field) and name != "config")
    name, field = next(options, ("config", fields["config"]))
    return (
        f"Every option is an environment variable as well ({flag_of(name, field)} is {_variable(name, field)}) and a "
        "key of a TOML file, which --config names. A flag goes before a variable, and that before the file."
    )
