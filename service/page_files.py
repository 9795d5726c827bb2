"""The files of the try-it page as they are sent: the scripts of `service/page/` joined into one.

The scripts are rooms that import each other. A browser would fetch them one after the other, and during an upgrade
might get rooms of two versions; it gets one script, and the page names it and the style by what is in them.
What is joined is plain on purpose, and all else is refused when the service starts: names of the outermost level are
unique across all rooms, and imports and exports have only the forms below. Whatever JavaScript means, it means the
same before and after.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.errors import PageBroken

INDEX, SCRIPT, STYLE = "index.html", "page.js", "page.css"
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

_IMPORT = re.compile(r"""^import \{\s*((?:\w+,\s*)*\w+),?\s*\} from "\./([\w-]+\.js)";\n""", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function \w|const \w|class \w)", re.MULTILINE)
_NAME = re.compile(r"^(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
_NOT_JOINED = re.compile(r"^(?:import\b|export\b|var\b|function\*|(?:const|let) *[\[{]).*", re.MULTILINE)


@dataclass(frozen=True)
class PageFile:
    """A file of the page as it is sent; the tag is of its content."""

    content: bytes
    media_type: str
    tag: str


def read_page(folder: Path) -> dict[str, PageFile]:
    """What is sent, by name: the page, its style, its icon, and one script.

    Raises PageBroken if the scripts cannot be joined, or if the page does not name script and style.
    """
    script = _file(SCRIPT, join_scripts(folder).encode())
    rest = {path.name: _file(path.name, path.read_bytes()) for path in sorted(folder.iterdir()) if _goes_as_it_is(path)}
    files = {**rest, SCRIPT: script}
    page = files[INDEX].content.decode()
    for name in (SCRIPT, STYLE):
        page = _replaced(page, f'"page/{name}"', f'"page/{name}?v={files[name].tag}"')
    return {**files, INDEX: _file(INDEX, page.encode())}


def join_scripts(folder: Path) -> str:
    """One script of all that page.js imports, directly or not: each room after those that it imports.

    Raises PageBroken for a room with other forms of import or export, for an import of what is not exported, for a
    circle of imports and for two things of one name.
    """
    sources: dict[str, str] = {}
    _collect(folder, SCRIPT, (), sources)
    owners: dict[str, str] = {}
    for room, source in sources.items():
        for name in _NAME.findall(_EXPORT.sub("", source)):
            if name in owners:
                raise PageBroken(room, f"`{name}` is a name in {owners[name]}, too")
            owners[name] = room
    return "".join(f"// --- {room} ---\n{_bare(source)}" for room, source in sources.items())


def _collect(folder: Path, room: str, importers: tuple[str, ...], sources: dict[str, str]) -> None:
    """Puts a room's source behind those that it imports."""
    if room in importers:
        raise PageBroken(room, f"it is imported in a circle: {' -> '.join((*importers, room))}")
    if room in sources:
        return
    path = folder / room
    if not path.is_file():
        raise PageBroken(importers[-1] if importers else room, f"there is no {room}")
    source = path.read_text(encoding="utf-8")
    if strange := _NOT_JOINED.search(_bare(source)):
        raise PageBroken(room, f"`{strange.group()}` is of a form that is not joined")
    for names, imported in _imports(source):
        _collect(folder, imported, (*importers, room), sources)
        if missing := names - _exported(sources[imported]):
            raise PageBroken(room, f"{imported} does not export {', '.join(sorted(missing))}")
    sources[room] = source


def _imports(source: str) -> Iterator[tuple[set[str], str]]:
    for names, room in _IMPORT.findall(source):
        yield set(re.findall(r"\w+", names)), room


def _exported(source: str) -> set[str]:
    return {found[1] for export in _EXPORT.finditer(source) if (found := _NAME.match(source[export.end() :]))}


def _bare(source: str) -> str:
    """Without imports, and with nothing exported."""
    return _EXPORT.sub("", _IMPORT.sub("", source))


def _goes_as_it_is(path: Path) -> bool:
    return path.suffix in MEDIA_TYPES and path.suffix != ".js"


def _file(name: str, content: bytes) -> PageFile:
    return PageFile(content, MEDIA_TYPES[Path(name).suffix], hashlib.sha256(content).hexdigest()[:32])


def _replaced(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise PageBroken(INDEX, f"{old} is in it {text.count(old)} times, instead of once")
    return text.replace(old, new)
