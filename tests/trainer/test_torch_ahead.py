import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.pictures_on_disk import write_folder
from trainer.torch_ahead import quietly, without_collector

ROOT = Path(__file__).parents[2]


def run(*arguments: str, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own; modules are looked for in `path` first."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{path}{os.pathsep}{ROOT}"},
        timeout=120,
    )


def write_torch(folder: Path, content: str) -> Path:
    """A package of that name."""
    (folder / "torch").mkdir(parents=True)
    (folder / "torch" / "__init__.py").write_text(content)
    return folder


JOINED = "[thread.join() for thread in threading.enumerate() if thread.name == 'import-torch']"
START = "import sys, threading, time\nfrom trainer.torch_ahead import torch_ahead\n"


def ahead(*lines: str) -> str:
    """A program that does this while torch is imported."""
    return f"{START}with torch_ahead():\n" + "\n".join(f"    {line}" for line in lines)


def test_torch_is_whole_once_the_thread_is_through() -> None:
    done = run("-c", ahead("print('torch' in sys.modules)", JOINED, "print(sys.modules['torch'].ones(2).sum().item())"))

    assert (done.stdout, done.stderr, done.returncode) == ("False\n2.0\n", "", 0)


def test_who_needs_torch_meanwhile_waits_for_it_and_gets_all_of_it() -> None:
    done = run("-c", ahead("import torch", "print(torch.ones(3).sum().item())"))

    assert (done.stdout, done.stderr, done.returncode) == ("3.0\n", "", 0)


def test_without_torch_nothing_is_said_before_somebody_needs_it() -> None:
    done = run("-c", "import sys; sys.modules['torch'] = None\n" + ahead(JOINED, "print('went on')"))

    assert (done.stdout, done.stderr, done.returncode) == ("went on\n", "", 0)


REFUSES_A_SECOND_IMPORT = """
import sys, time
if hasattr(sys, "torch_was_here"):
    raise ImportError("torch can only be initialized once per process")
sys.torch_was_here = True
time.sleep(0.2)
raise RuntimeError("the true reason")
"""


@pytest.mark.parametrize("first", [JOINED, "while not hasattr(sys, 'torch_was_here'): time.sleep(0.001)"])
def test_who_needs_a_torch_that_cannot_be_imported_gets_the_reason_and_not_that_of_a_second_import(
    first: str, tmp_path: Path
) -> None:
    """It asks for torch when that has failed, or waits for it while it fails, and then has half of it."""
    done = run("-c", ahead(first, "import torch", "torch.ones(3)"), path=write_torch(tmp_path, REFUSES_A_SECOND_IMPORT))

    assert done.stderr.splitlines()[-1] == "RuntimeError: the true reason"
    assert done.returncode == 1


def test_an_error_that_has_nothing_to_do_with_torch_is_itself(tmp_path: Path) -> None:
    done = run("-c", ahead(JOINED, "import no_such_module"), path=write_torch(tmp_path, "whole = True"))

    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'no_such_module'"


TELLS_WHO_IS_THERE = """
import threading
with open(__file__ + ".threads", "a") as file:
    print(*sorted(thread.name for thread in threading.enumerate()), file=file)
raise RuntimeError("told enough")
"""


def told(folder: Path) -> list[str]:
    """Which threads there were at each import of such a torch."""
    file = folder / "torch" / "__init__.py.threads"
    return file.read_text().splitlines() if file.exists() else []


def train(pictures: Path, tmp_path: Path, *, path: Path) -> subprocess.CompletedProcess[str]:
    folders = ("--models-dir", str(tmp_path / "models"), "--cache-dir", str(tmp_path / "cache"))
    return run("-m", "trainer", "train", str(pictures), "--backbone", "nano", *folders, path=path)


def test_train_imports_torch_on_its_thread(tmp_path: Path) -> None:
    """Reading features and comparing pictures go on meanwhile (decision 54)."""
    torch = write_torch(tmp_path / "packages", TELLS_WHO_IS_THERE)

    train(write_folder(tmp_path / "pictures"), tmp_path, path=torch)

    assert "import-torch" in told(torch)[0].split()


def test_data_that_cannot_be_learned_from_are_refused_without_torch(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    torch = write_torch(tmp_path / "packages", TELLS_WHO_IS_THERE)

    done = train(tmp_path / "pictures", tmp_path, path=torch)

    assert done.returncode == 3
    assert told(torch) == []


INTERRUPTS_TWICE = """
import os, signal, time
os.kill(os.getpid(), signal.SIGINT)
time.sleep(10)
os.kill(os.getpid(), signal.SIGINT)
time.sleep(600)
"""


def test_an_interrupt_while_torch_is_imported_ends_the_run_at_once(tmp_path: Path) -> None:
    """Ctrl-C comes in the middle of an import that would take ten minutes. It comes twice for Python's sake: a signal
    just before the main thread begins to wait for a lock does not wake it (with torch itself that is over in a second).
    """
    interrupts = write_torch(tmp_path / "packages", INTERRUPTS_TWICE)

    done = train(write_folder(tmp_path / "pictures"), tmp_path, path=interrupts)

    assert done.returncode == 130
    assert "interrupted; the cache keeps what was done" in done.stderr
    assert not (tmp_path / "models").exists() or not list((tmp_path / "models").rglob("current"))


def test_an_error_is_left_to_those_who_need_what_it_was_about() -> None:
    quietly(lambda: 1 / 0)


@pytest.mark.parametrize("is_on", [True, False])
def test_the_collector_is_as_it_was_afterwards_even_after_an_error(*, is_on: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if is_on else gc.disable)()
        with pytest.raises(KeyError), without_collector():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == is_on
    finally:
        (gc.enable if before else gc.disable)()
