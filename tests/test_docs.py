"""Documents stay true: options are those of the code, commands exist, links lead somewhere."""

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
DECISIONS = {int(path.name[:4]): path for path in ROOT.glob("docs/decisions/[0-9]*.md")}
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("recipes/**/*.md")])
FOLDERS = ("trainer", "shared", "service", "tests", "bench", "examples", "recipes", "docs", "deploy", "requirements")
TEXT = {".md", ".py", ".yml", ".yaml", ".toml", ".js", ".txt"}
DECISION = re.compile(r"\bdecisions?[ /]0*(\d+)", re.IGNORECASE)
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


def test_every_decision_that_is_named_anywhere_is_there() -> None:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in TEXT]
    named = {
        (str(path.relative_to(ROOT)), int(number))
        for path in [*files, *ROOT.glob("*.md"), ROOT / "Makefile"]
        for number in DECISION.findall(path.read_text("utf-8"))
    }

    assert len(named) > 80
    assert sorted((name, number) for name, number in named if number not in DECISIONS) == []


def test_decisions_are_numbered_and_their_page_says_which_numbers_were_never_given() -> None:
    """So that nobody looks for one that there never was."""
    page = (ROOT / "docs" / "decisions" / "README.md").read_text()
    (never,) = re.findall(r"Numbers ([0-9, and]+) were never given", page)
    gaps = set(range(1, max(DECISIONS))) - DECISIONS.keys()

    assert {int(number) for number in re.findall(r"\d+", never)} == gaps
    assert {number: path.read_text().splitlines()[0].split(".")[0] for number, path in DECISIONS.items()} == {
        number: f"# {number}" for number in DECISIONS
    }
