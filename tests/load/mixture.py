"""A mixture of requests, each with the fate that it must meet: good, bad, nasty, several pictures, clients that go."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.http_client import Line, get, head_of, post, post_form
from tests.service.pictures import BLUE, GREEN, RED, picture
from tests.shared.pictures import encode, scene

Fates = Counter[tuple[str, str]]
"""(expected, found) -> how often."""

GONE = "gone"
ANY_OF_A_PICTURE = "200|413 too-many-pixels|415 unknown-format|422 undecodable-picture"


@dataclass(frozen=True)
class Case:
    """One request: what is sent, and what must become of it, or one of what (`200|404 not-found`).

    GONE for a client that hangs up as soon as that is sent.
    """

    request: bytes
    fate: str


def mixture(count: int, nasty: Sequence[bytes], *, seed: int = 0) -> Iterator[Case]:
    """As many cases, the same for a seed; `nasty` are pictures of any kind."""
    draw = random.Random(seed)  # noqa: S311 - a test's dice
    scenes = [encode(scene(width, 64), kind) for width in (64, 96, 128) for kind in ("JPEG", "PNG", "WEBP")]
    good = [*scenes, *(picture(colour) for colour in (RED, GREEN, BLUE))]
    kinds: list[tuple[int, Callable[[], Case]]] = [
        (50, lambda: Case(post(draw.choice(good)), "200")),
        (15, lambda: Case(post_form(draw.choice(good)), "200")),
        (5, lambda: Case(post_form(*draw.choices([*good, b"no picture", b"", good[0][:99]], k=4), good[0]), "200")),
        (5, lambda: Case(post(draw.choice(nasty)), ANY_OF_A_PICTURE)),
        (5, lambda: Case(get(draw.choice(["/models", "/health/ready", "/health/live"])), "200")),
        (10, lambda: draw.choice(BAD)),
        (10, lambda: _leaving(draw, post(draw.choice(good)))),
    ]
    weights, makers = zip(*kinds, strict=True)
    for _ in range(count):
        yield draw.choices(makers, weights)[0]()


BAD = [
    Case(post(b"", content_type="image/png"), "400 no-picture"),
    Case(post(picture(), path="/predict?top_k=0"), "400 bad-parameter"),
    Case(post(b"--b", content_type="multipart/form-data"), "400 bad-multipart"),
    Case(post(picture(), path="/models/nobody/predict"), "404 unknown-model"),
    Case(get("/nowhere"), "404 not-found"),
    Case(get("/predict"), "405 method-not-allowed"),
    Case(head_of("Content-Length: 99999999"), "413 upload-too-large"),
    Case(post(picture(), content_type="text/plain"), "415 unsupported-content-type"),
    Case(post(b"no picture at all"), "415 unknown-format"),
    Case(post(picture()[:40]), "422 undecodable-picture"),
]


def _leaving(draw: random.Random, request: bytes) -> Case:
    """Sent up to somewhere in its head or in its body, or whole."""
    return Case(request[: draw.choice([0, 10, 60, len(request) // 2, len(request)])], GONE)


async def play(port: int, cases: Iterator[Case], *, clients: int) -> Fates:
    """Send every case once, over as many connections at a time, and account for each."""
    fates = Fates()

    async def play_on() -> None:
        with Line(port) as line:
            for case in cases:
                found = await _leave(port, case) if case.fate == GONE else (await line.ask(case.request)).fate
                fates[case.fate, found] += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(clients):
            tasks.create_task(play_on())
    return fates


async def _leave(port: int, case: Case) -> str:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(case.request)
    writer.close()
    return GONE


def unexpected(fates: Fates) -> Fates:
    """Those that met another fate than they must."""
    return Fates({pair: count for pair, count in fates.items() if pair[1] not in pair[0].split("|")})
