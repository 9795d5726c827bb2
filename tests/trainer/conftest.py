"""The fixture of a Ray cluster, which takes many seconds to start and is therefore one for all tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trainer.ray_nodes import Nodes


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """A head and two nodes with room for one worker each.

    Without tokens, which Ray would put into the home folder: nobody else is on this machine's own address.
    """
    pytest.importorskip("ray", reason="the engine `ray` needs the package ray, which is not installed here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_health_check_period_ms", "500")
        patch.setenv("RAY_health_check_initial_delay_ms", "1000")
        folder = Path(tempfile.mkdtemp(prefix="ray-"))
        found = Nodes(folder)
        try:
            found.start_head()
            found.add()
            found.add()
            yield found
        finally:
            found.stop()
            shutil.rmtree(folder, ignore_errors=True)
