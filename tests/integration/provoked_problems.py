"""A way to each kind of problem: what must happen for a real service to answer so. docs/problems shows the answers."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import httpx

from service.batching import Batching
from service.generation import Generation
from service.key_file import entry_of, with_key
from service.pool import in_seconds
from service.runtime import Runtime
from service.settings import ServiceSettings
from shared.errors import RunFailed
from tests.service.bundles import publish_bundle
from tests.service.gated_session import GatedSession
from tests.service.pictures import RED, picture
from tests.service.raw_http import Answer, connected, head
from tests.service.running import ServiceProcess, running_app

Answered = Answer | httpx.Response
InApp = Callable[[Path], Awaitable[Answered]]
OnSockets = Callable[[ServiceProcess], Answered]
Provocation = TypeVar("Provocation", InApp, OnSockets)

IN_APP: dict[str, InApp] = {}
"""By slug: given an empty folder, starts what it needs in this process."""
ON_SOCKETS: dict[str, OnSockets] = {}
"""By slug: given a program that serves with PROGRAM_OPTIONS, sends what no HTTP library would."""

MAX_CONNECTIONS = 20
PATIENCE_S = 30
PROGRAM_OPTIONS = (
    *("--headers-timeout-s", "1", "--upload-idle-s", "1", "--max-connections", str(MAX_CONNECTIONS)),
    *("--max-upload", "64KiB", "--max-uploads", "64KiB"),
)
PICTURE = picture(RED, size=(64, 48))
ONE_FILE = {"file": ("picture.png", PICTURE, "image/png")}
AS_PNG = {"Content-Type": "image/png"}


def provokes(slug: str) -> Callable[[InApp], InApp]:
    """Enter a function that makes this problem in an app of its own."""
    return lambda provocation: _entered(IN_APP, slug, provocation)


def provokes_on_sockets(slug: str) -> Callable[[OnSockets], OnSockets]:
    """Enter a function that makes this problem by hand-written HTTP."""
    return lambda provocation: _entered(ON_SOCKETS, slug, provocation)


def _entered(table: dict[str, Provocation], slug: str, provocation: Provocation) -> Provocation:
    assert slug not in {*IN_APP, *ON_SOCKETS}, f"{slug} is provoked twice"
    table[slug] = provocation
    return provocation


@contextlib.asynccontextmanager
async def serving(
    folder: Path, *names: str, max_pixels: int = 50_000_000, **settings: int
) -> AsyncIterator[tuple[Runtime, httpx.AsyncClient]]:
    """A service of models with these names, whose pool and registry can be meddled with, and its client."""
    (folder / "models").mkdir()
    for name in names:
        publish_bundle(folder / "models", name, labels=("daisy", "rose", "tulip"))
    options = ServiceSettings(models_dir=folder / "models", poll_interval_s=3600, max_pixels=max_pixels, **settings)  # type: ignore[arg-type]
    async with running_app(options) as (app, client):
        yield app.state.runtime, client


async def one_asked(folder: Path, *names: str, path: str = "/predict", **request: object) -> Answered:
    """What a service with usual options answers to one POST."""
    async with serving(folder, *names) as (_, client):
        return await client.post(path, **request)  # type: ignore[arg-type]


# --- what a client asks for ---


@provokes("bad-parameter")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", path="/predict?top_k=all", files=ONE_FILE)


@provokes("no-picture")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", files={"photo": ("picture.png", PICTURE, "image/png")})


@provokes("bad-multipart")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", content=PICTURE, headers={"Content-Type": "multipart/form-data"})


@provokes("unknown-label")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", path="/explain?label=dasy", files=ONE_FILE)


@provokes("too-many-pictures")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", path="/explain", files=[("file", PICTURE), ("file", PICTURE)])


@provokes("unknown-model")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", "cracks", path="/models/flower/predict", files=ONE_FILE)


@provokes("not-found")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", path="/predict/", files=ONE_FILE)


@provokes("method-not-allowed")
async def _(folder: Path) -> Answered:
    async with serving(folder, "flowers") as (_, client):
        return await client.get("/predict")


@provokes("model-not-chosen")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", "cracks", files=ONE_FILE)


# --- what a client sends ---


@provokes("upload-too-large")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", content=bytes(12 * 1024**2), headers=AS_PNG)


@provokes("picture-too-large")
async def _(folder: Path) -> Answered:
    """A BMP of run-length coding: the only format whose bytes are bounded by themselves."""
    header = bytearray(picture(size=(2, 2), kind="BMP"))
    header[30] = 1
    return await one_asked(folder, "flowers", content=bytes(header) + bytes(9_000_000), headers=AS_PNG)


@provokes("too-many-pixels")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", content=picture(size=(9000, 6000)), headers=AS_PNG)


@provokes("unsupported-content-type")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", json={"picture": "aGVsbG8="})


@provokes("unknown-format")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", content=b"%PDF-1.7\n", headers={"Content-Type": "image/jpeg"})


@provokes("undecodable-picture")
async def _(folder: Path) -> Answered:
    half = picture(size=(640, 480), kind="JPEG")[:2000]
    return await one_asked(folder, "flowers", content=half, headers={"Content-Type": "image/jpeg"})


# --- what cannot be computed, or not now ---


def _fail(*_: object, **__: object) -> NoReturn:
    raise ZeroDivisionError("not to be told")


def _fail_to_run(*_: object, **__: object) -> NoReturn:
    raise RunFailed((1, 16, 16, 3), detail="not to be told")


@provokes("internal-error")
async def _(folder: Path) -> Answered:
    async with serving(folder, "flowers") as (runtime, client):
        runtime.registry.require("flowers").run = _fail  # type: ignore[method-assign]
        return await client.post("/predict", files=ONE_FILE)


@provokes("model-failed")
async def _(folder: Path) -> Answered:
    async with serving(folder, "flowers") as (runtime, client):
        runtime.registry.require("flowers").run = _fail_to_run  # type: ignore[method-assign]
        return await client.post("/predict", files=ONE_FILE)


@provokes("queue-full")
async def _(folder: Path) -> Answered:
    async with serving(folder, "flowers", lanes=2, max_waiting=2) as (runtime, client):
        with runtime.pool.lease(in_seconds(30)), runtime.pool.lease(in_seconds(30)):
            waiting = [asyncio.create_task(client.post("/predict", files=ONE_FILE)) for _ in range(2)]
            async with asyncio.timeout(PATIENCE_S):
                while runtime.pool.stats().waiting < len(waiting):
                    await asyncio.sleep(0.005)
            refused = await client.post("/predict", files=ONE_FILE)
        await asyncio.gather(*waiting)
        return refused


@provokes("wait-too-long")
async def _(folder: Path) -> Answered:
    """A line that moves on every 50 ms, and one who will wait for less than that."""
    async with serving(folder, "flowers", lanes=1, max_waiting=64) as (runtime, client):
        generation = runtime.registry.require("flowers")
        run = generation.run
        generation.run = lambda *given, **how: (time.sleep(0.05), run(*given, **how))[1]  # type: ignore[method-assign]
        line = [asyncio.create_task(client.post("/predict", files=ONE_FILE)) for _ in range(40)]
        while not all(asked.done() for asked in line):
            refused = await client.post("/predict", files=ONE_FILE, headers={"X-Request-Timeout-Ms": "40"})
            if refused.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                break
        await asyncio.gather(*line)
        return refused


@provokes("deadline-passed")
async def _(folder: Path) -> Answered:
    async with serving(folder, "flowers", lanes=1) as (runtime, client):
        with runtime.pool.lease(in_seconds(30)):
            return await client.post("/predict", files=ONE_FILE, headers={"X-Request-Timeout-Ms": "20"})


@provokes("draining")
async def _(folder: Path) -> Answered:
    async with serving(folder, "flowers") as (runtime, client):
        runtime.pool.close()
        return await client.post("/predict", files=ONE_FILE)


@provokes("no-model")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, files=ONE_FILE)


@provokes("model-not-loaded")
async def _(folder: Path) -> Answered:
    (folder / "models" / "flowers").mkdir(parents=True)
    (folder / "models" / "flowers" / "current").write_text("latest")
    async with running_app(ServiceSettings(models_dir=folder / "models")) as (_, client):
        return await client.post("/predict", files=ONE_FILE)


@provokes("broken")
async def _(folder: Path) -> Answered:
    async with serving(folder, "flowers") as (runtime, client):
        session, bundle = GatedSession(gated=False), runtime.registry.require("flowers").bundle
        batching = Batching("on", 4, runtime.lifecycle.break_down)
        runtime.registry.put(Generation("flowers", bundle, batching.open(session, ["probabilities"], bundle)))  # type: ignore[arg-type]
        session.died_of = SystemExit("CUDA failure 719: unspecified launch failure")
        return await client.post("/predict", files=ONE_FILE)


# --- who may ask, and an admin's verbs ---

ANYBODYS, ADMINS, SLOW = "finial_anybodys", "finial_admins", "finial_slow"
ABSENT = "20270101T000000000Z-0000000f"


async def asked_with_key(
    folder: Path, path: str = "/predict", *, key: str | None = None, times: int = 1, **request: object
) -> Answered:
    """The last answer of a service of one model and three keys."""
    keys = folder / "keys.toml"
    for name, entry in {
        "anybody": entry_of(ANYBODYS),
        "admin": entry_of(ADMINS, rights=["admin", "predict"]),
        "slow": entry_of(SLOW, per_minute=1),
    }.items():
        keys.write_text(with_key(keys, keys.read_text() if keys.exists() else "", name, entry))
    (folder / "models").mkdir(exist_ok=True)
    version = publish_bundle(folder / "models", "flowers", labels=("daisy", "rose", "tulip")).version
    settings = ServiceSettings(models_dir=folder / "models", api_keys=keys, also=[f"flowers={version}"])  # type: ignore[arg-type]
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with running_app(settings) as (_, client):
        for _ in range(times):
            answered = await client.post(path.replace("VERSION", version), headers=headers, **request)  # type: ignore[arg-type]
        return answered


@provokes("key-missing")
async def _(folder: Path) -> Answered:
    return await asked_with_key(folder, files=ONE_FILE)


@provokes("key-unknown")
async def _(folder: Path) -> Answered:
    return await asked_with_key(folder, key="finial_nobodys", files=ONE_FILE)


@provokes("key-not-allowed")
async def _(folder: Path) -> Answered:
    return await asked_with_key(folder, "/admin/models/flowers/reload", key=ANYBODYS)


@provokes("origin-not-allowed")
async def _(folder: Path) -> Answered:
    asks = {"Origin": "https://b.example", "Access-Control-Request-Method": "POST"}
    async with serving(folder, "flowers") as (_, client):
        return await client.options("/predict", headers=asks)


@provokes("rate-limited")
async def _(folder: Path) -> Answered:
    return await asked_with_key(folder, key=SLOW, times=2, files=ONE_FILE)


@provokes("admin-closed")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", path="/admin/models/flowers/reload")


@provokes("no-earlier-version")
async def _(folder: Path) -> Answered:
    return await asked_with_key(folder, "/admin/models/flowers/rollback", key=ADMINS)


@provokes("version-fixed")
async def _(folder: Path) -> Answered:
    return await asked_with_key(folder, "/admin/models/flowers@VERSION/rollback", key=ADMINS)


@provokes("version-not-loadable")
async def _(folder: Path) -> Answered:
    order = {"version": ABSENT}
    return await asked_with_key(folder, "/admin/models/flowers/pin", key=ADMINS, json=order)


# --- what breaks HTTP, or comes too slowly ---


def answer_to(program: ServiceProcess, *pieces: bytes, half_close: bool = False) -> Answer:
    with connected(program.port) as client:
        client.send(*pieces)
        if half_close:
            client.half_close()
        return client.answer()


@provokes_on_sockets("bad-request")
def _(program: ServiceProcess) -> Answered:
    return answer_to(program, head("Content-Length: 5", "Transfer-Encoding: chunked"), b"0\r\n\r\n")


@provokes_on_sockets("request-broken-off")
def _(program: ServiceProcess) -> Answered:
    return answer_to(program, head(f"Content-Length: {len(PICTURE) + 1}"), PICTURE, half_close=True)


@provokes_on_sockets("http-version")
def _(program: ServiceProcess) -> Answered:
    return answer_to(program, head(line="GET /health/live HTTP/2.0"))


@provokes_on_sockets("headers-too-large")
def _(program: ServiceProcess) -> Answered:
    return answer_to(program, head("Cookie: " + "x" * 40_000))


@provokes_on_sockets("headers-too-slow")
def _(program: ServiceProcess) -> Answered:
    return answer_to(program, head()[:-2])


@provokes_on_sockets("upload-too-slow")
def _(program: ServiceProcess) -> Answered:
    return answer_to(program, head(f"Content-Length: {len(PICTURE)}"), PICTURE[:-1])


@provokes_on_sockets("too-many-uploads")
def _(program: ServiceProcess) -> Answered:
    with connected(program.port) as first:
        first.send(head("Content-Length: 60000"), bytes(50_000))
        ends = time.monotonic() + PATIENCE_S
        while True:  # until those have been read
            answer = answer_to(program, head("Content-Length: 50000"), bytes(50_000))
            if answer.problem == "too-many-uploads" or time.monotonic() > ends:
                return answer


@provokes_on_sockets("too-many-connections")
def _(program: ServiceProcess) -> Answered:
    with contextlib.ExitStack() as crowd:
        for _ in range(MAX_CONNECTIONS + 1):
            client = crowd.enter_context(connected(program.port))
            client.send(head(f"Content-Length: {len(PICTURE)}"), PICTURE)
            if (answer := client.answer()).status != httpx.codes.OK:
                break
        return answer


# --- what only the Open Inference Protocol has ---

INFER = "/v2/models/flowers/infer"


@provokes("bad-inference-request")
async def _(folder: Path) -> Answered:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 8, 8, 3], "data": [0] * 192}
    return await one_asked(folder, "flowers", path=INFER, json={"inputs": [tensor]})


@provokes("models-not-controlled")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", path="/v2/repository/models/flowers/load")


@provokes("unknown-version")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", path="/v2/models/flowers/versions/1/infer")


@provokes("unsupported-encoding")
async def _(folder: Path) -> Answered:
    return await one_asked(folder, "flowers", path=INFER, content=b"x", headers={"Content-Encoding": "br"})
