"""What somebody does with the page, and what is then seen."""

import base64
import os
from pathlib import Path

from playwright.sync_api import Locator, Page, expect


def choose(page: Page, *pictures: Path) -> None:
    """As through the dialog that the button opens."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pictures").click()
    chooser.value.set_files([str(picture) for picture in pictures])


def answered(page: Page, count: int = 1) -> Locator:
    """The labels of all answers, as soon as there are so many."""
    labels = page.locator(".said-label")
    expect(labels).to_have_count(count)
    return labels


def problem(page: Page) -> Locator:
    note = page.locator(".problem")
    expect(note).to_have_count(1)
    return note


def printed(page: Page, language: str) -> str:
    """The code that is shown."""
    return page.locator(f"#{language} code").text_content() or ""


def quiet_environment() -> dict[str, str]:
    """For programs that ask a service here: without a proxy."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def drop(page: Page, *files: tuple[str, str, bytes], into: str = "body") -> None:
    """As dragged from a folder: (name, type, content)."""
    _give(page, "drop", files, into)


def paste(page: Page, *files: tuple[str, str, bytes], into: str = "body") -> None:
    _give(page, "paste", files, into)


def _give(page: Page, how: str, files: tuple[tuple[str, str, bytes], ...], into: str) -> None:
    sent = [[name, kind, base64.b64encode(content).decode()] for name, kind, content in files]
    page.evaluate(
        """([how, files, into]) => {
            const data = new DataTransfer();
            for (const [name, type, content] of files) {
                const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
                data.items.add(new File([bytes], name, { type }));
            }
            const options = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data };
            const event = how === "drop" ? new DragEvent("drop", options) : new ClipboardEvent("paste", options);
            document.querySelector(into).dispatchEvent(event);
        }""",
        [how, sent, into],
    )
