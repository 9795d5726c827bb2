"""Writes docs/command-line.md from the settings models, so that the page cannot drift. Run it from the checkout."""

import sys
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings.sources.types import _CliPositionalArg

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "command-line.md"

INTRODUCTION = """# Command line

Every option is a flag, an environment variable and a TOML key at the same time. Precedence: flag, variable, the verb's
table in the TOML file, its top level, default. `--config finial.toml` (or `FINIAL_CONFIG`) names the file:

```toml
models_dir = "/srv/models"      # for every verb

[train]
seed = 7
split = [0.8, 0.0, 0.2]

[service]
port = 8000
```

A key is the flag's name, with `-` or `_`; positional arguments are no keys. An empty variable counts as not set. A
table that no verb has, or a key in a verb's table that is none of its options, ends the start; a top-level key that no
verb of the program has is noted on stderr (it may be the other program's).

Progress goes to stderr: a bar on a terminal, JSON lines elsewhere. Results go to stdout; with `--json` as JSON.

| Exit code | Means |
| --- | --- |
| 0 | done |
| 2 | usage or settings; a path that cannot be read or written; a model or version that is not there |
| 3 | bad data; `predict`: none of the pictures could be used |
| 4 | a gate failed, nothing was published |
| 130 | interrupted; the cache keeps what was done |
"""


def page() -> str:
    """The whole page."""
    return INTRODUCTION + "".join(_section(program, settings) for program, settings in programs().items())


def programs() -> dict[str, Any]:
    """Settings model by how the user calls it."""
    from service.key_settings import KeysListSettings, KeysNewSettings, KeysRemoveSettings
    from service.settings import ServiceSettings
    from trainer import settings
    from trainer.compare_settings import CompareSettings

    return {
        "python -m trainer train": settings.TrainSettings,
        "python -m trainer audit": settings.AuditSettings,
        "python -m trainer compare": CompareSettings,
        "python -m trainer evaluate": settings.EvaluateSettings,
        "python -m trainer predict": settings.PredictSettings,
        "python -m trainer backbones": settings.BackbonesSettings,
        "python -m trainer cache": settings.CacheSettings,
        "python -m trainer rollback": settings.RollbackSettings,
        "python -m trainer sample": settings.SampleSettings,
        "python -m service": ServiceSettings,
        "python -m service.keys new": KeysNewSettings,
        "python -m service.keys list": KeysListSettings,
        "python -m service.keys remove": KeysRemoveSettings,
    }


def _section(program: str, settings: Any) -> str:
    fields = settings.model_fields
    positional = [name for name, field in fields.items() if _is_positional(field)]
    call = " ".join([program, *(name.upper() for name in positional), "[options]"])
    rows = "".join(
        _row(name, field) for name, field in fields.items() if name != "config" and not _is_positional(field)
    )
    arguments = "".join(f"- `{name.upper()}`: {fields[name].description}\n" for name in positional)
    summary = " ".join((settings.__doc__ or "").split())
    return (
        f"\n## {program}\n\n{summary}\n\n```\n{call}\n```\n\n{arguments}\n"
        f"| Flag | Variable | Default | |\n| --- | --- | --- | --- |\n{rows}"
    )


def _is_positional(field: FieldInfo) -> bool:
    return _CliPositionalArg in field.metadata


def _row(name: str, field: FieldInfo) -> str:
    name = field.alias or name
    flag = f"--{name.replace('_', '-')}"
    if field.annotation is bool and field.default is True:
        flag = f"--no-{name.replace('_', '-')}"
    return f"| `{flag}` | `FINIAL_{name.upper()}` | {_default(field.default)} | {field.description} |\n"


def _default(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return f"`{','.join(f'{part:g}' if isinstance(part, float) else str(part) for part in value)}`" if value else ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(page(), encoding="utf-8")
