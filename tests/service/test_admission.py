"""Who would wait in vain is refused at once, and nobody else is."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.admission import GRANTS_SEEN, SEEN_S, SURE_SHARE, Admission
from service.classifier import Classifier
from service.pool import Pool
from service.pool_errors import TooManyWaiting, WaitTooLong
from service.registry import Registry
from service.waiting_line import Waiter
from shared.decode import DecodeLimits
from tests.service.fakes import FakeClock, fake_generation

TIMEOUT_S, MAX_WAITING = 5.0 / SURE_SHARE, 20


class Counter:
    """One lane before which requests wait, and a clock that is turned by hand."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.pool = Pool(lanes=1, max_waiting=MAX_WAITING, clock=self.clock)
        self.registry = Registry()
        for name in ("cats", "dogs"):
            self.registry.put(fake_generation(name))
        limits = DecodeLimits(max_bytes=1, max_pixels=1)
        with ThreadPoolExecutor() as executor:
            classifier = Classifier(registry=self.registry, pool=self.pool, executor=executor, limits=limits)
        self.admission = Admission(classifier, self.pool, timeout_s=TIMEOUT_S, clock=self.clock)
        self.line = deque[Waiter]()

    def join(self, model: str = "cats", *, count: int = 1) -> None:
        for _ in range(count):
            self.line.append(self.pool.enter(model, float("inf"), lambda: None))

    def serve(self, count: int, *, each_s: float) -> None:
        """So many come to their end, and as many join, while somebody asks to be let in each time."""
        for _ in range(count):
            self.clock.advance(each_s)
            self.pool.leave(self.line.popleft())
            self.join()
            self.admission.admit("cats")

    def end(self, count: int) -> None:
        for _ in range(count):
            self.pool.leave(self.line.popleft())


@pytest.fixture
def counter() -> Iterator[Counter]:
    counter = Counter()
    yield counter
    counter.registry.close()


def test_who_would_be_answered_in_time_joins_the_line_and_one_more_does_not(counter: Counter) -> None:
    counter.join(count=1 + 3)  # one has the lane
    counter.serve(GRANTS_SEEN + 1, each_s=1.0)

    counter.join()
    assert counter.admission.admit("cats") == "cats", "four before it: its turn is in 5 s"
    counter.join()
    with pytest.raises(WaitTooLong, match=r"5 requests are waiting"):
        counter.admission.admit("cats")


def test_one_of_less_patience_is_refused_sooner(counter: Counter) -> None:
    """Its 504 would come after its client has gone."""
    counter.join(count=1 + 3)
    counter.serve(GRANTS_SEEN + 1, each_s=1.0)

    assert counter.admission.admit("cats", patience_s=4.0 / SURE_SHARE) == "cats"
    with pytest.raises(WaitTooLong):
        counter.admission.admit("cats", patience_s=3.9 / SURE_SHARE)


def test_models_take_turns_so_another_models_crowd_counts_only_so_far(counter: Counter) -> None:
    counter.join(count=1 + 3)
    counter.serve(GRANTS_SEEN + 1, each_s=1.0)
    counter.join(count=10)

    with pytest.raises(WaitTooLong):
        counter.admission.admit("cats")
    assert counter.admission.admit("dogs") == "dogs"


def test_a_line_that_has_not_moved_yet_says_nothing(counter: Counter) -> None:
    counter.join(count=1 + 3)
    counter.serve(GRANTS_SEEN - 1, each_s=1.0)
    counter.join(count=10)

    assert counter.admission.admit("cats") == "cats"


def test_a_moment_is_too_short_to_tell(counter: Counter) -> None:
    counter.join(count=1 + 3)
    counter.serve(GRANTS_SEEN + 1, each_s=SEEN_S / (GRANTS_SEEN + 2))

    assert counter.admission.admit("cats", patience_s=0.001) == "cats"


def test_when_nobody_waits_nobody_is_refused_for_it(counter: Counter) -> None:
    """However slow it was: otherwise a service that was slow once would refuse for ever."""
    counter.join(count=1 + 3)
    counter.serve(GRANTS_SEEN + 1, each_s=1.0)
    counter.join(count=10)
    with pytest.raises(WaitTooLong):
        counter.admission.admit("cats")

    counter.end(len(counter.line) - 1)
    assert counter.admission.admit("cats") == "cats"
    counter.join(count=10)
    assert counter.admission.admit("cats") == "cats", "how fast it is now is not known yet"


def test_a_line_that_moves_faster_lets_more_in(counter: Counter) -> None:
    counter.join(count=1 + 3)
    counter.serve(GRANTS_SEEN + 1, each_s=1.0)
    counter.serve(GRANTS_SEEN + 1, each_s=0.25)
    counter.join(count=10)

    assert counter.admission.admit("cats") == "cats"


def test_a_full_line_is_full_however_fast(counter: Counter) -> None:
    counter.join(count=1 + MAX_WAITING)

    with pytest.raises(TooManyWaiting, match="20 requests"):
        counter.admission.admit("cats")


def test_one_whose_time_is_over_does_not_wait_and_is_told_so_later(counter: Counter) -> None:
    """Nobody is before it: its deadline has passed, and that is another problem than a line."""
    assert counter.admission.admit("cats", patience_s=-0.001) == "cats"


def test_whoever_is_refused_because_of_the_line_is_noted_once(counter: Counter) -> None:
    """Lanes make way for refusals (decision 51), of either kind."""
    counter.join(count=1 + 3)
    counter.serve(GRANTS_SEEN + 1, each_s=1.0)
    counter.join(count=2)
    assert counter.pool.refused == 0
    with pytest.raises(WaitTooLong):
        counter.admission.admit("cats")
    assert counter.pool.refused == 1
    counter.join(count=MAX_WAITING - 5)
    with pytest.raises(TooManyWaiting):
        counter.admission.admit("cats")
    assert counter.pool.refused == 2
