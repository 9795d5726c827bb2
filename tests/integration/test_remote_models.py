"""A real service whose models lie elsewhere: on a web server that misbehaves, and in S3."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.settings import ServiceSettings
from shared.bundle import MODEL_FILE
from tests.s3_server import delete, s3_bucket, upload
from tests.service.broken import truncated
from tests.service.bundles import publish_bundle
from tests.service.pictures import GREEN, picture
from tests.service.running import running_app, running_process
from tests.service.waiting import until
from tests.service.web_server import Site, web_site

QUICK = ("--poll-interval-s", "0.1", "--store-timeout-s", "5")


@pytest.fixture
def site(models_dir: Path) -> Iterator[Site]:
    pytest.importorskip("aiohttp", reason="reading https:// needs aiohttp, which is not installed here")
    with web_site(Site(models_dir)) as site:
        yield site


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_bucket(monkeypatch) as address:
        yield address


def version_of(client: httpx.Client, name: str = "colours") -> str | None:
    answer = client.get(f"/models/{name}")
    return answer.json()["version"] if answer.status_code == httpx.codes.OK else None


def label_of(client: httpx.Client, name: str = "colours") -> str:
    answer = client.post(f"/models/{name}/predict", files={"file": picture(GREEN)})
    return str(answer.json()["label"])


def in_cache(cache: Path) -> set[str]:
    return {path.name for path in cache.glob("models/*/*/*") if path.name not in (".lock", "current")}


@pytest.mark.slow
def test_a_model_that_hangs_holds_up_neither_the_others_nor_the_end(site: Site, models_dir: Path, cache: Path) -> None:
    first = publish_bundle(models_dir).version
    publish_bundle(models_dir, "apes")
    site.faults[f"/apes/{(models_dir / 'apes/current').read_text().strip()}/{MODEL_FILE}"] = "hangs"
    arguments = ("--models", "colours,apes", "--poll-interval-s", "0.1", "--store-timeout-s", "600")
    with (
        running_process(site.url, *arguments, "--cache-dir", str(cache)) as service,
        service.client() as client,
    ):
        until(lambda: version_of(client) == first)
        until(lambda: site.statuses(f"/{MODEL_FILE}").count(0) == 1)
        second = publish_bundle(models_dir, labels=("rot", "gruen", "blau")).version
        until(lambda: version_of(client) == second)
        assert label_of(client) == "gruen"
        apes = client.post("/models/apes/predict", files={"file": picture(GREEN)})
        assert (apes.status_code, apes.json()["type"]) == (503, "urn:finial:problem:model-not-loaded")
        assert service.stop() == 0

    assert set(site.statuses("/colours/current")) == {200, 304}
    assert in_cache(cache) == {first, second}


@pytest.mark.slow
def test_while_the_server_is_away_what_was_served_is_served_on_even_by_a_new_process(
    site: Site, models_dir: Path, cache: Path
) -> None:
    version = publish_bundle(models_dir).version
    arguments = ("--models", "colours", *QUICK, "--cache-dir", str(cache))
    with running_process(site.url, *arguments) as service, service.client() as client:
        service.wait_until_ready()
        site.faults["/current"] = "500"
        until(lambda: client.get("/models/colours").json()["last_reload_error"])
        assert label_of(client) == "green"
        assert service.stop() == 0
    with running_process(site.url, *arguments) as service, service.client() as client:
        service.wait_until_ready()
        told = client.get("/models/colours").json()
        assert (told["version"], label_of(client)) == (version, "green")
        assert "the server answers 500" in told["last_reload_error"]["error"]

        site.faults.clear()
        later = publish_bundle(models_dir).version
        until(lambda: version_of(client) == later)
        assert service.stop() == 0


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_fetches_leaves_nothing_that_is_served(
    site: Site, models_dir: Path, cache: Path
) -> None:
    version = publish_bundle(models_dir).version
    site.faults[MODEL_FILE] = "drips"
    arguments = ("--models", "colours", *QUICK, "--cache-dir", str(cache))
    with running_process(site.url, *arguments) as service:
        until(lambda: site.statuses(f"/{MODEL_FILE}"))
        until(lambda: any(cache.rglob(MODEL_FILE)))
        service.process.send_signal(signal.SIGKILL)
        service.process.wait(60)
    (left,) = in_cache(cache)
    assert left.startswith(".fetching-")

    site.faults.clear()
    with running_process(site.url, *arguments) as service, service.client() as client:
        service.wait_until_ready()
        assert (version_of(client), label_of(client)) == (version, "green")
        assert in_cache(cache) == {version}
        assert service.stop() == 0


def served_by(metrics: str, version: str) -> int:
    """How many workers tell that they serve a version."""
    lines = [line for line in metrics.splitlines() if line.startswith("finial_generation_info{")]
    return sum(f'version="{version}"' in line for line in lines)


@pytest.mark.slow
def test_workers_fetch_a_version_once_and_serve_it_all(site: Site, models_dir: Path, cache: Path) -> None:
    arguments = ("--models", "colours", "--workers", "2", *QUICK, "--cache-dir", str(cache))
    version = publish_bundle(models_dir).version
    with running_process(site.url, *arguments) as service, service.client() as client:
        until(lambda: served_by(client.get("/metrics").text, version) == 2)
        later = publish_bundle(models_dir).version
        until(lambda: served_by(client.get("/metrics").text, later) == 2)
        assert service.stop() == 0

    assert site.statuses(f"/{MODEL_FILE}") == [200, 200]


@pytest.mark.anyio
async def test_a_web_server_is_not_asked_for_a_list_where_a_pin_says_what_to_serve(
    site: Site, models_dir: Path, cache: Path
) -> None:
    version = publish_bundle(models_dir).version
    settings = ServiceSettings(models_dir=site.url, pin=(f"colours={version}",), cache_dir=cache)
    async with running_app(settings) as (_, client):
        models = (await client.get("/models")).json()

    assert (models["default"], models["store_error"]) == ("colours", None)


@pytest.mark.slow
def test_models_come_from_s3(bucket: str, tmp_path: Path, cache: Path) -> None:
    """They appear, change, go bad and disappear as its folders do; and when it is away, they stay."""
    models = tmp_path / "models"
    first = publish_bundle(models).version
    upload(models, "house/models")
    with (
        running_process(f"{bucket}/house/models", *QUICK, "--cache-dir", str(cache)) as service,
        service.client() as client,
    ):
        service.wait_until_ready()
        assert (version_of(client), label_of(client)) == (first, "green")

        second = publish_bundle(models, labels=("rot", "gruen", "blau")).version
        publish_bundle(models, "apes")
        upload(models, "house/models")
        until(lambda: (version_of(client), version_of(client, "apes") is not None) == (second, True))
        assert label_of(client) == "gruen"

        bad = truncated(models)
        upload(models / "colours", "house/models/colours")
        until(lambda: last_error(client) == bad.version)
        assert version_of(client) == second

        delete("house/models/apes/")
        until(lambda: client.get("/models/apes").status_code == httpx.codes.NOT_FOUND)

        delete("house/models/")
        until(lambda: client.get("/models").json()["store_error"])
        assert (version_of(client), label_of(client)) == (second, "gruen")
        assert service.stop() == 0

    assert in_cache(cache) == {first, second}


def last_error(client: httpx.Client) -> str | None:
    last = client.get("/models/colours").json()["last_reload_error"]
    return last and str(last["version"])


@pytest.mark.slow
def test_a_pinned_version_in_s3_is_served_whatever_current_says(bucket: str, tmp_path: Path, cache: Path) -> None:
    models = tmp_path / "models"
    first = publish_bundle(models).version
    publish_bundle(models, labels=("rot", "gruen", "blau"))
    upload(models, "models")
    arguments = ("--pin", f"colours={first}", *QUICK, "--cache-dir", str(cache))
    with running_process(f"{bucket}/models", *arguments) as service, service.client() as client:
        service.wait_until_ready()
        told = client.get("/models/colours").json()
        assert (told["version"], told["pinned"], label_of(client)) == (first, first, "green")
        assert service.stop() == 0
