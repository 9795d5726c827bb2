"""Admin verbs and versions beside the current one, asked for over HTTP."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bench.serving import parse_metrics
from service.key_file import entry_of, new_key, with_key
from service.settings import ServiceSettings
from shared.bundle import MODEL_FILE, Bundle
from shared.publish import rollback
from tests.service.bundles import publish_bundle
from tests.service.pictures import RED, picture
from tests.service.running import running_app

pytestmark = pytest.mark.anyio

ADMIN = {"X-Api-Key": new_key()}
PICTURE = {"content": picture(RED), "headers": {**ADMIN, "Content-Type": "image/png"}}
UNKNOWN = "20270101T000000000Z-0000000f"


def publish_two(models_dir: Path) -> tuple[Bundle, Bundle]:
    """Versions that call the same picture red, and crimson; the second is current."""
    first = publish_bundle(models_dir)
    return first, publish_bundle(models_dir, labels=("crimson", "green", "blue"))


@contextlib.asynccontextmanager
async def serving(models_dir: Path, **options: object) -> AsyncIterator[httpx.AsyncClient]:
    """Nothing happens by itself: the next look is an hour away."""
    keys = models_dir.parent / "keys.toml"
    keys.write_text(with_key(keys, "", "boss", entry_of(ADMIN["X-Api-Key"], rights=["predict", "admin"])))
    keys.chmod(0o600)
    settings = ServiceSettings(models_dir=models_dir, api_keys=keys, poll_interval_s=3600, **options)  # type: ignore[arg-type]
    async with running_app(settings) as (_, client):
        client.headers.update(ADMIN)
        yield client


async def verb(client: httpx.AsyncClient, what: str, name: str = "colours", **request: object) -> httpx.Response:
    return await client.post(f"/admin/models/{name}/{what}", **request)  # type: ignore[arg-type]


async def label(client: httpx.AsyncClient, path: str = "/predict") -> str:
    answer = await client.post(path, **PICTURE)  # type: ignore[arg-type]
    return str(answer.json()["label"])


def slug(answer: httpx.Response) -> str:
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return str(problem["type"]).rpartition(":")[2]


async def test_a_new_version_is_served_when_an_admin_says_look(models_dir: Path) -> None:
    publish_bundle(models_dir)
    async with serving(models_dir) as client:
        second = publish_bundle(models_dir, labels=("crimson", "green", "blue"))
        told = (await verb(client, "reload")).json()

        assert (told["result"], told["version"], told["reason"]) == ("loaded", second.version, None)
        assert told["note"] is None, "nothing is pinned, so nothing ends"
        assert await label(client) == "crimson"
        assert (await verb(client, "reload")).json()["result"] == "unchanged"


async def test_a_version_that_cannot_be_loaded_is_told_with_the_reason(models_dir: Path) -> None:
    first = publish_bundle(models_dir)
    async with serving(models_dir) as client:
        second = publish_bundle(models_dir, labels=("crimson", "green", "blue"))
        (second.path / MODEL_FILE).write_bytes(b"torn")
        told = (await verb(client, "reload")).json()

        assert (told["result"], told["version"]) == ("failed", first.version)
        assert MODEL_FILE in told["reason"]


async def test_a_pin_lasts_until_it_is_taken_out_and_is_told_as_an_admins(models_dir: Path) -> None:
    first, second = publish_two(models_dir)
    async with serving(models_dir) as client:
        told = (await verb(client, "pin", json={"version": first.version})).json()
        assert (told["result"], told["pinned"], told["pinned_by"]) == ("loaded", first.version, "admin")
        assert told["worker"] is None
        assert "trainer rollback colours" in told["note"]
        assert (await verb(client, "reload")).json()["result"] == "unchanged"
        assert await label(client) == "red"
        model = (await client.get("/models/colours")).json()
        assert (model["version"], model["pinned"], model["pinned_by"]) == (first.version, first.version, "admin")

        told = (await client.delete("/admin/models/colours/pin")).json()
        assert (told["result"], told["version"], told["pinned"]) == ("loaded", second.version, None)
        assert await label(client) == "crimson"


@pytest.mark.parametrize("version", [UNKNOWN, "second"])
async def test_a_pin_to_what_cannot_be_served_is_a_problem_and_changes_nothing(version: str, models_dir: Path) -> None:
    first, second = publish_two(models_dir)
    (first.path / MODEL_FILE).write_bytes(b"torn")
    async with serving(models_dir) as client:
        for asked in (first.version, version):
            expected = (400, "bad-parameter") if asked == "second" else (422, "version-not-loadable")
            answer = await verb(client, "pin", json={"version": asked})
            assert (answer.status_code, slug(answer)) == expected
        model = (await client.get("/models/colours")).json()

    assert (model["version"], model["pinned"], model["failed_loads"]) == (second.version, None, [])


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"version": 1}', b'{"version": "../../etc"}', b'{"version": null, "x": 1}']
)
async def test_an_order_that_makes_no_sense_is_a_bad_parameter(body: bytes, models_dir: Path) -> None:
    publish_bundle(models_dir)
    async with serving(models_dir) as client:
        answer = await verb(client, "pin", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, slug(answer)) == (400, "bad-parameter")


@pytest.mark.parametrize(
    ("method", "verb_of", "request_"),
    [
        ("POST", "rollback", {"json": {"version": UNKNOWN}}),
        ("POST", "reload", {"json": {}}),
        ("POST", "reload", {"params": {"version": UNKNOWN}}),
        ("POST", "pin", {"params": {"version": UNKNOWN}, "json": {"version": UNKNOWN}}),
        ("DELETE", "pin", {"params": {"dry_run": "1"}}),
    ],
)
async def test_what_a_verb_does_not_heed_is_refused(
    method: str, verb_of: str, request_: dict[str, object], models_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever names a version to roll back to must not get another one; and who tried is in the log."""
    publish_bundle(models_dir)
    async with serving(models_dir) as client:
        answer = await client.request(method, f"/admin/models/colours/{verb_of}", **request_)  # type: ignore[arg-type]

    assert (answer.status_code, slug(answer)) == (400, "bad-parameter")
    (told,) = [record.__dict__ for record in caplog.records if record.message == "admin"]
    assert (told["key"], told["model"], told["problem"]) == ("boss", "colours", "bad-parameter")


async def test_who_tried_what_is_logged_also_where_it_came_to_nothing(
    models_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = publish_bundle(models_dir)
    async with serving(models_dir) as client:
        await verb(client, "rollback")
        await verb(client, "pin", json={"version": UNKNOWN})
        await verb(client, "reload", "nothing")
        await verb(client, "pin", json={"version": first.version})

    told = [record.__dict__ for record in caplog.records if record.message == "admin"]
    assert [(each["verb"], each["key"], each.get("problem")) for each in told] == [
        ("rollback", "boss", "no-earlier-version"),
        ("pin", "boss", "version-not-loadable"),
        ("reload", "boss", "unknown-model"),
        ("pin", "boss", None),
    ]
    assert (told[-1]["result"], told[-1]["version"]) == ("unchanged", first.version)


@pytest.mark.parametrize(
    ("content", "content_type", "words"),
    [
        (b"{", "application/json", "The body: JSON decode error"),
        (b"", "application/json", "The body is missing"),
        (b'{"version": 1}', "application/json", "The body's field version: "),
        (b'{"version": "x"}', "text/plain", "announced as 'text/plain', expected is Content-Type: application/json"),
        (b'{"version": "x"}', "application/json", "known of 'colours' are 2"),
    ],
)
async def test_a_bad_order_is_told_in_words_of_a_body(
    content: bytes, content_type: str, words: str, models_dir: Path
) -> None:
    publish_bundle(models_dir)
    async with serving(models_dir) as client:
        answer = await verb(client, "pin", content=content, headers={"Content-Type": content_type})

    assert words in answer.json()["detail"]


async def test_a_rollback_pins_the_version_before(models_dir: Path) -> None:
    first = publish_bundle(models_dir)
    async with serving(models_dir) as client:
        answer = await verb(client, "rollback")
        assert (answer.status_code, slug(answer)) == (409, "no-earlier-version")

        publish_bundle(models_dir, labels=("crimson", "green", "blue"))
        await verb(client, "reload")
        told = (await verb(client, "rollback")).json()
        assert (told["version"], told["pinned"], told["pinned_by"]) == (first.version, first.version, "admin")
        assert await label(client) == "red"


async def test_verbs_are_for_models_that_are_there(models_dir: Path) -> None:
    publish_bundle(models_dir)
    async with serving(models_dir) as client:
        answers = [
            await verb(client, "reload", "nothing"),
            await verb(client, "pin", "nothing", json={"version": UNKNOWN}),
            await client.delete("/admin/models/nothing/pin"),
            await verb(client, "rollback", "nothing"),
        ]

    assert [(answer.status_code, slug(answer)) for answer in answers] == [(404, "unknown-model")] * 4


async def test_a_version_beside_the_current_one_is_a_model_of_its_own(models_dir: Path) -> None:
    first, second = publish_two(models_dir)
    beside = f"colours@{first.version}"
    async with serving(models_dir, also=[f"colours={first.version}"]) as client:
        listed = (await client.get("/models")).json()
        assert listed["default"] == "colours"
        assert {model["name"]: model["version"] for model in listed["models"]} == {
            "colours": second.version,
            beside: first.version,
        }
        assert [await label(client, path) for path in ("/predict", f"/models/{beside}/predict")] == ["crimson", "red"]
        metrics = parse_metrics((await client.get("/metrics")).text)
        assert metrics.total("finial_generation_info", model=beside) == 1

        for answer in (
            await verb(client, "pin", beside, json={"version": second.version}),
            await verb(client, "rollback", beside),
            await client.delete(f"/admin/models/{beside}/pin"),
        ):
            assert (answer.status_code, slug(answer)) == (409, "version-fixed")
        told = (await verb(client, "reload", beside)).json()
        assert (told["result"], told["note"]) == ("unchanged", None)


async def test_what_is_beside_follows_no_current(models_dir: Path) -> None:
    first, second = publish_two(models_dir)
    async with serving(models_dir, also=[f"colours={second.version}"]) as client:
        rollback(models_dir, "colours", first.version)
        await verb(client, "reload")
        await verb(client, "reload", f"colours@{second.version}")

        paths = ("/predict", f"/models/colours@{second.version}/predict")
        assert [await label(client, path) for path in paths] == ["red", "crimson"]
