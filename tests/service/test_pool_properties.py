"""Whatever order things happen in, the pool keeps its word."""

from collections import Counter
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from service.pool import Pool
from service.pool_errors import PoolClosed, PoolTimeout, TooManyWaiting
from service.waiting_line import Fate, Waiter
from tests.service.fakes import FakeClock

QUEUES = ("cats", "dogs", "birds")
MAX_WAITING = 2
PATIENCE_S = (0.0, 1.0, 5.0, 60.0)
WHICH = st.integers(0, 7)


@dataclass(eq=False)
class Caller:
    """One who asked for a lane, as the test sees it."""

    queue: str
    deadline: float
    loop_has_gone: bool
    waiter: Waiter | None = None
    woken: int = 0
    waits: bool = False
    had_crowd: bool = False
    may_have_had_crowd: bool = False

    @property
    def cores(self) -> int:
        return self.waiter.cores if self.waiter else 0

    @property
    def under_way(self) -> bool:
        return self.waiter is not None and self.waiter.under_way

    def wake(self) -> None:
        self.woken += 1
        if self.loop_has_gone:
            raise RuntimeError("Event loop is closed")


class PoolMachine(RuleBasedStateMachine):
    """Callers come, run narrow, wide or elsewhere, fail, give up and time out; a simple model is kept beside."""

    @initialize(lanes=st.sampled_from([1, 2, 2, 3, 4, 6]), room=st.integers(0, 2))
    def open_pool(self, lanes: int, room: int) -> None:
        self.rooms = {"cats": None, "dogs": None, "birds": room}
        self.clock, self.lanes, self.closed = FakeClock(), lanes, False
        self.pool = Pool(lanes=lanes, max_waiting=MAX_WAITING, clock=self.clock)
        self.waiting: list[Caller] = []  # in the order they came
        self.turns: list[str] = []  # queues; the first one is next
        self.leased: list[Caller] = []  # also those who have handed their core over
        self.everyone: list[Caller] = []
        self.counts: Counter[str] = Counter()

    # --- what may happen ---

    @rule(
        queue=st.sampled_from(QUEUES),
        patience_s=st.sampled_from(PATIENCE_S),
        loop_has_gone=st.sampled_from([False] * 9 + [True]),
    )
    def come(self, *, queue: str, patience_s: float, loop_has_gone: bool) -> None:
        caller = Caller(queue, self.clock() + patience_s, loop_has_gone)
        self.everyone.append(caller)
        self.drop_expired()
        refusal = self.expected_refusal(queue)
        self.counts["asked"] += 1
        try:
            caller.waiter = self.pool.enter(queue, caller.deadline, caller.wake, room=self.rooms[queue])
        except (TooManyWaiting, PoolClosed) as error:
            assert type(error) is refusal
            self.counts[refusal.__name__] += 1
            return
        assert refusal is None
        self.take_place(caller, patience_s)

    def take_place(self, caller: Caller, patience_s: float) -> None:
        if caller.cores:
            assert patience_s > 0, "granted after its deadline"
            assert self.is_roomy(caller.queue), "more than its device takes"
            assert not any(each.queue == caller.queue or self.is_roomy(each.queue) for each in self.waiting), "overtook"
            self.leased.append(caller)
            self.counts["granted"] += 1
        elif patience_s > 0:
            caller.waits = True
            self.waiting.append(caller)
            self.turns += [caller.queue] if caller.queue not in self.turns else []
        else:
            self.counts["timed out"] += 1

    @precondition(lambda self: self.leased)
    @rule(which=WHICH)
    def end_lease(self, which: int) -> None:
        """Its work is done, or failed, perhaps in the middle of a run."""
        self.leave(self.leased[which % len(self.leased)])

    @precondition(lambda self: self.waiting)
    @rule(which=WHICH)
    def give_up(self, which: int) -> None:
        """The client has gone, or its deadline has passed."""
        self.leave(self.waiting[which % len(self.waiting)])

    @precondition(lambda self: self.everyone)
    @rule(which=WHICH)
    def leave_again(self, which: int) -> None:
        """Whoever holds and awaits nothing may leave as often as it likes."""
        caller = self.everyone[which % len(self.everyone)]
        if caller not in self.leased and caller not in self.waiting:
            self.leave(caller)

    def leave(self, caller: Caller) -> None:
        if caller.waiter is None:
            return
        if caller in self.waiting:
            self.counts["timed out" if caller.deadline <= self.clock() else "gave up"] += 1
            self.remove([caller])
        self.leased = [each for each in self.leased if each is not caller]
        expected = self.expected_grants(self.free) if caller.under_way else []
        self.pool.leave(caller.waiter)
        self.check_grants(expected)

    @precondition(lambda self: self.everyone)
    @rule(which=WHICH)
    def withdraw(self, which: int) -> None:
        """The client has gone: a place in the line is given up, and a lane that was granted is kept."""
        caller = self.everyone[which % len(self.everyone)]
        if caller.waiter is None:
            return
        waits, cores = caller in self.waiting, caller.cores
        if waits:
            self.counts["timed out" if caller.deadline <= self.clock() else "gave up"] += 1
            self.remove([caller])
        assert self.pool.withdraw(caller.waiter) == waits
        assert (caller.waiter.fate is Fate.WAITING, caller.cores) == (False, cores)

    @precondition(lambda self: self.everyone)
    @rule(which=WHICH)
    def run_out_of_time(self, which: int) -> None:
        """By a clock of its own, perhaps a little ahead; whose fate is decided, has it."""
        caller = self.everyone[which % len(self.everyone)]
        if caller.waiter is None:
            return
        waits, fate = caller in self.waiting, caller.waiter.fate
        self.counts["timed out"] += waits
        self.remove([caller])
        self.pool.give_up(caller.waiter)
        assert caller.waiter.fate is (Fate.TIMED_OUT if waits else fate)

    @precondition(lambda self: self.leased)
    @rule(which=WHICH, useful=st.sampled_from([True, True, False]))
    def begin_run(self, *, which: int, useful: bool) -> None:
        caller = self.leased[which % len(self.leased)]
        if caller.waiter is None or caller.cores != 1:
            return
        free = self.free
        wide = self.pool.widen(caller.waiter, useful=useful)
        could_be = useful and free >= 1 and 1 + free > self.lanes / 2
        assert could_be or not wide, "wide only when most cores are free"
        assert not (wide and caller.had_crowd), "and were so since it was granted"
        assert wide or not could_be or caller.may_have_had_crowd, "then always"
        assert not (wide and any(self.is_roomy(each.queue) for each in self.waiting)), "never while somebody waits"
        assert caller.cores == (1 + free if wide else 1)
        self.counts["wide" if wide else "narrow"] += 1

    @precondition(lambda self: self.leased)
    @rule(which=WHICH)
    def end_run(self, which: int) -> None:
        caller = self.leased[which % len(self.leased)]
        if caller.waiter is None:
            return
        cores = min(caller.cores, 1)
        expected = self.expected_grants(self.free + caller.cores - cores) if caller.cores > 1 else []
        self.pool.narrow(caller.waiter)
        assert caller.cores == cores
        self.check_grants(expected)

    @precondition(lambda self: self.leased)
    @rule(which=WHICH)
    def hand_over(self, which: int) -> None:
        """A device does the rest of its work."""
        caller = self.leased[which % len(self.leased)]
        if caller.waiter is None:
            return
        expected = self.expected_grants(self.free + caller.cores)
        self.pool.hand_over(caller.waiter)
        assert (caller.cores, caller.under_way) == (0, True)
        self.check_grants(expected)

    @precondition(lambda self: self.leased)
    @rule(which=WHICH)
    def check_deadline(self, which: int) -> None:
        caller = self.leased[which % len(self.leased)]
        if caller.waiter is None:
            return
        late = caller.deadline <= self.clock()
        try:
            self.pool.check_deadline(caller.waiter, "it was run")
            assert not late
        except PoolTimeout:
            assert late
            self.counts["expired"] += 1

    @rule(queue=st.sampled_from(QUEUES))
    def ask_for_admission(self, queue: str) -> None:
        self.drop_expired()
        refusal = self.expected_refusal(queue)
        try:
            self.pool.check_admission(queue, room=self.rooms[queue])
            assert refusal is None
        except (TooManyWaiting, PoolClosed) as error:
            assert type(error) is refusal
            self.counts["asked"] += 1
            self.counts[refusal.__name__] += 1

    @rule(seconds=st.sampled_from([0.5, 2.0, 6.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: len(self.leased) >= self.lanes)
    @rule(chance=st.integers(0, 9))
    def close(self, chance: int) -> None:
        if chance:
            return
        self.closed = True
        self.pool.close()
        self.counts["PoolClosed"] += len(self.waiting)
        self.remove(self.waiting)

    # --- what is expected of it ---

    @property
    def free(self) -> int:
        return self.lanes - sum(each.cores for each in self.leased)

    def under_way(self, queue: str) -> int:
        return sum(each.queue == queue for each in self.leased)

    def is_roomy(self, queue: str, more: int = 0) -> bool:
        room = self.rooms[queue]
        return room is None or self.under_way(queue) + more < room + self.lanes

    def expected_refusal(self, queue: str) -> type[TooManyWaiting] | type[PoolClosed] | None:
        if self.closed:
            return PoolClosed
        waiting = sum(each.queue == queue for each in self.waiting)
        busy = not self.free or waiting or not self.is_roomy(queue)
        return TooManyWaiting if busy and waiting >= MAX_WAITING else None

    def drop_expired(self) -> None:
        """Who has expired does not count as waiting any more, noticed or not."""
        late = [each for each in self.waiting if each.deadline <= self.clock()]
        self.counts["timed out"] += len(late)
        self.remove(late)

    def remove(self, callers: list[Caller]) -> None:
        self.waiting = [each for each in self.waiting if each not in callers]
        self.turns = [name for name in self.turns if any(each.queue == name for each in self.waiting)]

    def expected_grants(self, free: int) -> list[Caller]:
        """Whose turn it is when so many cores are free: the first of each queue with room, queues in turns."""
        self.drop_expired()
        granted: list[Caller] = []
        more: Counter[str] = Counter()  # are under way now

        def grant() -> None:
            round_of: list[Caller] = []
            while len(round_of) < free - sum(more.values()) and (caller := self.next_in_turn(more, round_of)):
                round_of.append(caller)
            more.update(each.queue for each in round_of)
            for caller in round_of:
                granted.append(caller)
                if caller.loop_has_gone:  # one who cannot be told hands its core on
                    more[caller.queue] -= 1
                    grant()

        grant()
        return granted

    def next_in_turn(self, more: Counter[str], round_of: list[Caller]) -> Caller | None:
        for name in self.turns:
            if self.is_roomy(name, more[name] + sum(each.queue == name for each in round_of)):
                self.turns.append(self.turns.pop(self.turns.index(name)))
                caller = next(each for each in self.waiting if each.queue == name)
                self.remove([caller])
                return caller
        return None

    def check_grants(self, expected: list[Caller]) -> None:
        assert all(each.waiter is not None and each.waiter.fate is Fate.GRANTED for each in expected)
        assert all(each.waiter is not None and each.waiter.fate is Fate.WAITING for each in self.waiting)
        self.counts["granted"] += len(expected)
        self.leased += [each for each in expected if not each.loop_has_gone]
        if any(each.loop_has_gone for each in expected):  # they had a lease for a moment
            for caller in self.leased:
                caller.may_have_had_crowd = True

    @invariant()
    def who_is_in_a_crowd_is_noted(self) -> None:
        holding = [each for each in self.leased if each.cores] if hasattr(self, "pool") else []
        if holding and len(holding) - 1 >= self.lanes / 2:
            for caller in holding:
                caller.had_crowd = caller.may_have_had_crowd = True

    @invariant()
    def the_budget_is_kept_and_used(self) -> None:
        if not hasattr(self, "pool"):
            return
        held = sum(each.cores for each in self.leased)
        assert held <= self.lanes
        assert {each for each in self.everyone if each.under_way} == set(self.leased), "nothing lost, nothing doubled"
        assert sum(each.cores > 1 for each in self.leased) <= 1, "one is wide at most"
        for queue, room in self.rooms.items():
            assert room is None or self.under_way(queue) <= room + self.lanes, "no more than its device takes"
        if any(self.is_roomy(each.queue) for each in self.waiting):
            assert held == self.lanes, "never idle while someone waits"

    @invariant()
    def everyone_is_told_once(self) -> None:
        if not hasattr(self, "pool"):
            return
        assert all(each.woken == 0 for each in self.waiting if each.deadline > self.clock())
        assert all(each.woken == each.waits for each in self.leased)

    @rule()
    def look_at_the_counts(self) -> None:
        self.drop_expired()
        stats = self.pool.stats()
        assert (stats.leased, stats.waiting) == (sum(each.cores > 0 for each in self.leased), len(self.waiting))
        assert stats.waiting_by_model == Counter(each.queue for each in self.waiting)
        assert stats.wide == any(each.cores > 1 for each in self.leased)
        found = {
            "asked": stats.asked_total,
            "granted": stats.granted_total,
            "TooManyWaiting": stats.refused_total,
            "PoolClosed": stats.dismissed_total,
            "timed out": stats.timed_out_total,
            "gave up": stats.gave_up_total,
            "expired": stats.expired_total,
            "wide": stats.wide_runs_total,
            "narrow": stats.narrow_runs_total,
        }
        assert found == {name: self.counts[name] for name in found}

    def teardown(self) -> None:
        if not hasattr(self, "pool"):
            return
        self.look_at_the_counts()
        while self.leased or self.waiting:
            self.leave((self.leased or self.waiting)[0])
        self.look_at_the_counts()
        assert self.pool.stats().leased == 0


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
