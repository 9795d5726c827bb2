"""Whatever order things happen in, a micro-batcher loses, doubles and swaps nothing, and is never idle."""

from concurrent.futures import Future

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from service.micro_batch import MicroBatcher
from service.pool_errors import PoolTimeout, RunnerBroken
from service.runner import Outputs
from shared.errors import RunFailed
from tests.service.fakes import FakeClock
from tests.service.gated_session import PATIENCE_S, GatedSession, tagged


class BatcherMachine(RuleBasedStateMachine):
    """Pictures come, are cancelled, poisoned or too late, and runs end, in any order; one run is always held."""

    @initialize(max_batch=st.integers(1, 5))
    def open_batcher(self, max_batch: int) -> None:
        self.clock, self.session, self.max_batch = FakeClock(), GatedSession(), max_batch
        self.told: list[str] = []
        self.batcher = MicroBatcher(
            self.session,  # type: ignore[arg-type]
            max_batch=max_batch,
            clock=self.clock,
            on_broken=self.told.append,
        )
        self.pictures: dict[int, Future[Outputs]] = {}
        self.deadlines: dict[int, float] = {}
        self.cancelled: set[int] = set()
        self.broken = False

    @precondition(lambda self: not self.broken)
    @rule(poisoned=st.sampled_from([False, False, False, True]), patience_s=st.sampled_from([0.5, 3.0, 1000.0]))
    def come(self, *, poisoned: bool, patience_s: float) -> None:
        tag = len(self.pictures) + 1
        if poisoned:
            self.session.poisoned.add(tag)
        self.deadlines[tag] = self.clock() + patience_s
        self.pictures[tag] = self.batcher.submit(tagged(tag), deadline=self.deadlines[tag])
        self.pictures[tag].add_done_callback(lambda _: self.notice())

    @precondition(lambda self: self.pictures)
    @rule(choice=st.integers(0, 1000))
    def cancel(self, choice: int) -> None:
        tag = choice % len(self.pictures) + 1
        if self.pictures[tag].cancel():
            self.cancelled.add(tag)

    @rule(seconds=st.sampled_from([0.5, 2.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.session.inside is not None)
    @rule()
    def end_a_run(self) -> None:
        self.session.let_go()

    @precondition(lambda self: self.session.inside is not None and len(self.pictures) > 6)
    @rule()
    def lose_the_device(self) -> None:
        self.session.lost = self.broken = True
        self.session.let_go(10_000)

    @invariant()
    def never_idle_while_someone_waits(self) -> None:
        """Either a run is held, or everybody has an answer; it need not be waited for anything else to happen."""
        if hasattr(self, "session"):
            self.session.wait_until(lambda: self.session.inside is not None or self.all_are_answered())

    @invariant()
    def no_batch_is_too_large(self) -> None:
        if hasattr(self, "session"):
            assert all(len(batch) <= self.max_batch for batch in [*self.session.answered, self.session.inside or []])

    @rule()
    def look_at_the_counts(self) -> None:
        """Whatever was handed in is in one of them."""
        stats = self.batcher.stats()
        assert len(self.pictures) == sum((stats.waiting, stats.running, stats.pictures, stats.failed, stats.dropped))

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        self.batcher.close()
        self.session.let_go(10_000)
        assert self.batcher.join(PATIENCE_S)
        self.check_answers()
        self.look_at_the_counts()
        assert (self.batcher.stats().waiting, self.batcher.stats().running) == (0, 0)
        assert len(self.told) == self.broken

    def check_answers(self) -> None:
        """Everybody has one answer, and it is his own; nobody was run twice with success, or without being wanted."""
        answered = [tag for batch in self.session.answered for tag in batch]
        assert len(set(answered)) == len(answered)
        for tag, outputs in self.pictures.items():
            assert outputs.done()
            if tag in self.cancelled:
                assert tag not in answered
            elif (error := outputs.exception()) is None:
                assert int(outputs.result().probabilities[0]) == tag
                assert tag in answered
            else:
                assert tag not in answered
                self.check_error(tag, error)

    def check_error(self, tag: int, error: BaseException) -> None:
        if isinstance(error, PoolTimeout):
            assert self.clock() >= self.deadlines[tag]
        elif isinstance(error, RunFailed):
            assert tag in self.session.poisoned or self.broken
        else:
            assert isinstance(error, RunnerBroken)
            assert self.broken

    def all_are_answered(self) -> bool:
        return all(outputs.done() for outputs in self.pictures.values())

    def notice(self) -> None:
        with self.session.changed:
            self.session.changed.notify_all()


TestMicroBatcher = BatcherMachine.TestCase
TestMicroBatcher.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
