"""The page's scripts are joined into one; what cannot be joined is refused when the service starts."""

import re
from pathlib import Path

import pytest

from service.errors import PageBroken
from service.page_files import SCRIPT, join_scripts, read_page
from service.page_routes import FOLDER

INDEX_HTML = '<link href="page/page.css"><script src="page/page.js"></script>'
ELEMENTS = "export function find() {}\nexport async function look() {}\nexport const ALL = [];\nconst own = 1;\n"
ANSWER = 'import {\n  ALL,\n  find,\n} from "./elements.js";\nexport class Answer {}\nlet shown = find(ALL);\n'
PAGE = 'import { Answer } from "./answer.js";\nimport { look } from "./elements.js";\nlook(Answer);\n'


def folder_of(folder: Path, **sources: str) -> Path:
    """A page of three rooms, of which some are replaced."""
    rooms = {"page": PAGE, "answer": ANSWER, "elements": ELEMENTS} | sources
    for name, source in rooms.items():
        (folder / f"{name}.js").write_text(source, encoding="utf-8")
    (folder / "page.css").write_text("p { margin: 0 }", encoding="utf-8")
    (folder / "index.html").write_text(INDEX_HTML, encoding="utf-8")
    return folder


def test_each_room_comes_once_and_after_those_that_it_imports(tmp_path: Path) -> None:
    joined = join_scripts(folder_of(tmp_path))

    assert joined == (
        "// --- elements.js ---\nfunction find() {}\nasync function look() {}\nconst ALL = [];\nconst own = 1;\n"
        "// --- answer.js ---\nclass Answer {}\nlet shown = find(ALL);\n"
        "// --- page.js ---\nlook(Answer);\n"
    )


def test_the_page_names_what_is_in_script_and_style(tmp_path: Path) -> None:
    before = read_page(folder_of(tmp_path))
    after = read_page(folder_of(tmp_path, elements=ELEMENTS + "const more = 2;\n"))

    assert f'src="page/page.js?v={before[SCRIPT].tag}"'.encode() in before["index.html"].content
    assert before[SCRIPT].tag != after[SCRIPT].tag
    assert before["page.css"] == after["page.css"]
    assert before["index.html"].tag != after["index.html"].tag, "a new script is a new page"
    assert set(before) == {"index.html", "page.css", "page.js"}


@pytest.mark.parametrize(
    ("room", "source", "found"),
    [
        ("answer", ANSWER + "const own = 2;\n", "`own` is a name in elements.js, too"),
        ("answer", ANSWER + "async function find() {}\n", "`find` is a name in elements.js, too"),
        ("answer", ANSWER + "export default 3;\n", "`export default 3;` is of a form that is not joined"),
        ("answer", ANSWER + "export { shown };\n", "is of a form that is not joined"),
        ("answer", ANSWER + "const [a, b] = [1, 2];\n", "is of a form that is not joined"),
        ("page", 'import { Answer as A } from "./answer.js";\n', "is of a form that is not joined"),
        ("page", 'import * as all from "./answer.js";\n', "is of a form that is not joined"),
        ("page", 'import { Answer } from "https://a.example/answer.js";\n', "is of a form that is not joined"),
        ("page", 'import { shown } from "./answer.js";\n', "answer.js does not export shown"),
        ("page", 'import { gone } from "./gone.js";\n', "there is no gone.js"),
        ("elements", 'import { Answer } from "./answer.js";\n' + ELEMENTS, "it is imported in a circle"),
    ],
)
def test_what_cannot_be_joined_is_an_error_at_start(tmp_path: Path, room: str, source: str, found: str) -> None:
    with pytest.raises(PageBroken, match=re.escape(found)):
        read_page(folder_of(tmp_path, **{room: source}))


def test_a_page_that_names_no_script_is_an_error_at_start(tmp_path: Path) -> None:
    (folder_of(tmp_path) / "index.html").write_text('<link href="page/page.css">', encoding="utf-8")

    with pytest.raises(PageBroken, match=r'"page/page\.js" is in it 0 times'):
        read_page(tmp_path)


def test_the_script_of_the_page_has_nothing_left_that_must_be_fetched() -> None:
    assert not re.findall(r"^(?:import|export)\b|(?<!\{)\bimport\(", join_scripts(FOLDER), re.MULTILINE)
