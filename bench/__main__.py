"""The measurements of this folder: lists them, or runs those that are named.

python -m bench                          every measurement with what it measures
python -m bench predict pool             these, one after the other
python -m bench predict --quick          options go to each that is named
"""

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
EXIT_USAGE = 2


def measurements() -> dict[str, str]:
    """Name -> the first line of what each program of this folder says of itself.

    One whose name begins with another's (`featurize_sides`) is a part of that one, and not listed.
    """
    sources = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.py"))}
    found = {name: first_line(text) for name, text in sources.items() if name != "__main__" and is_program(text)}
    return {name: line for name, line in found.items() if not any(name.startswith(f"{other}_") for other in found)}


def is_program(source: str) -> bool:
    """Whether it does something when it is run."""
    return any(
        isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
        for node in ast.parse(source).body
    )


def first_line(source: str) -> str:
    """Of its docstring."""
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names, and from the first option on what goes to each of them."""
    count = next((place for place, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    return list(arguments[:count]), list(arguments[count:])


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: of the first measurement that fails, if one does."""
    names, options = split(arguments)
    known = measurements()
    if unknown := [name for name in names if name not in known]:
        sys.stderr.write(f"unknown {', '.join(unknown)}; choose of {', '.join(known)}\n")
        return EXIT_USAGE
    if not names:
        width = max(map(len, known))
        print("\n".join([f"{name:{width}}  {line}" for name, line in known.items()]))
        return 0
    codes = (
        subprocess.run([sys.executable, "-m", f"bench.{name}", *options], check=False).returncode for name in names
    )
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
