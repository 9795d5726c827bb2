"""The service's command line: what ends it before it serves, and how."""

import sys
from pathlib import Path

import pytest

from service.__main__ import main
from tests.interrupts import InterruptsImport


@pytest.mark.parametrize("module", ["service.settings", "service.server"])
def test_an_interrupt_before_it_serves_ends_with_130(
    module: str, models_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C in the first second comes while modules are imported; that deserves no traceback."""
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "meta_path", [InterruptsImport(module), *sys.meta_path])

    assert main(["--models-dir", str(models_dir)]) == 130

    assert "interrupted" in capsys.readouterr().err


def test_a_host_whose_name_cannot_be_one_is_a_usage_error(models_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The system is not even asked: Python fails to encode the name, with an error that is no OSError."""
    assert main(["--models-dir", str(models_dir), "--host", "a..b", "--port", "0"]) == 2

    assert "cannot listen on a..b" in capsys.readouterr().err
