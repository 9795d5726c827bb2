"""The commands and programs that the pages show, as somebody copies them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(
        ROOT / "README.md",
        ROOT / "docs" / "http-api.md",
        ROOT / "docs" / "operations.md",
        ROOT / "docs" / "open-inference.md",
        ROOT / "docs" / "try-it.md",
    ),
    *sorted((ROOT / "docs" / "problems").glob("*.md")),
]
_BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^(python -m|curl|make|docker) ", re.MULTILINE)
_COMMENT = re.compile(r"\s+# .*$", re.MULTILINE)


@dataclass(frozen=True)
class Shown:
    """A command of a shell, or a whole program in Python."""

    page: str
    language: str
    text: str


def unlabelled_on(page: Path) -> list[str]:
    """Commands in a block that does not say it is of a shell, so that nobody would run them."""
    blocks = [text for language, text in _FENCE.findall(page.read_text("utf-8")) if language != "bash"]
    return [block for block in blocks if _COMMAND.search(block)]


def shown_on(page: Path) -> list[Shown]:
    """All of a page, in order; a command ends with its line, unless there is a backslash."""
    name = page.relative_to(ROOT).as_posix()
    found = []
    for language, text in _BLOCK.findall(page.read_text("utf-8")):
        if language == "python":
            found.append(Shown(name, language, text))
        else:
            lines = _COMMENT.sub("", text).replace("\\\n", " ").splitlines()
            found += [Shown(name, language, line.strip()) for line in lines if line.strip() and line[0] != "#"]
    return found
