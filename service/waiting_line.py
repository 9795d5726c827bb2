"""Who is next: one queue per model, first come first served, and the queues take turns."""

import heapq
import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto


class Fate(Enum):
    """What became of one who asked for a lane."""

    WAITING = auto()
    GRANTED = auto()
    REFUSED = auto()
    TIMED_OUT = auto()
    DISMISSED = auto()
    GAVE_UP = auto()


@dataclass(eq=False)
class Waiter:
    """A caller's place in the line, and later its cores.

    Attributes:
        queue: the queue it stands in, a model's name.
        entered: when it came, seconds on the pool's clock.
        deadline: when it stops being worth a lane, on the same clock.
        wake: called once, from any thread, when its waiting is over.
        fate: what became of it so far.
        room: how many of its queue may be under way beyond those on cores: a device takes that many; None for any.
        cores: how many cores of the budget it holds.
        number: of its grant, among all of the pool.
        under_way: whether it has been granted a core and has not left, with or without one.
    """

    queue: str
    entered: float
    deadline: float
    wake: Callable[[], object]
    room: int | None = None
    fate: Fate = Fate.WAITING
    cores: int = 0
    number: int = 0
    under_way: bool = False


@dataclass
class _Queue:
    """Waiters of one model in the order they came, and again by deadline; who has left stays in `by_deadline`."""

    waiters: OrderedDict[Waiter, None] = field(default_factory=OrderedDict)
    by_deadline: list[tuple[float, int, Waiter]] = field(default_factory=list)


class WaitingLine:
    """Waiters in order. No step looks at all of them. Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        # Queues in the order of their turns; an empty queue is not in it.
        self._queues: OrderedDict[str, _Queue] = OrderedDict()
        self._length = 0
        self._numbers = itertools.count()  # waiters cannot be compared, and two may have one deadline

    def __len__(self) -> int:
        return self._length

    def length(self, queue: str) -> int:
        """How many wait in one queue."""
        return len(self._queues[queue].waiters) if queue in self._queues else 0

    def lengths(self) -> Mapping[str, int]:
        """How many wait in each queue that is not empty."""
        return {name: len(queue.waiters) for name, queue in self._queues.items()}

    def join(self, waiter: Waiter) -> None:
        """Stand at the end of the waiter's queue."""
        queue = self._queues.setdefault(waiter.queue, _Queue())
        queue.waiters[waiter] = None
        self._length += 1
        if len(queue.by_deadline) > 2 * len(queue.waiters):  # most of them have left
            queue.by_deadline = [entry for entry in queue.by_deadline if entry[2] in queue.waiters]
            heapq.heapify(queue.by_deadline)
        heapq.heappush(queue.by_deadline, (waiter.deadline, next(self._numbers), waiter))

    def leave(self, waiter: Waiter) -> bool:
        """Step out of the line, wherever one stands. Returns whether the waiter was in it."""
        queue = self._queues.get(waiter.queue)
        if queue is None or waiter not in queue.waiters:
            return False
        del queue.waiters[waiter]
        self._length -= 1
        if not queue.waiters:
            del self._queues[waiter.queue]
        return True

    def next(self, may_begin: Callable[[Waiter], bool] = lambda _: True) -> Waiter | None:
        """Take out the one whose turn it is; queues whose first may not begin are passed over and keep their turn."""
        for name, queue in self._queues.items():
            waiter = next(iter(queue.waiters))
            if may_begin(waiter):
                self._queues.move_to_end(name)
                self.leave(waiter)
                return waiter
        return None

    def expire(self, now: float) -> list[Waiter]:
        """Take out those whose deadline has passed."""
        expired = []
        for queue in list(self._queues.values()):
            while queue.by_deadline and queue.by_deadline[0][0] <= now:
                waiter = heapq.heappop(queue.by_deadline)[2]
                if self.leave(waiter):
                    expired.append(waiter)
        return expired

    def empty(self) -> Iterator[Waiter]:
        """Take out everyone."""
        while (waiter := self.next()) is not None:
            yield waiter
