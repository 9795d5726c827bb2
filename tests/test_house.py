"""The house: who may import whom, where heavy libraries live, and how large a room may be.

Read from the source with `ast`, imports inside functions included, so that a room that is written tomorrow is
covered as well.
"""

import ast
import fnmatch
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("shared", "trainer", "service")
ROOMS = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

FORBIDDEN = {
    "shared": {"trainer", "service", "torch", "torchvision", "onnx", "onnxscript", "fastapi", "starlette", "uvicorn"},
    "trainer": {"service", "fastapi", "starlette", "uvicorn"},
    "service": {"trainer", "torch", "torchvision", "onnx", "onnxscript"},
}

HOMES = {
    "torchvision": {"trainer/backbones.py", "trainer/catalogue.py", "trainer/weights.py"},
    "onnxruntime": {"shared/session.py", "trainer/quantise.py"},
    "matplotlib": {"trainer/report.py", "trainer/charts.py", "trainer/compare_chart.py"},
}
"""Where a heavy library may be imported: its home, and rooms that were split from it."""

MAX_LINES = 300

HEAVY = {"torch", "torchvision", "onnx", "onnxscript", "onnxruntime", "matplotlib", "pyarrow", "jinja2", "ray"}
LIGHT_PROGRAMS = {
    "shared": "import shared.bundle, shared.decode, shared.golden, shared.publish, shared.session",
    "service": "import service.__main__",
    "trainer": "import trainer.__main__",
}


def name_of(room: Path) -> str:
    return room.relative_to(ROOT).as_posix()


def imported_modules(source: str, package: str) -> Iterator[str]:
    """Full names of all modules that a source imports, anywhere in it; `package` is what relative ones start from."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            yield ".".join([*above, *([node.module] if node.module else [])])
        elif is_import_by_name(node):
            assert isinstance(node, ast.Call)
            argument = node.args[0] if node.args else None
            assert isinstance(argument, ast.Constant), "a computed import hides from this test"
            yield str(argument.value)


def is_import_by_name(node: ast.AST) -> bool:
    """Whether it is a call of `import_module` or `__import__`."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return called in {"import_module", "__import__"}


def libraries_of(room: Path) -> set[str]:
    package = ".".join(room.relative_to(ROOT).parent.parts)
    return {module.split(".")[0] for module in imported_modules(room.read_text(encoding="utf-8"), package)}


@pytest.mark.parametrize("room", ROOMS, ids=name_of)
def test_trainer_and_service_meet_only_in_shared(room: Path) -> None:
    """And each carries only what it runs with: the service starts in a second because it never sees torch."""
    assert libraries_of(room) & FORBIDDEN[name_of(room).split("/")[0]] == set()


@pytest.mark.parametrize("library", HOMES)
def test_a_heavy_library_is_imported_only_at_home(library: str) -> None:
    found = {name_of(room) for room in ROOMS if library in libraries_of(room)}

    assert found <= HOMES[library]


def test_no_room_is_too_large() -> None:
    lines = {name_of(room): len(room.read_text(encoding="utf-8").splitlines()) for room in ROOMS}

    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


@pytest.mark.parametrize("package", LIGHT_PROGRAMS)
def test_a_program_starts_without_heavy_libraries(package: str) -> None:
    """They are imported when they are used: `--help` answers at once."""
    program = f"import sys; {LIGHT_PROGRAMS[package]}; print(*sorted(set(sys.modules) & {HEAVY!r}))"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )

    assert run.stdout == "\n"


# --- the test of the test ---


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch.nn as nn", {"torch.nn"}),
        ("from trainer.head import Head", {"trainer.head"}),
        ("def late():\n    import onnx", {"onnx"}),
        ("if TYPE_CHECKING:\n    from fastapi import FastAPI", {"fastapi"}),
        ("try:\n    import a, b\nexcept ImportError:\n    import c", {"a", "b", "c"}),
        ("from . import pool", {"service"}),
        ("from .. import trainer", {""}),
        ("from .page import index", {"service.page"}),
        ("importlib.import_module('torch')", {"torch"}),
        ("__import__('torch')", {"torch"}),
        ("'import torch'", set()),
    ],
)
def test_imports_are_found_wherever_they_are(source: str, found: set[str]) -> None:
    assert set(imported_modules(source, "service")) == found


def test_an_import_whose_name_is_computed_is_not_accepted() -> None:
    with pytest.raises(AssertionError, match="hides"):
        list(imported_modules("importlib.import_module(name)", "service"))


def test_every_room_is_looked_at() -> None:
    assert {name_of(room).split("/")[0] for room in ROOMS} == set(PACKAGES)
    assert "shared/decode.py" in map(name_of, ROOMS)


def test_every_folder_of_rooms_is_packed() -> None:
    """Setuptools packs the packages that it is told, and none inside them."""
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]

    assert set(packed) == {".".join(room.relative_to(ROOT).parent.parts) for room in ROOMS}


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_no_python_is_packed_as_well(package: str) -> None:
    """Setuptools packs .py files alone unless told; without its weights an installed trainer has no backbone."""
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"].get(package, [])
    others = {path.relative_to(ROOT / package).as_posix() for path in (ROOT / package).rglob("*.*") if path.is_file()}

    unpacked = {name for name in others if not name.endswith((".py", ".pyc"))}
    assert [name for name in unpacked if not any(fnmatch.fnmatch(name, pattern) for pattern in packed)] == []
