"""Who is next: one queue per model, first come first served, and the queues take turns."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Lane:
    """The right to run one request at a time, on one thread."""

    number: int


@dataclass(eq=False)
class Waiter:
    """A caller's place in the line.

    Attributes:
        queue: the queue it stands in, a model's name.
        entered: when it came, seconds on the pool's clock.
        deadline: when it stops being worth a lane, on the same clock.
        wake: called once, from any thread, when its waiting is over.
        lane: what it was granted, if anything.
    """

    queue: str
    entered: float
    deadline: float
    wake: Callable[[], object]
    lane: Lane | None = None


class WaitingLine:
    """Waiters in order. Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        # Queues in the order of their turns; an empty queue is not in it.
        self._queues: OrderedDict[str, deque[Waiter]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def length(self, queue: str) -> int:
        """How many wait in one queue."""
        return len(self._queues.get(queue, ()))

    def join(self, waiter: Waiter) -> None:
        """Stand at the end of the waiter's queue."""
        self._queues.setdefault(waiter.queue, deque()).append(waiter)

    def leave(self, waiter: Waiter) -> None:
        """Step out of the line, wherever one stands; nothing happens to one who is not in it."""
        queue = self._queues.get(waiter.queue)
        if queue is None or waiter not in queue:
            return
        queue.remove(waiter)
        if not queue:
            del self._queues[waiter.queue]

    def next(self, now: float) -> Waiter | None:
        """Take out the one whose turn it is; those whose deadline has passed are taken out and passed over."""
        while self._queues:
            name, queue = next(iter(self._queues.items()))
            waiter = queue.popleft()
            if not queue:
                del self._queues[name]
            if waiter.deadline > now:
                if name in self._queues:
                    self._queues.move_to_end(name)
                return waiter
        return None

    def empty(self) -> Iterator[Waiter]:
        """Take out everyone."""
        while self._queues:
            yield from self._queues.popitem(last=False)[1]
