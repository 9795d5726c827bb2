"""A contest of servers: every side at every point, in turns; what is measured of each, and of the bare loop twice."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from bench.load import Load, closed_loop, open_loop
from bench.process_tree import memory_mb, processor_s
from bench.sides import BARE, LeftOut, Running, post_jpeg
from bench.spread import turns

BESIDE = "bare beside client"


@dataclass(frozen=True)
class Point:
    """What all sides are measured at; `per_s` is None in a closed loop, and a share of the bare loop's rate else."""

    size: str
    clients: int
    share: float | None = None


@dataclass(frozen=True)
class Figures:
    """What was measured of a side at a point in a round; times per answered request."""

    side: str
    point: Point
    round: int
    per_s: float
    p50_ms: float
    p99_ms: float
    processor_ms: float
    client_ms: float
    memory_mb: float
    failures: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Pace:
    """How long each measurement takes."""

    seconds: float
    warm_s: float


class Contest:
    """Sides that run, and what has been measured of them.

    Args:
        sides: started, all giving the same answer.
        sink: a server that does nothing.
        pictures: size -> file.
        pace: of each measurement.
    """

    def __init__(self, sides: Sequence[Running], sink: Running, pictures: dict[str, Path], pace: Pace) -> None:
        self.sides, self._sink, self._pictures, self._pace = sides, sink, pictures, pace
        self.figures: list[Figures] = []

    def run(self, points: Sequence[Point], rounds: int, told: Callable[[str], None]) -> None:
        """Measure every side at every point, round by round."""
        orders = iter(turns(list(self.sides), rounds * len(points)))
        for number in range(rounds):
            for point in points:
                for side in next(orders):
                    found = self._measure(side, point, number)
                    self.figures += found
                    for each in found:
                        told(
                            f"{number + 1} {point.size} {point.clients:2} {each.side:18} {each.per_s:7.1f}/s "
                            f"p50 {each.p50_ms:7.1f} p99 {each.p99_ms:7.1f} ms {each.failures or ''}"
                        )

    def _measure(self, side: Running, point: Point, number: int) -> list[Figures]:
        if side.side.name == BARE:
            return self._measure_bare(side, point, number) if point.share is None else []
        with side.turn() as pids:
            request = side.side.ask(self._pictures[point.size].read_bytes())
            load = self._ask(side.port, request, point, lambda: processor_s(pids))
            return [_figures(side.side.name, point, number, load, memory_mb(pids))]

    def _ask(self, port: int, request: bytes, point: Point, watch: Callable[[], float]) -> Load:
        seconds, warm_s = self._pace.seconds, self._pace.warm_s
        if point.share is None:
            return closed_loop(port, request, callers=point.clients, seconds=seconds, warm_s=warm_s, watch=watch)
        per_s = point.share * self.limit_per_s(point.size)
        return open_loop(port, request, callers=point.clients, per_s=per_s, seconds=seconds, warm_s=warm_s, watch=watch)

    def limit_per_s(self, size: str) -> float:
        """What the bare loop reaches at most with pictures of a size: the median of its best count of callers.

        Raises:
            LeftOut: it has not been measured.
        """
        rates: dict[int, list[float]] = {}
        for each in self.figures:
            if each.side == BARE and each.point.size == size:
                rates.setdefault(each.point.clients, []).append(each.per_s)
        if not rates:
            raise LeftOut(f"an open loop needs the rate of the bare loop at {size}; name {BARE} among the sides")
        return max(float(np.median(values)) for values in rates.values())

    def _measure_bare(self, side: Running, point: Point, number: int) -> list[Figures]:
        """Alone, and while the client asks the sink as often as the loop has just answered."""
        alone = self._order(side, BARE, point, number)
        request = post_jpeg(self._pictures[point.size].read_bytes())
        seconds = self._pace.seconds + 2 * self._pace.warm_s
        stop = threading.Thread(
            target=open_loop,
            args=(self._sink.port, request),
            kwargs={"callers": point.clients, "per_s": alone.per_s, "seconds": seconds, "warm_s": 0.0},
        )
        with self._sink.turn():
            stop.start()
            beside = self._order(side, BESIDE, point, number)
            stop.join()
        return [alone, beside]

    def _order(self, side: Running, name: str, point: Point, number: int) -> Figures:
        order = {"picture": str(self._pictures[point.size]), "callers": point.clients, **asdict(self._pace)}
        with side.turn() as pids:
            done = side.order(order)
            load = Load(done["seconds"], done["answered"], done["latencies_s"], watched=[0.0, done["processor_s"]])
            return _figures(name, point, number, load, memory_mb(pids))


def _figures(side: str, point: Point, number: int, load: Load, memory: float) -> Figures:
    answered = max(1, load.answered)
    p50, p99 = np.percentile(load.latencies_s or [float("nan")], [50, 99]) * 1000
    used_s = load.watched[1] - load.watched[0]
    return Figures(
        side, point, number, load.answered / load.seconds, float(p50), float(p99),
        used_s / answered * 1000, load.client_s / answered * 1000, memory, dict(load.failures),
    )  # fmt: skip
