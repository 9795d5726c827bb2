import gc
import subprocess
import sys

import pytest

from trainer.torch_ahead import quietly, without_collector


def test_torch_is_whole_once_the_thread_is_through() -> None:
    program = (
        "import sys; from trainer.torch_ahead import import_torch_ahead; before = 'torch' in sys.modules; "
        "import_torch_ahead().join(); print(before, sys.modules['torch'].ones(2).sum().item())"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr, done.returncode) == ("False 2.0\n", "", 0)


def test_who_needs_torch_meanwhile_waits_for_it_and_gets_all_of_it() -> None:
    program = (
        "from trainer.torch_ahead import import_torch_ahead; import_torch_ahead(); import torch; "
        "print(torch.ones(3).sum().item())"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr, done.returncode) == ("3.0\n", "", 0)


def test_without_torch_nothing_is_said_before_somebody_needs_it() -> None:
    """The error belongs to the import that fails, with its own trace."""
    program = (
        "import sys; sys.modules['torch'] = None; from trainer.torch_ahead import import_torch_ahead; "
        "import_torch_ahead().join(); print('went on')"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr, done.returncode) == ("went on\n", "", 0)


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
