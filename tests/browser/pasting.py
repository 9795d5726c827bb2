"""A terminal with a shell in it, into which something is pasted as a person does."""

import os
import pty
import select
import subprocess
import time
from pathlib import Path

PROMPT = b"finial-prompt> "
SHELL = ("setsid", "--ctty", "bash", "--norc", "--noprofile", "-i")  # its own terminal: interrupts are for it


def paste_into_a_terminal(text: str, folder: Path) -> str:
    """Pastes into bash in that folder, as where pastes are not marked as such; what is said until all is done."""
    (folder / "inputrc").write_text("set enable-bracketed-paste off\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment = {**kept, "PS1": PROMPT.decode(), "INPUTRC": str(folder / "inputrc"), "HISTFILE": ""}
    terminal, end = pty.openpty()
    with subprocess.Popen(SHELL, stdin=end, stdout=end, stderr=end, cwd=folder, env=environment) as shell:
        os.close(end)
        try:
            _read_until(terminal, PROMPT)
            os.write(terminal, text.encode() + b"\n")
            os.write(terminal, b"echo all-is-'done'\n")
            return _read_until(terminal, b"all-is-done").decode(errors="replace")
        finally:
            os.close(terminal)
            shell.kill()


def _read_until(terminal: int, wanted: bytes) -> bytes:
    said, end = b"", time.monotonic() + 20
    while wanted not in said:
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"the shell said only {said!r}"
        said += os.read(terminal, 65536)
    return said
