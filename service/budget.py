"""A budget of cores and who may use them next: the rules alone, without locks, threads or a clock.

A lease is one core. For its run it is widened to all that are free, if it then has most of them. Or its core is handed
over and a device does the rest, which has room for so many. Every step that frees cores or room gives them at once to
those whose turn it is, so a core is free only while nobody waits but those whose device is full.
"""

from collections import Counter

from service.pool_errors import PoolClosed, TooManyWaiting
from service.pool_stats import PoolStats
from service.waiting_line import Fate, Waiter, WaitingLine


class Budget:
    """Cores, the leases on them and the line before them. Not thread-safe: its owner holds a lock.

    `now` is always the time on the one clock that deadlines are read on. Lists that are returned name those whose
    fate was decided and who are to be woken.

    Args:
        cores: how many requests may run at once, each on one.
        max_waiting: how many more may wait in each queue.
    """

    def __init__(self, *, cores: int, max_waiting: int) -> None:
        if cores < 1 or max_waiting < 0:
            raise ValueError(f"{cores} lanes and {max_waiting} waiting; at least 1 and 0 are needed")
        self._cores, self._max_waiting = cores, max_waiting
        self._free, self._leased, self._wide = cores, 0, 0
        self._crowded = 0  # number of the last grant while leases were out that leave nobody most of the cores
        self._line = WaitingLine()
        self._under_way: Counter[str] = Counter()  # by queue
        self._closed = False
        self._fates: Counter[Fate] = Counter()
        self._expired = self._wide_runs = self._narrow_runs = 0
        self._waited_s = 0.0

    def admit(self, queue: str, room: int | None) -> PoolClosed | TooManyWaiting | None:
        """Why nobody can join a queue now, if so; it counts as a refusal. Who has expired is to be dropped before."""
        if self._closed:
            self._fates[Fate.DISMISSED] += 1
            return PoolClosed()
        waiting = self._line.length(queue)
        if waiting >= self._max_waiting and not self._is_free(queue, room):
            self._fates[Fate.REFUSED] += 1
            return TooManyWaiting(waiting=waiting, lanes=self._cores, device_is_full=self._free > 0)
        return None

    @property
    def refused(self) -> int:
        """How many were refused because their queue was full."""
        return self._fates[Fate.REFUSED]

    def enter(self, waiter: Waiter, now: float) -> None:
        """Give one who was admitted a core or a place in the line."""
        if waiter.deadline <= now:
            self._decide(waiter, Fate.TIMED_OUT)
        elif self._is_free(waiter.queue, waiter.room):
            self._grant(waiter, now)
        else:
            self._line.join(waiter)

    def leave(self, waiter: Waiter, now: float) -> list[Waiter]:
        """Take back the cores, or the place in the line; nothing happens to one who has neither."""
        if self._line.leave(waiter):
            self._decide(waiter, Fate.GAVE_UP if waiter.deadline > now else Fate.TIMED_OUT)
        if not waiter.under_way:
            return []
        waiter.under_way = False
        self._under_way[waiter.queue] -= 1
        if not self._under_way[waiter.queue]:
            del self._under_way[waiter.queue]
        return self.hand_over(waiter, now)

    def hand_over(self, waiter: Waiter, now: float) -> list[Waiter]:
        """Take back the cores of one who is still under way, elsewhere."""
        self._note_crowd()
        self._leased -= waiter.cores > 0
        return self._shrink(waiter, 0, now)

    def give_up(self, waiter: Waiter) -> None:
        """Note that one who waits takes the deadline for passed."""
        if self._line.leave(waiter):
            self._decide(waiter, Fate.TIMED_OUT)

    def widen(self, waiter: Waiter, *, useful: bool) -> bool:
        """Give a lease all free cores, if it then has more than half and that is of use; count its run.

        One alone has all of them. With fewer than half, its threads, as many as all cores, would be in each other's way
        (decision 25). Nor is it widened where it would not have had most of them at every moment since it was granted:
        callers who ask again and again leave their cores free for a moment, and would find them taken (decision 52).
        """
        if waiter.cores != 1:
            raise RuntimeError(f"a lane of {waiter.cores} cores was to be widened; a lease has one, and once")
        wide = useful and self._free > 0 and 2 * (1 + self._free) > self._cores and waiter.number > self._crowded
        if wide:
            waiter.cores, self._free, self._wide = 1 + self._free, 0, 1
        self._wide_runs += wide
        self._narrow_runs += not wide
        return wide

    def narrow(self, waiter: Waiter, now: float) -> list[Waiter]:
        """Take back what `widen` gave."""
        return self._shrink(waiter, 1, now) if waiter.cores > 1 else []

    def is_late(self, waiter: Waiter, now: float) -> bool:
        """Whether the deadline of a lease has passed; if so, its work counts as dropped."""
        late = waiter.deadline <= now
        self._expired += late
        return late

    def expire(self, now: float) -> list[Waiter]:
        """Take those out of the line whose deadline has passed."""
        expired = self._line.expire(now)
        for waiter in expired:
            self._decide(waiter, Fate.TIMED_OUT)
        return expired

    def close(self) -> list[Waiter]:
        """Admit nobody from now on, and dismiss everyone who waits."""
        self._closed = True
        dismissed = list(self._line.empty())
        for waiter in dismissed:
            self._decide(waiter, Fate.DISMISSED)
        return dismissed

    def stats(self) -> PoolStats:
        """All counts."""
        waiting = len(self._line)
        return PoolStats(
            lanes=self._cores,
            leased=self._leased,
            wide=self._wide,
            waiting=waiting,
            waiting_by_model=self._line.lengths(),
            asked_total=self._fates.total() + waiting,
            granted_total=self._fates[Fate.GRANTED],
            refused_total=self.refused,
            timed_out_total=self._fates[Fate.TIMED_OUT],
            gave_up_total=self._fates[Fate.GAVE_UP],
            dismissed_total=self._fates[Fate.DISMISSED],
            expired_total=self._expired,
            wide_runs_total=self._wide_runs,
            narrow_runs_total=self._narrow_runs,
            waited_s=self._waited_s,
        )

    def _shrink(self, waiter: Waiter, cores: int, now: float) -> list[Waiter]:
        self._wide -= waiter.cores > 1
        self._free += waiter.cores - cores
        waiter.cores = cores
        woken = self.expire(now)
        while self._free and (following := self._line.next(self._has_room)) is not None:
            self._grant(following, now)
            woken.append(following)
        return woken

    def _is_free(self, queue: str, room: int | None) -> bool:
        """Whether a newcomer of a queue need not wait."""
        return self._free > 0 and not self._line.length(queue) and self._is_roomy(queue, room)

    def _has_room(self, waiter: Waiter) -> bool:
        return self._is_roomy(waiter.queue, waiter.room)

    def _is_roomy(self, queue: str, room: int | None) -> bool:
        return room is None or self._under_way[queue] < room + self._cores

    def _grant(self, waiter: Waiter, now: float) -> None:
        self._decide(waiter, Fate.GRANTED)
        waiter.under_way = True
        self._under_way[waiter.queue] += 1
        waiter.cores = 1
        self._free -= 1
        self._leased += 1
        waiter.number = self._fates[Fate.GRANTED]
        self._note_crowd()
        self._waited_s += now - waiter.entered

    def _note_crowd(self) -> None:
        if 2 * (self._leased - 1) >= self._cores:
            self._crowded = self._fates[Fate.GRANTED]

    def _decide(self, waiter: Waiter, fate: Fate) -> None:
        waiter.fate = fate
        self._fates[fate] += 1
