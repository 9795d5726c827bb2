"""Whatever order things happen in, the pool keeps its word."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from service.errors import TooManyWaiting
from service.pool import Pool
from service.waiting_line import Waiter
from tests.service.fakes import FakeClock

QUEUES = ("cats", "dogs", "birds")
MAX_WAITING = 3


class PoolMachine(RuleBasedStateMachine):
    """Callers come, leave, give up and time out in any order, while a model of the line is kept beside."""

    callers = Bundle("callers")

    @initialize(lanes=st.integers(1, 3))
    def open_pool(self, lanes: int) -> None:
        self.clock = FakeClock()
        self.lanes = lanes
        self.pool = Pool(lanes=lanes, max_waiting=MAX_WAITING, clock=self.clock)
        self.waiting: list[Waiter] = []  # in the order they came
        self.leased: list[Waiter] = []
        self.woken: list[Waiter] = []
        self.overtaken: Counter[int] = Counter()

    @rule(target=callers, queue=st.sampled_from(QUEUES), patience_s=st.sampled_from([0.0, 1.0, 5.0]))
    def come(self, queue: str, patience_s: float) -> Waiter | None:
        # Those whose deadline has passed keep their place until they notice, or are passed over.
        may_be_full = len(self.leased) == self.lanes and self.in_queue(queue, self.waiting) >= MAX_WAITING
        full = len(self.leased) == self.lanes and self.in_queue(queue, self.alive()) >= MAX_WAITING
        woken: list[Waiter] = []
        try:
            waiter = self.pool.enter(queue, self.clock() + patience_s, lambda: woken.append(waiter))
        except TooManyWaiting:
            assert may_be_full
            return None
        assert not full
        waiter.wake = lambda: self.woken.append(waiter)
        if waiter.lane is not None:
            assert patience_s > 0
            assert not self.alive()  # nobody is overtaken
            self.leased.append(waiter)
        elif patience_s > 0:
            self.waiting.append(waiter)
        return waiter

    @rule(waiter=consumes(callers))
    def leave(self, waiter: Waiter | None) -> None:
        """The end of a lease, a timeout, or a caller who gave up: whatever state the caller is in."""
        if waiter is None:
            return
        had_lane = waiter in self.leased
        self.waiting = [each for each in self.waiting if each is not waiter]
        self.leased = [each for each in self.leased if each is not waiter]
        candidates = self.alive()
        before = len(self.woken)
        self.pool.leave(waiter)
        if had_lane:
            self.check_handover(candidates, self.woken[before:])
        else:
            assert len(self.woken) == before

    @rule(seconds=st.sampled_from([0.5, 2.0, 6.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def check_handover(self, candidates: list[Waiter], woken: list[Waiter]) -> None:
        if not candidates:
            assert woken == []
            self.waiting = []  # only those whose deadline had passed were left, and they were passed over
            return
        (chosen,) = woken
        first_of_queue = next(each for each in candidates if each.queue == chosen.queue)
        assert chosen is first_of_queue
        self.check_turns(chosen, candidates)
        self.waiting = [each for each in self.waiting if each is not chosen and each.lane is None]
        self.leased.append(chosen)

    def check_turns(self, chosen: Waiter, candidates: list[Waiter]) -> None:
        """One who is first in a queue sees at most one of each other queue served before."""
        heads = {each.queue: each for each in reversed(candidates)}.values()
        for head in heads:
            if head is not chosen:
                self.overtaken[id(head)] += 1
                assert self.overtaken[id(head)] < len(QUEUES)

    def alive(self) -> list[Waiter]:
        return [each for each in self.waiting if each.deadline > self.clock()]

    def in_queue(self, queue: str, waiters: list[Waiter]) -> int:
        return sum(each.queue == queue for each in waiters)

    @invariant()
    def never_idle_while_someone_waits(self) -> None:
        if hasattr(self, "pool") and self.alive():
            assert self.pool.stats().leased == self.lanes

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        if not hasattr(self, "pool"):
            return
        lanes = [each.lane for each in self.leased]
        assert None not in lanes
        assert len(set(lanes)) == len(lanes) == self.pool.stats().leased <= self.lanes
        assert len({id(each) for each in self.woken}) == len(self.woken)

    def teardown(self) -> None:
        while hasattr(self, "pool") and (self.leased or self.waiting):
            self.leave((self.leased or self.waiting)[0])
        if hasattr(self, "pool"):
            assert (self.pool.stats().leased, self.pool.stats().waiting) == (0, 0)


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
