"""The sides of `bench.predict`: how each is started and asked, and that all of them say the same of a picture."""

import contextlib
import http.client
import json
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.http_client import post, post_form
from bench.process_tree import end, freeze, thaw, tree

ROOT = Path(__file__).resolve().parents[1]
READY_WITHIN_S, THAWED_WITHIN_S = 90.0, 20.0
HTTP_OK = 200
CLOSE = 1e-4  # of scores: float32 in two libraries
FINIAL, FINIAL_FORM, BARE, BARE_PROCESSES = "finial", "finial-form", "bare", "bare-processes"

Ask = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Side:
    """One server, or the bare loop.

    Attributes:
        module: what Python runs.
        needs: a module that tells whether it is installed.
        of_peers: whether it runs in the peers' environment.
        ask: a picture -> the whole request, as the side's own pages send it.
        options: after BUNDLE and --port.
        takes_orders: it is a bare loop, told on standard input what to do.
        freezes: whether it is frozen when it is not its turn; some take that for a failure of their own parts.
    """

    name: str
    module: str
    needs: str = "fastapi"
    of_peers: bool = False
    ask: Ask = post
    options: tuple[str, ...] = ()
    takes_orders: bool = False
    freezes: bool = True


def post_jpeg(picture: bytes) -> bytes:
    """A whole request whose body is a picture."""
    return post(picture, content_type="image/jpeg")


SIDES = (
    Side(FINIAL, "service", ask=post_jpeg),
    Side(FINIAL_FORM, "service", ask=post_form),
    Side("finial-quiet", "service", ask=post_jpeg, options=("--no-access-log",)),
    Side("finial-workers", "service", ask=post_jpeg, options=("--workers", "2")),
    Side(BARE, "bench.peers.bare", needs="onnxruntime", takes_orders=True),
    Side(BARE_PROCESSES, "bench.peers.bare", needs="onnxruntime", options=("--processes",), takes_orders=True),
    Side("tutorial", "bench.peers.tutorial", ask=post_form),
    Side("torch", "bench.peers.tutorial_torch", needs="torch", ask=post_form),
    Side("litserve", "bench.peers.litserve_server", needs="litserve", of_peers=True, ask=post_form),
    Side(
        "litserve-batched",
        "bench.peers.litserve_server",
        needs="litserve",
        of_peers=True,
        ask=post_form,
        options=("--batched",),
    ),
    Side("bentoml", "bench.peers.bentoml_server", needs="bentoml", of_peers=True, ask=post_jpeg),
    Side("ray", "bench.peers.ray_server", needs="ray", of_peers=True, ask=post_jpeg, freezes=False),
    Side("mosec", "bench.peers.mosec_server", needs="mosec", of_peers=True, ask=post_jpeg),
)
NAMES = tuple(side.name for side in SIDES)
GET_FORMS = tuple(side.name for side in SIDES if side.ask is post_form)


@dataclass(frozen=True)
class Setting:
    """What sides are started with: the bundle, the weights file it came from if known, the peers' Python."""

    bundle: Path
    weights: Path | None
    peers_python: Path
    logs: Path


class LeftOut(Exception):
    """A side that cannot be measured here, with the reason."""


@dataclass
class Running:
    """A side that was started; it is frozen when it is not its turn, if it bears that."""

    side: Side
    process: "subprocess.Popen[str]"
    port: int
    pids: list[int] = field(default_factory=list)

    @contextlib.contextmanager
    def turn(self) -> Iterator[list[int]]:
        """Its processes, awake for as long as the block lasts."""
        thaw(self.pids)
        self.pids = tree(self.process.pid)
        thaw(self.pids)
        try:
            yield self.pids
        finally:
            self.pids = tree(self.process.pid)
            if self.side.freezes:
                freeze(self.pids)

    def answer(self, picture: Path) -> dict[str, Any]:
        """What it says of a picture: label, score and the best labels.

        Raises:
            LeftOut: it does not answer.
        """
        if self.side.takes_orders:
            return self.order({"predict": str(picture)})
        status, body = send(self.port, self.side.ask(picture.read_bytes()))
        if status != HTTP_OK:
            raise LeftOut(f"it answers with {status}: {body[:200].decode(errors='replace')}")
        found: dict[str, Any] = json.loads(body)
        return found

    def order(self, order: dict[str, Any]) -> dict[str, Any]:
        """Have a bare loop do something.

        Raises:
            LeftOut: it has ended.
        """
        if self.process.stdin is None or self.process.stdout is None:
            raise LeftOut("it takes no orders")
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise LeftOut("it has ended") from None
        line = self.process.stdout.readline()
        if not line:
            raise LeftOut("it has ended")
        found: dict[str, Any] = json.loads(line)
        return found


def send(port: int, request: bytes) -> tuple[int, bytes]:
    """Send a whole request and read its answer. OSError: nobody answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(request)
        answer = http.client.HTTPResponse(line)
        answer.begin()
        return answer.status, answer.read()


def wait_for_answer(port: int, request: bytes, *, within_s: float = THAWED_WITHIN_S) -> None:
    """Return once a request brings 200: who was frozen for long may have to find his own parts again.

    Raises:
        LeftOut: it does not within the time.
    """
    give_up = time.monotonic() + within_s
    while True:
        try:
            status, said = send(port, request)
        except (OSError, http.client.HTTPException) as error:
            status, said = 0, repr(error).encode()
        if status == HTTP_OK:
            return
        if time.monotonic() > give_up:
            raise LeftOut(f"no answer within {within_s:g} s after it was frozen: {status} {said[:200]!r}")
        time.sleep(0.1)


@contextlib.contextmanager
def running(side: Side, setting: Setting, picture: Path) -> Iterator[Running]:
    """Start a side and wait until it answers; it is ended with the block.

    Raises:
        LeftOut: it is not installed, does not start, or does not answer.
    """
    require(side, setting)
    port = free_port()
    told = setting.logs / f"{side.name}.log"
    with told.open("w") as log:
        # A session of its own, so that an interrupt from the keyboard reaches it through us alone.
        process = subprocess.Popen(
            command_of(side, setting, port),
            cwd=ROOT,
            env=environment_of(),
            stdin=subprocess.PIPE if side.takes_orders else subprocess.DEVNULL,
            stdout=subprocess.PIPE if side.takes_orders else log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        found = Running(side, process, port)
        try:
            wait_until_it_answers(found, picture, told)
            found.pids = tree(process.pid)
            yield found
        finally:
            end(process.pid, known=found.pids)
            process.wait(30)


def require(side: Side, setting: Setting) -> None:
    """LeftOut: it cannot be started here."""
    python = python_of(side, setting)
    if not python.exists():
        raise LeftOut(f"no {python}; `make bench` makes it")
    if side.needs == "torch" and setting.weights is None:
        raise LeftOut("it needs the weights file that the bundle was made from: --weights FILE")
    probe = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({side.needs!r}) is None)"
    if subprocess.run([str(python), "-c", probe], check=False).returncode:
        raise LeftOut(f"{side.needs} is not installed in {python.parents[1]}; `make bench` installs it")


def command_of(side: Side, setting: Setting, port: int) -> list[str]:
    """What starts it."""
    command = [str(python_of(side, setting)), "-m", side.module]
    if side.module == "service":
        name = setting.bundle.parent.name
        command += ["--models-dir", str(setting.bundle.parents[1]), "--models", name, "--port", str(port)]
    else:
        command += [str(setting.bundle), "--port", str(port)]
    command += ["--weights", str(setting.weights)] if side.needs == "torch" else []
    return [*command, *side.options]


def python_of(side: Side, setting: Setting) -> Path:
    """The interpreter that runs it."""
    return setting.peers_python if side.of_peers else Path(sys.executable)


def environment_of() -> dict[str, str]:
    """Without our own variables; nothing is reported to anybody's makers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FINIAL_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "BENTOML_DO_NOT_TRACK": "True"}


def last_line(log: Path) -> str:
    """The end of what a side has said."""
    return (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1][:200]


def versions_in(python: Path, names: Sequence[str]) -> dict[str, str]:
    """Distribution -> version, of those that another interpreter has; none if there is no such interpreter."""
    if not python.exists():
        return {}
    program = f"import json; from bench.machine import versions; print(json.dumps(versions(*{tuple(names)!r})))"
    run = subprocess.run([str(python), "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(run.stdout)
    return found


def wait_until_it_answers(side: Running, picture: Path, log: Path) -> None:
    """LeftOut: it has ended, or says nothing sensible in time."""
    give_up, said = time.monotonic() + READY_WITHIN_S, "nothing"
    while time.monotonic() < give_up:
        try:
            side.answer(picture)
        except (OSError, http.client.HTTPException, LeftOut, ValueError) as error:
            said = str(error)
        else:
            return
        if side.process.poll() is not None:
            raise LeftOut(f"it ended with exit code {side.process.returncode} before it answered: {last_line(log)}")
        time.sleep(0.1)
    raise LeftOut(f"no answer within {READY_WITHIN_S:g} s; at last: {said}")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def same_answer(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two sides say the same: label, score and the best labels in order, with their scores."""
    best = [[(each["label"], each["score"]) for each in answer["predictions"]] for answer in (one, other)]
    if one["label"] != other["label"] or len(best[0]) != len(best[1]):
        return False
    scores = [(one["score"], other["score"]), *((a[1], b[1]) for a, b in zip(*best, strict=True))]
    names = all(a[0] == b[0] for a, b in zip(*best, strict=True))
    return names and all(math.isclose(a, b, abs_tol=CLOSE) for a, b in scores)
