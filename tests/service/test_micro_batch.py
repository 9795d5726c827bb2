"""Micro-batching: who waits is run together; nobody waits for company, for another's fault, or for ever."""

import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from service.micro_batch import MicroBatcher
from service.pool_errors import PoolClosed, PoolTimeout, RunnerBroken
from service.runner import Outputs
from shared.errors import RunFailed
from tests.service.fakes import FakeClock
from tests.service.gated_session import PATIENCE_S, GatedSession, tagged
from tests.service.waiting import until


@contextmanager
def batching(session: GatedSession, **options: object) -> Iterator[MicroBatcher]:
    batcher = MicroBatcher(session, **options)  # type: ignore[arg-type]
    try:
        yield batcher
    finally:
        batcher.close()
        session.let_go(1000)
        assert batcher.join(PATIENCE_S)


def tag_of(outputs: Outputs) -> int:
    return int(outputs.probabilities[0])


def test_a_picture_alone_is_run_alone_and_at_once() -> None:
    """Nobody waits in the hope of company."""
    session = GatedSession(gated=False)

    with batching(session) as batcher:
        assert tag_of(batcher.run(tagged(7), wide=False)) == 7
    assert session.answered == [[7]]


def test_whoever_waits_when_a_run_ends_is_the_next_batch() -> None:
    session = GatedSession()

    with batching(session, max_batch=3) as batcher:
        first = batcher.submit(tagged(1))
        session.wait_until_inside()
        later = [batcher.submit(tagged(tag)) for tag in (2, 3, 4)]
        session.let_go(2)

        assert [tag_of(each.result(PATIENCE_S)) for each in (first, *later)] == [1, 2, 3, 4]
    assert session.answered == [[1], [2, 3, 4]]
    stats = batcher.stats()
    assert (stats.batches, stats.pictures, stats.split, stats.dropped, stats.waiting) == (2, 4, 0, 0, 0)


def test_more_than_a_batch_are_taken_at_once_and_run_in_order() -> None:
    """Whoever hands in holds a lane, which others wait for; how many may is the pool's business."""
    session = GatedSession()
    with batching(session, max_batch=2) as batcher:
        batcher.submit(tagged(1))
        session.wait_until_inside()
        later = [batcher.submit(tagged(tag)) for tag in range(2, 7)]
        session.let_go(100)
        assert [tag_of(each.result(PATIENCE_S)) for each in later] == [2, 3, 4, 5, 6]
    assert session.answered == [[1], [2, 3], [4, 5], [6]]


def test_a_picture_that_is_dropped_is_kept_no_longer() -> None:
    """While the device hangs, and when nobody comes any more: pixels of pictures that nobody wants are memory lost."""
    clock, session = FakeClock(), GatedSession()
    with batching(session, clock=clock) as batcher:
        running = batcher.submit(tagged(1))
        session.wait_until_inside()
        left, late = tagged(2), tagged(3)
        kept = [weakref.ref(left), weakref.ref(late)]
        batcher.submit(left).cancel()
        del left
        assert kept[0]() is None, "kept by a line that does not move"
        assert (batcher.stats().waiting, batcher.stats().dropped) == (0, 1)

        pending = batcher.submit(late, deadline=clock() + 1)
        del late
        clock.advance(1)
        session.let_go()
        assert tag_of(running.result(PATIENCE_S)) == 1
        assert isinstance(pending.exception(PATIENCE_S), PoolTimeout)
        until(lambda: kept[1]() is None)
        assert batcher.stats().dropped == 2


def test_a_cancelled_picture_is_dropped_and_its_neighbours_are_not_disturbed() -> None:
    session = GatedSession()

    with batching(session) as batcher:
        running = batcher.submit(tagged(1))
        session.wait_until_inside()
        waiting = [batcher.submit(tagged(tag)) for tag in (2, 3, 4)]

        assert not running.cancel()  # it is being computed; its caller may leave all the same
        assert waiting[1].cancel()
        session.let_go(2)
        assert [tag_of(each.result(PATIENCE_S)) for each in (running, waiting[0], waiting[2])] == [1, 2, 4]
        with pytest.raises(CancelledError):
            waiting[1].result()
    assert session.answered == [[1], [2, 4]]
    assert batcher.stats().dropped == 1


def test_a_poisoned_picture_fails_alone() -> None:
    session = GatedSession(poisoned={5})

    with batching(session) as batcher:
        batcher.submit(tagged(1))
        session.wait_until_inside()
        pictures = {tag: batcher.submit(tagged(tag)) for tag in range(2, 10)}
        session.let_go(100)

        with pytest.raises(RunFailed, match="poisoned"):
            pictures.pop(5).result(PATIENCE_S)
        assert {tag: tag_of(each.result(PATIENCE_S)) for tag, each in pictures.items()} == {
            tag: tag for tag in pictures
        }
        assert tag_of(batcher.run(tagged(11), wide=False)) == 11  # and it goes on
    assert batcher.stats().split == 3  # halves: 8, 4, 2 pictures


def test_an_answer_with_too_few_rows_is_an_error_and_not_another_pictures_answer() -> None:
    class Forgetful(GatedSession):
        def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
            return [found[:1] for found in super().run(images, outputs)]

    session = Forgetful()
    with batching(session) as batcher:
        batcher.submit(tagged(1))
        session.wait_until_inside()
        both = [batcher.submit(tagged(tag)) for tag in (2, 3)]
        session.let_go(100)

        assert [tag_of(each.result(PATIENCE_S)) for each in both] == [2, 3]  # one by one, as it can
    assert batcher.stats().split == 1


def test_pictures_of_one_batch_may_be_asked_for_different_outputs() -> None:
    """Each caller gets its own picture's row of what it asked for."""
    session = GatedSession()

    with batching(session) as batcher:
        batcher.submit(tagged(1))
        session.wait_until_inside()
        plain, asked = batcher.submit(tagged(2)), batcher.submit(tagged(3), also=("logits", "features"))
        session.let_go(2)

        assert (tag_of(plain.result(PATIENCE_S)), tag_of(asked.result(PATIENCE_S))) == (2, 3)
        assert {name: values.tolist() for name, values in asked.result().also.items()} == {
            "features": [3.0],
            "logits": [3.0],
        }
    assert session.answered == [[1], [2, 3]]


def test_a_picture_whose_deadline_has_passed_is_not_run() -> None:
    clock, session = FakeClock(), GatedSession()

    with batching(session, clock=clock) as batcher:
        batcher.submit(tagged(1))
        session.wait_until_inside()
        late, patient = batcher.submit(tagged(2), deadline=clock() + 1), batcher.submit(tagged(3), deadline=clock() + 9)
        clock.advance(1)
        session.let_go(2)

        with pytest.raises(PoolTimeout, match="deadline passed before it was run"):
            late.result(PATIENCE_S)
        assert tag_of(patient.result(PATIENCE_S)) == 3
    assert session.answered == [[1], [3]]


def test_closing_answers_whoever_was_taken_and_takes_nobody_else() -> None:
    session = GatedSession()
    batcher = MicroBatcher(session)  # type: ignore[arg-type]
    taken = [batcher.submit(tagged(1))]
    session.wait_until_inside()
    taken += [batcher.submit(tagged(tag)) for tag in (2, 3)]

    batcher.close()
    with pytest.raises(PoolClosed):
        batcher.submit(tagged(4))
    session.let_go(2)

    assert [tag_of(each.result(PATIENCE_S)) for each in taken] == [1, 2, 3]
    assert batcher.join(PATIENCE_S)


def test_the_death_of_its_thread_is_told_and_nobody_waits_for_ever() -> None:
    session, told = GatedSession(), list[str]()
    batcher = MicroBatcher(session, max_batch=2, on_broken=told.append)  # type: ignore[arg-type]
    running = batcher.submit(tagged(1))
    session.wait_until_inside()
    waiting = [batcher.submit(tagged(tag)) for tag in (2, 3, 4)]

    session.died_of = SystemExit("gone")
    session.let_go()

    for each in (running, *waiting):
        with pytest.raises(RunnerBroken, match=r"nothing can be computed any more \(gone\).*must be restarted"):
            each.result(PATIENCE_S)
    with pytest.raises(RunnerBroken):
        batcher.submit(tagged(5))
    assert told == ["nothing can be computed any more (gone)"]
    assert batcher.join(PATIENCE_S)


def test_a_device_that_is_lost_breaks_the_runner_instead_of_failing_every_picture_from_now_on() -> None:
    """After some CUDA errors nothing works in the process any more; a blank picture tells that from a poisoned one."""
    session, told = GatedSession(gated=False), list[str]()
    batcher = MicroBatcher(session, on_broken=told.append)  # type: ignore[arg-type]
    assert tag_of(batcher.run(tagged(1), wide=False)) == 1

    session.lost = True
    with pytest.raises(RunFailed):
        batcher.run(tagged(2), wide=False)

    assert batcher.join(PATIENCE_S)
    assert len(told) == 1
    with pytest.raises(RunnerBroken):
        batcher.run(tagged(3), wide=False)


def test_callers_on_many_threads_get_their_own_answers() -> None:
    session = GatedSession(gated=False)

    with batching(session, max_batch=4) as batcher, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda tag: tag_of(batcher.run(tagged(tag), wide=False)), range(1, 401)))

    assert answers == list(range(1, 401))
    assert sorted(tag for batch in session.answered for tag in batch) == answers


def test_a_batcher_that_is_closed_gives_its_session_up() -> None:
    session = GatedSession(gated=False)
    with batching(session) as batcher:
        batcher.run(tagged(1), wide=False)

    assert not hasattr(batcher, "_session")


def test_a_batch_of_less_than_one_is_refused() -> None:
    with pytest.raises(ValueError, match="max_batch = 0"):
        MicroBatcher(GatedSession(), max_batch=0)  # type: ignore[arg-type]
