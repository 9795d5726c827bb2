"""A contest of servers: every side at every point, in turns; what is measured of each, and what went wrong."""

import math
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from bench.load import Load, closed_loop, open_loop
from bench.process_tree import memory_mb, processor_s, threads_s
from bench.sides import LeftOut, Running, post_jpeg, wait_for_answer
from bench.spread import turns

BESIDE = "beside client"
CONNECTIONS = 16  # of few callers, whose requests are spread over them
LIMIT_CALLERS = 8  # with whom the bare loops are asked for what they reach, before open loops
GIVEN_UP = 4  # failed measurements after which a side is measured no more


@dataclass(frozen=True)
class Point:
    """What all sides are measured at; `share` is None in a closed loop, and one of the limit's rate in an open one."""

    size: str
    clients: int
    share: float | None = None


@dataclass(frozen=True)
class Figures:
    """What was measured of a side at a point in a round; processor times are those of an answered request.

    Attributes:
        answers: how many latencies the percentiles were taken of.
        p50_ms, p99_ms: None, if nothing was answered.
        threads_ms: of the process that was started, processor time by thread; see `process_tree.threads_s`.
    """

    side: str
    point: Point
    round: int
    per_s: float
    p50_ms: float | None
    p99_ms: float | None
    processor_ms: float
    client_ms: float
    memory_mb: float
    answers: int = 0
    threads_ms: dict[str, float] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Trouble:
    """A measurement that failed, and why."""

    side: str
    point: Point
    round: int
    reason: str


@dataclass(frozen=True)
class Pace:
    """How long each measurement takes."""

    seconds: float
    warm_s: float


class Watch:
    """Looks, when it is called, how much of the processor has been used by now.

    Args:
        pids: of all processes, that which was started first.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids, self._seen = pids, list[dict[str, float]]()

    def __call__(self) -> float:
        """Of all of them, in s."""
        self._seen.append(threads_s(self._pids[0]))
        return processor_s(self._pids)

    def threads(self) -> dict[str, float]:
        """Of the first one, by thread, from the first look to the last one."""
        first, last = self._seen[0], self._seen[-1]
        return {name: used_s - first.get(name, 0.0) for name, used_s in last.items()}


class Contest:
    """Sides that run, and what has been measured of them.

    Args:
        sides: started, all giving the same answer.
        sink: a server that does nothing.
        pictures: size -> file.
        pace: of each measurement.
        beside: whether bare loops are measured beside the client's load, too.
    """

    def __init__(
        self, sides: Sequence[Running], sink: Running, pictures: dict[str, Path], pace: Pace, *, beside: bool = False
    ) -> None:
        self.sides, self._sink, self._pictures, self._pace, self._beside = sides, sink, pictures, pace, beside
        self.figures: list[Figures] = []
        self.troubles: list[Trouble] = []
        self.limits: dict[str, float] = {}

    def run(self, points: Sequence[Point], rounds: int, told: Callable[[str], None]) -> None:
        """Measure every side at every point, round by round; what fails is noted, and the others go on."""
        self._find_limits(points)
        for number, point, side in order_of(points, self.sides, rounds):
            if sum(each.side == side.side.name for each in self.troubles) >= GIVEN_UP:
                continue
            try:
                found = self._measure(side, point, number)
            except (OSError, LeftOut, ValueError) as error:
                self.troubles.append(Trouble(side.side.name, point, number, f"{type(error).__name__}: {error}"))
                told(f"{number + 1} {point} {side.side.name}: {error!r}")
                continue
            self.figures += found
            for each in found:
                told(_line(each))

    def _find_limits(self, points: Sequence[Point]) -> None:
        """What the bare loops reach with pictures of a size, once for all, so that open loops keep their rates."""
        bare = [side for side in self.sides if side.side.takes_orders]
        for size in dict.fromkeys(point.size for point in points if point.share is not None):
            found = [self._order(side, side.side.name, Point(size, LIMIT_CALLERS), 0) for side in bare]
            if not found:
                raise LeftOut("an open loop needs the rate of a bare loop; name one among the sides")
            self.limits[size] = max(each.per_s for each in found)

    def _measure(self, side: Running, point: Point, number: int) -> list[Figures]:
        if side.side.takes_orders:
            return self._measure_bare(side, point, number) if point.share is None else []
        with side.turn() as pids:
            request = side.side.ask(self._pictures[point.size].read_bytes())
            wait_for_answer(side.port, request)
            watch = Watch(pids)
            load = self._ask(side.port, request, point, watch)
            if not load.answered:
                raise LeftOut(f"nothing was answered; {dict(load.failures)}")
            return [figures_of(side.side.name, point, number, load, memory_mb(pids), watch.threads())]

    def _ask(self, port: int, request: bytes, point: Point, watch: Callable[[], float]) -> Load:
        callers, seconds, warm_s = point.clients, self._pace.seconds, self._pace.warm_s
        if point.share is None:
            return closed_loop(
                port, request, callers=callers, connections=CONNECTIONS, seconds=seconds, warm_s=warm_s, watch=watch
            )
        per_s = point.share * self.limits[point.size]
        return open_loop(port, request, callers=callers, per_s=per_s, seconds=seconds, warm_s=warm_s, watch=watch)

    def _measure_bare(self, side: Running, point: Point, number: int) -> list[Figures]:
        """Alone, and, if asked for, while the client asks the sink as often as the loop has just answered."""
        alone = self._order(side, side.side.name, point, number)
        if not self._beside:
            return [alone]
        request, over = post_jpeg(self._pictures[point.size].read_bytes()), threading.Event()
        with self._sink.turn(), ThreadPoolExecutor(1) as executor:
            asking = executor.submit(self._ask_the_sink, request, point.clients, alone.per_s, over)
            try:
                beside = self._order(side, f"{side.side.name} {BESIDE}", point, number)
            finally:
                over.set()
            asking.result()
        return [alone, beside]

    def _ask_the_sink(self, request: bytes, callers: int, per_s: float, over: threading.Event) -> None:
        """In pieces, until the loop has ended: how long that warms up is its own affair. OSError: nobody is there."""
        while not over.is_set():
            load = open_loop(self._sink.port, request, callers=callers, per_s=per_s, seconds=0.5, warm_s=0.0)
            if not load.answered:
                raise LeftOut(f"the sink does not answer; {dict(load.failures)}")

    def _order(self, side: Running, name: str, point: Point, number: int) -> Figures:
        order = {"picture": str(self._pictures[point.size]), "callers": point.clients, **asdict(self._pace)}
        with side.turn() as pids:
            done = side.order(order)
            answered = done["latencies_s"]
            load = Load(done["seconds"], len(answered), answered, watched=[0.0, done["processor_s"]])
            return figures_of(name, point, number, load, memory_mb(pids), {})


def order_of(
    points: Sequence[Point], sides: Sequence[Running], rounds: int, *, seed: int = 0
) -> Iterator[tuple[int, Point, Running]]:
    """Every side at every point in every round; points in an order drawn for each round, sides for each point."""
    drawn = random.Random(seed)  # noqa: S311 -- an order, not a secret
    orders = iter(turns(list(sides), rounds * len(points), seed=seed))
    for number in range(rounds):
        for point in drawn.sample(points, len(points)):
            for side in next(orders):
                yield number, point, side


def figures_of(side: str, point: Point, number: int, load: Load, memory: float, threads: dict[str, float]) -> Figures:
    """From what became of the requests of a window, and the seconds that each kind of thread worked within it."""
    answered = max(1, load.answered)
    p50, p99 = np.percentile(load.latencies_s, [50, 99]) * 1000 if load.latencies_s else (None, None)
    used_s = load.watched[1] - load.watched[0]
    return Figures(
        side, point, number, load.answered / load.seconds, _number(p50), _number(p99),
        used_s / answered * 1000, load.client_s / answered * 1000, memory, len(load.latencies_s),
        {name: seconds / answered * 1000 for name, seconds in threads.items()}, dict(load.failures),
    )  # fmt: skip


def _number(found: float | None) -> float | None:
    return None if found is None or math.isnan(found) else float(found)


def _line(each: Figures) -> str:
    p50, p99 = (f"{value:7.1f}" if value is not None else "      -" for value in (each.p50_ms, each.p99_ms))
    share = "" if each.point.share is None else f" x {each.point.share:g}"
    return (
        f"{each.round + 1} {each.point.size} {each.point.clients:2}{share} {each.side:28} {each.per_s:7.1f}/s "
        f"p50 {p50} p99 {p99} ms {each.failures or ''}"
    )
