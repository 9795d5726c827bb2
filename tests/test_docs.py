"""Documents stay true: options are those of the code, commands exist, links lead somewhere."""

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("recipes/**/*.md")])
COMMAND = re.compile(r"python -m (?:trainer|service)(?:'[^'\n]*'|[^`\n#)])*")


def command_line_writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_command_line", ROOT / "docs" / "write_command_line.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_line_page_is_that_of_the_settings() -> None:
    """A new option is documented in the change that adds it: run `python docs/write_command_line.py`."""
    assert (ROOT / "docs" / "command-line.md").read_text() == command_line_writer().page()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_a_page_exists(page: Path) -> None:
    programs = command_line_writer().programs()
    for command in COMMAND.findall(page.read_text()):
        words = shlex.split(command.replace("…", "").replace("...", "").strip().rstrip("."))
        program = " ".join(words[:3] if words[2] == "service" else words[:4])
        if program in ("python -m trainer", "python -m trainer VERB"):
            continue
        assert program in programs, f"{command!r}"
        known = {(field.alias or name).replace("_", "-") for name, field in programs[program].model_fields.items()}
        for flag in (word[2:].split("=")[0] for word in words if word.startswith("--") and word != "--help"):
            assert flag in known or flag.removeprefix("no-") in known, f"--{flag} in {command!r}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
    for target in targets:
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_holds_a_place_for_something_to_come(page: Path) -> None:
    assert not re.findall(r"^[A-Z]+_[A-Z_]+$|TODO|FIXME|\| [A-Z]+_[A-Z]+ \|", page.read_text(), re.MULTILINE)
