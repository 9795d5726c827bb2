"""Who is next."""

import weakref

from hypothesis import given, settings
from hypothesis import strategies as st

from service.waiting_line import Waiter, WaitingLine


def waiter(queue: str = "cats", deadline: float = 10.0) -> Waiter:
    return Waiter(queue=queue, entered=0.0, deadline=deadline, wake=lambda: None)


def line_of(*waiters: Waiter) -> WaitingLine:
    line = WaitingLine()
    for each in waiters:
        line.join(each)
    return line


def test_within_a_queue_the_first_come_is_first_served() -> None:
    first, second = waiter(), waiter()
    line = line_of(first, second)

    assert [line.next(), line.next(), line.next()] == [first, second, None]


def test_queues_take_turns_so_that_a_crowd_starves_nobody() -> None:
    crowd, single = [waiter("cats") for _ in range(3)], waiter("dogs")
    line = line_of(*crowd, single)

    assert [line.next() for _ in range(4)] == [crowd[0], single, crowd[1], crowd[2]]


def test_those_whose_deadline_has_passed_are_taken_out_wherever_they_stand() -> None:
    """A deadline is the client's wish, so one who came last may be the first to go."""
    patient, hurried, also, late_dog = (
        waiter(deadline=9.0),
        waiter(deadline=1.0),
        waiter(deadline=5.0),
        waiter("dogs", 2.0),
    )
    line = line_of(patient, hurried, also, late_dog)

    assert line.expire(0.5) == []
    assert set(line.expire(5.0)) == {hurried, also, late_dog}
    assert line.lengths() == {"cats": 1}
    assert line.next() is patient


def test_those_who_left_before_their_deadline_are_forgotten() -> None:
    """One who stays and many who come and go: nothing grows with those who have gone."""
    line = line_of(waiter())
    gone = [waiter() for _ in range(50)]
    references = [weakref.ref(each) for each in gone]
    while gone:
        line.join(gone[-1])
        line.leave(gone.pop())

    assert sum(reference() is not None for reference in references) <= 2
    assert line.expire(99.0) != []


def test_two_with_the_same_deadline_expire_together() -> None:
    line = line_of(waiter(deadline=1.0), waiter(deadline=1.0))

    assert len(line.expire(1.0)) == 2


def test_one_may_step_out_from_anywhere_and_twice() -> None:
    first, second, third = waiter(), waiter(), waiter()
    line = line_of(first, second, third)

    assert [line.leave(second), line.leave(second)] == [True, False]
    assert (len(line), line.length("cats"), line.length("dogs")) == (2, 2, 0)
    assert [line.next(), line.next()] == [first, third]


def test_emptying_names_everyone() -> None:
    first, second, dog = waiter("cats"), waiter("cats"), waiter("dogs")
    line = line_of(first, second, dog)

    assert list(line.empty()) == [first, dog, second]
    assert len(line) == 0


COMINGS = st.lists(st.tuples(st.integers(0, 20), st.none() | st.integers(0, 9)), min_size=5, max_size=40)


@given(comings=COMINGS, now=st.integers(0, 20))
@settings(max_examples=300, deadline=None)
def test_whoever_came_and_went_those_expire_whose_deadline_has_passed_and_no_others(
    comings: list[tuple[int, int | None]], now: int
) -> None:
    line, stays = WaitingLine(), []
    for deadline, leaving in comings:
        stays.append(waiter(deadline=float(deadline)))
        line.join(stays[-1])
        if leaving is not None:
            line.leave(stays.pop(leaving % len(stays)))

    expired = line.expire(float(now))

    assert set(expired) == {each for each in stays if each.deadline <= now}
    assert list(line.empty()) == [each for each in stays if each.deadline > now]
