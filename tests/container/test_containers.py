"""Both images, built and run with Compose, in the order in which a user meets them."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.container.engine import Project, compose_command, run

pytestmark = pytest.mark.container

PICTURES_PER_CLASS = "60"
WAIT_S = 60.0


class Served:
    """The running service as a client on this host sees it."""

    def __init__(self, project: Project, client: httpx.Client) -> None:
        self.project = project
        self._client = client

    def status(self, path: str) -> int | None:
        """Status of a GET; None while nobody listens."""
        try:
            return self._client.get(path).status_code
        except httpx.TransportError:
            return None

    def predict(self, picture: Path) -> dict[str, Any]:
        """The answer for a picture."""
        response = self._client.post("/predict", files={"file": picture.read_bytes()})
        assert response.status_code == httpx.codes.OK, response.text
        answer: dict[str, Any] = response.json()
        return answer


@pytest.fixture(scope="module")
def waiting(project: Project) -> Iterator[Served]:
    """A service that was started before any model exists."""
    project("up", "-d", "service").or_fail()
    with httpx.Client(base_url=f"http://127.0.0.1:{project.port}", trust_env=False, timeout=30) as client:
        served = Served(project, client)
        wait_until(lambda: served.status("/health/live") == httpx.codes.OK)
        yield served
    project("stop", "service")


@pytest.fixture(scope="module")
def pictures(project: Project) -> Path:
    """The host's data folder, filled by the trainer."""
    project.train("sample", "/data", "--per-class", PICTURES_PER_CLASS).or_fail()
    return project.data


@pytest.fixture(scope="module")
def served(waiting: Served, pictures: Path) -> Served:
    """The service after the first training."""
    assert waiting.status("/health/ready") == httpx.codes.SERVICE_UNAVAILABLE
    waiting.project.train().or_fail()
    wait_until(lambda: waiting.status("/health/ready") == httpx.codes.OK)
    return waiting


def test_an_empty_data_folder_says_what_to_put_there(project: Project) -> None:
    """First of all tests: nobody has filled the folder yet."""
    finished = project.train()

    assert finished.exit_code == 3
    assert "one folder per label" in finished.errors + finished.output
    assert "sample" in finished.errors + finished.output


def test_the_trainer_can_ask_for_data_at_an_address(project: Project) -> None:
    """Nobody listens at this one; that it is said so shows that the image has what talks to a server."""
    finished = project.train("train", "http://127.0.0.1:9/pictures.zip")

    assert finished.exit_code == 2
    assert "Cannot connect to host" in finished.errors + finished.output
    assert project.python("trainer", "import s3fs; print(s3fs.S3FileSystem.protocol[0])") == "s3"


def test_the_sample_pictures_land_in_the_hosts_folder(pictures: Path) -> None:
    """The folder belongs to whoever cloned the repository; the trainer is somebody else and writes it all the same."""
    assert {path.name for path in pictures.iterdir()} == {"cracked", "uncracked"}
    assert len(list((pictures / "cracked").iterdir())) == int(PICTURES_PER_CLASS)


def test_a_service_started_before_the_first_training_serves_its_model(served: Served, pictures: Path) -> None:
    answer = served.predict(next((pictures / "cracked").iterdir()))

    assert answer["model"] == "data"
    assert {prediction["label"] for prediction in answer["predictions"]} == {"cracked", "uncracked"}


def test_a_later_training_is_picked_up_and_featurises_nothing_again(served: Served, pictures: Path) -> None:
    picture = next((pictures / "cracked").iterdir())
    before = served.predict(picture)

    training = json.loads(served.project.train("train", "/data", "--seed", "1", "--json").or_fail())
    wait_until(lambda: served.predict(picture)["version"] != before["version"])

    assert training["featurized"] == 0
    assert served.predict(picture)["version"] == training["version"]


def test_the_service_has_a_read_only_root_and_read_only_models(served: Served) -> None:
    writes = [served.project("exec", "-T", "service", "touch", f"{folder}/x") for folder in ("/finial", "/models")]

    assert [write.exit_code for write in writes] == [1, 1]
    assert all("Read-only file system" in write.errors for write in writes)


def test_the_try_it_page_is_in_the_image(served: Served) -> None:
    """It is no Python, and so nothing that a missing import would tell of."""
    assert [served.status(f"/page/{name}") for name in ("page.js", "page.css")] == [httpx.codes.OK] * 2


def test_the_engine_finds_the_service_healthy(served: Served) -> None:
    wait_until(lambda: served.project.inspect("service")["State"]["Health"]["Status"] == "healthy")


@pytest.mark.parametrize("service", ["trainer", "service"])
def test_an_image_runs_as_an_ordinary_user(project: Project, service: str) -> None:
    assert project.python(service, "import os; print(os.getuid(), os.getgid())") == "1000 0"


def test_the_image_of_the_service_has_no_torch(project: Project) -> None:
    find = "from importlib.util import find_spec; print([n for n in ('torch', 'torchvision', 'onnx') if find_spec(n)])"

    assert project.python("service", find) == "[]"


@pytest.mark.parametrize("service", ["trainer", "service"])
def test_bytecode_is_there_before_the_first_start(project: Project, service: str) -> None:
    """The user may not write it, so without it every start would compile everything again."""
    find = (
        "from pathlib import Path; print(*[p for p in Path().rglob('*.py') if not (p.parent / '__pycache__').is_dir()])"
    )

    assert project.python(service, find) == ""


def test_an_image_holds_only_the_code_it_runs(project: Project) -> None:
    """No pictures, models or history of whoever builds it."""
    list_all = "from pathlib import Path; print(*sorted(p.name for p in Path().iterdir()))"

    assert project.python("service", list_all) == "requirements service shared"
    assert project.python("trainer", list_all) == "requirements shared trainer"


def test_the_service_ends_with_exit_code_0_when_it_is_stopped(served: Served) -> None:
    """Last of the tests that need it: SIGTERM, requests in flight finished, gone."""
    served.project("stop", "service").or_fail()

    assert served.project.inspect("service")["State"]["ExitCode"] == 0


def test_the_gpu_override_is_valid_and_asks_for_one_gpu(project: Project) -> None:
    files = ("-f", "docker-compose.yml", "-f", "docker-compose.gpu.yml")

    text = run(*(compose_command() or ()), *files, "--profile", "train", "config").or_fail()

    assert text.count("RUNTIME: onnxruntime-gpu") == 2
    assert text.count("driver: nvidia") == 2
    assert text.count("FINIAL_DEVICE: require-gpu") == text.count("FINIAL_PROVIDER: cuda") == 1


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not so after {WAIT_S:.0f} s"
        time.sleep(0.2)
