"""One Compose project for the whole session: both images are built once, and everything is removed at the end."""

import os
import socket
from collections.abc import Iterator

import pytest

from tests.container.engine import BUILD_TIMEOUT_S, Project, why_no_engine


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Both images, built, and an empty data folder of the host's."""
    if (reason := why_no_engine()) is not None:
        if os.environ.get("FINIAL_REQUIRE_ENGINE") == "1":
            pytest.fail(f"the containers could not be tested: {reason}, and FINIAL_REQUIRE_ENGINE=1")
        pytest.skip(f"needs a Docker engine with Compose: {reason}")
    data = tmp_path_factory.mktemp("data")
    data.chmod(0o755)  # what the engine gives a folder that it makes itself: root's, and nobody else's to write
    project = Project(name=f"finial-test-{os.getpid()}", data=data, port=free_port())
    try:
        for service in ("service", "trainer"):
            project("build", service, timeout_s=BUILD_TIMEOUT_S).or_fail()
        yield project
    finally:
        project.remove()


@pytest.fixture
def anyio_backend() -> str:
    """The clients' loop."""
    return "asyncio"


def free_port() -> int:
    """One that nobody listens at just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
