"""A signal during the start ends it, even where a library swallows the exception that says so."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.early_signals import EarlySignals
from tests.service.running import ROOT

SWALLOWS = """
import pathlib, signal, sys
import service.settings
from service import __main__

class Finder:  # stands for a library that takes any failure of an import for its own
    def find_spec(self, name, path, target=None):
        if name == "fastapi":
            try:
                signal.raise_signal(getattr(signal, sys.argv[1]))
            except BaseException:
                print("swallowed", file=sys.stderr)

sys.meta_path.insert(0, Finder())
sys.exit(__main__.main(["--models-dir", sys.argv[2], "--port", "0"]))
"""


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_breaks_off_and_is_remembered(number: int, error: type[BaseException]) -> None:
    before = signal.getsignal(number)

    with EarlySignals() as early, contextlib.suppress(error):
        signal.raise_signal(number)

    assert early.came
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_what_a_library_makes_of_it_is_turned_back(number: int, error: type[BaseException]) -> None:
    """As pydantic does while it builds a model: the start is broken off, and has not failed."""
    with pytest.raises(error), EarlySignals():
        try:
            signal.raise_signal(number)
        except BaseException as broken_off:
            raise ValueError("the model cannot be built") from broken_off


def test_an_error_without_a_signal_is_one() -> None:
    with pytest.raises(ValueError, match="built"), EarlySignals():
        raise ValueError("the model cannot be built")


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_signal_that_an_import_swallows_still_ends_the_service(tmp_path: Path, number: str) -> None:
    """It came once and will not come again: without a memory the service would serve for ever."""
    command = [sys.executable, "-c", SWALLOWS, number, str(tmp_path)]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert "swallowed" in ended.stderr
    assert ended.returncode == 0
