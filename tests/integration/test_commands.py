"""What the pages show is run: against a real service, in a folder that has the files they name."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.key_file import entry_of, with_key
from tests.integration.commands import PAGES, ROOT, Shown, shown_on, unlabelled_on
from tests.s3_server import BUCKET, s3_bucket, upload
from tests.service.bundles import publish_bundle
from tests.service.pictures import BLUE, RED, picture
from tests.service.running import ServiceProcess, running_process
from tests.service.web_server import Site, web_site

KEY = "finial_whoevers"
SHOWN = [shown for page in PAGES for shown in shown_on(page)]

NOT_RUN: Mapping[str, str] = {
    r"make (demo|train|test|serve)\b": "tests/integration/test_demo.py runs the demo, .ci/run `make test`; the "
    "others are in the Makefile what the page says beside them",
    r"docker ": "tests/container builds and runs the images where there is an engine",
    r".*gs://": "Google's storage has no stand-in here; gcsfs is an address of fsspec as s3fs is",
    r".*--weights ": "needs ImageNet weights: tests/integration/test_backbone_auto.py",
    r".*--backbone resnet50": "downloads: tests/trainer/test_weights.py",
    r".*train pictures --search": "takes minutes: tests/trainer/test_recipe_plan.py and test_recipe_search.py",
    r".*train pictures --engine ray": "needs a cluster: tests/trainer/test_ray_cluster.py starts one",
    r".*train pictures --precision": "takes minutes: tests/integration/test_int8_run.py",
    r".*trainer rollback": "needs two trained versions: tests/integration/test_road.py",
    r".*trainer compare": "takes minutes: tests/trainer/test_compared.py",
}
"""What is not run here, and why, or where it is."""


def reason_against(shown: Shown) -> str | None:
    return next((reason for pattern, reason in NOT_RUN.items() if re.match(pattern, shown.text)), None)


def the(prefix: str) -> list[Shown]:
    return [shown for shown in SHOWN if shown.text.startswith(prefix) and reason_against(shown) is None]


def by_text(shown: Shown) -> str:
    return f"{shown.page}: {shown.text[:60]}"


SERVING, TRAINING = the("python -m service "), the("python -m trainer ")
KEYS = the("python -m service.keys ")
ADMIN = [shown for shown in the("curl ") if "/admin/" in shown.text]
PROGRAMS = ("curl ", "openapi-python-client ", "python examples/")
ASKING = [
    *(shown for program in PROGRAMS for shown in the(program) if shown not in ADMIN),
    *(shown for shown in SHOWN if shown.language == "python"),
]


def test_every_command_is_run_or_it_is_said_why_not() -> None:
    left = [
        by_text(shown)
        for shown in SHOWN
        if shown not in (*SERVING, *TRAINING, *ASKING, *KEYS, *ADMIN) and reason_against(shown) is None
    ]
    assert left == []
    assert all(any(re.match(pattern, shown.text) for shown in SHOWN) for pattern in NOT_RUN), (
        "one is not shown any more"
    )
    for place in re.findall(r"tests/[\w/]+(?:\.py)?", " ".join(NOT_RUN.values())):
        assert (ROOT / place).exists(), place


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_says_that_it_is_one(page: Path) -> None:
    assert unlabelled_on(page) == []


def run(command: str, *, folder: Path) -> str:
    """As in a shell, with `python` and the programs of this one's environment. Returns what it prints."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FINIAL_")}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- what asks a service ---


@dataclass(frozen=True)
class Asked:
    """A service, and a folder with pictures to send to it."""

    service: ServiceProcess
    folder: Path


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("asking")
    publish_bundle(folder / "models", "decks", labels=("cracked", "uncracked"))
    (folder / "examples").symlink_to(ROOT / "examples")
    for name, colour in {"picture": RED, "a": RED, "b": BLUE, "some-flower": BLUE}.items():
        (folder / f"{name}.jpg").write_bytes(picture(colour, kind="JPEG"))
    with running_process(folder / "models") as service:
        service.wait_until_ready()
        yield Asked(service, folder)
        assert service.stop() == 0


@pytest.mark.parametrize("shown", ASKING, ids=by_text)
def test_what_asks_is_answered(asked: Asked, shown: Shown) -> None:
    text = shown.text.replace("localhost:8000", f"127.0.0.1:{asked.service.port}")
    text = text.replace("localhost:8000", asked.service.url.removeprefix("http://"))
    if shown.language == "python":
        (asked.folder / "program.py").write_text(text)
        assert run("python program.py", folder=asked.folder).strip()
    else:
        assert run_asking(text, folder=asked.folder).strip()


def run_asking(command: str, *, folder: Path) -> str:
    if command.startswith("curl ") and shutil.which("curl") is None:
        assert not os.environ.get("FINIAL_REQUIRE_CURL"), "FINIAL_REQUIRE_CURL is set, and there is no curl"
        pytest.skip("needs curl, which is not installed here")
    return run(command.replace("curl ", "curl -sS --fail-with-body ", 1), folder=folder)


# --- keys ---


def test_what_is_said_of_keys_is_done_in_that_order(tmp_path: Path) -> None:
    assert len(KEYS) >= 4
    for shown in KEYS:
        run(shown.text, folder=tmp_path)

    assert (
        "operator" in (tmp_path / "keys.toml").read_text() and "inspector" not in (tmp_path / "keys.toml").read_text()
    )


def test_an_admins_verbs_do_what_they_say_in_that_order(tmp_path: Path) -> None:
    """Of a model whose second version came while it was served."""
    entry = entry_of(KEY, rights=["admin", "predict"])
    (tmp_path / "keys.toml").write_text(with_key(tmp_path / "keys.toml", "", "admin", entry))
    old = publish_bundle(tmp_path / "models", "decks").version
    with running_process(tmp_path / "models", "--api-keys", str(tmp_path / "keys.toml")) as service:
        service.wait_until_ready()
        new = publish_bundle(tmp_path / "models", "decks", labels=("lime", "red")).version
        meant = {"localhost:8000": f"127.0.0.1:{service.port}", "VERSION": old, "NAME": "decks", "KEY": KEY}

        told = []
        for shown in ADMIN:
            text = re.sub("|".join(map(re.escape, meant)), lambda found: meant[found.group()], shown.text)
            answer = json.loads(run_asking(text, folder=tmp_path))
            told.append((answer["version"], answer["pinned"]))

        assert told == [(new, None), (old, old), (new, None), (old, old)]
        assert service.stop() == 0


# --- what serves ---


@pytest.mark.parametrize("shown", SERVING, ids=by_text)
def test_what_serves_gets_ready(shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("decks", "flowers"):
        publish_bundle(tmp_path / "models", name)
    words = shlex.split(shown.text)[3:]
    arguments = dict(zip(words[::2], words[1::2], strict=True)) | {"--cache-dir": str(tmp_path / "cache")}
    if "--api-keys" in arguments:
        arguments["--api-keys"] = str(tmp_path / "keys.toml")
        (tmp_path / "keys.toml").write_text(with_key(tmp_path / "keys.toml", "", "anybody", entry_of(KEY)))
    place = arguments.pop("--models-dir")
    if place.startswith("s3:"):
        with s3_bucket(monkeypatch):
            upload(tmp_path / "models", "models")
            assert_gets_ready(place.replace("bucket", BUCKET), arguments)
    elif place.startswith("https:"):
        pytest.importorskip("aiohttp", reason="reading https:// needs aiohttp, which is not installed here")
        with web_site(Site(tmp_path)) as site:
            assert_gets_ready(place.replace("https://host", site.url), arguments)
    else:
        assert_gets_ready(str(tmp_path / place), arguments)


def assert_gets_ready(place: str, arguments: Mapping[str, str]) -> None:
    words = [word for option in arguments.items() for word in option]
    with running_process(place, *words) as service:
        service.wait_until_ready()
        with service.client() as client:
            models = client.get("/models", headers={"X-Api-Key": KEY}).json()["models"]
            assert {model["name"] for model in models} == {"decks", "flowers"}
        assert service.stop() == 0


# --- what trains ---


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `flowers` was trained, with the folders that the commands name."""
    folder = tmp_path_factory.mktemp("training")
    run("python -m trainer sample pictures --per-class 25", folder=folder)
    run("python -m trainer train pictures --name flowers --backbone nano", folder=folder)
    for name in ("more-labelled-pictures", "some-folder", "a-million-pictures"):
        (folder / name).symlink_to("pictures")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("shown", TRAINING, ids=by_text)
def test_what_works_on_pictures_ends_well(trained: Path, shown: Shown) -> None:
    assert run(shown.text, folder=trained).strip()
