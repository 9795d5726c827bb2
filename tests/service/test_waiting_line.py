"""Who is next."""

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

    assert [line.next(0), line.next(0), line.next(0)] == [first, second, None]


def test_queues_take_turns_so_that_a_crowd_starves_nobody() -> None:
    crowd, single = [waiter("cats") for _ in range(3)], waiter("dogs")
    line = line_of(*crowd, single)

    assert [line.next(0) for _ in range(4)] == [crowd[0], single, crowd[1], crowd[2]]


def test_one_whose_deadline_has_passed_is_passed_over() -> None:
    late, in_time = waiter(deadline=1.0), waiter(deadline=9.0)
    line = line_of(late, in_time)

    assert line.next(5.0) is in_time
    assert len(line) == 0


def test_one_may_step_out_from_anywhere_and_twice() -> None:
    first, second, third = waiter(), waiter(), waiter()
    line = line_of(first, second, third)

    line.leave(second)
    line.leave(second)

    assert (len(line), line.length("cats"), line.length("dogs")) == (2, 2, 0)
    assert [line.next(0), line.next(0)] == [first, third]


def test_emptying_names_everyone() -> None:
    everyone = [waiter("cats"), waiter("cats"), waiter("dogs")]
    line = line_of(*everyone)

    assert list(line.empty()) == everyone
    assert len(line) == 0
