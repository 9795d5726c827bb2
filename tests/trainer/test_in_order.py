"""Threads do the work, the order stays, and memory does not grow with the number of items."""

import threading

import pytest

from trainer.in_order import in_order


def test_results_come_in_the_order_of_the_items_however_long_each_takes() -> None:
    second_is_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_is_done.wait(10)
        if item == 1:
            second_is_done.set()
        return item * item

    assert list(in_order(range(50), work, threads=2)) == [item * item for item in range(50)]


def test_items_are_taken_only_a_little_ahead_of_the_reader() -> None:
    taken: list[int] = []

    def items() -> object:
        for item in range(1000):
            taken.append(item)
            yield item

    results = in_order(items(), lambda item: item, threads=2)  # type: ignore[call-overload]
    for _ in range(10):
        next(results)

    assert len(taken) <= 10 + 2 * 4 + 1
    results.close()


def test_what_the_work_raises_reaches_the_reader_and_ends_the_work() -> None:
    done: list[int] = []

    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        done.append(item)
        return item

    results = in_order(range(1000), work, threads=2)

    with pytest.raises(ValueError, match="three"):
        list(results)
    assert len(done) < 20


def test_results_before_the_one_that_fails_are_handed_over_first() -> None:
    def work(item: int) -> int:
        return 6 // (2 - item)

    results = in_order(range(100), work, threads=2)

    assert [next(results), next(results)] == [3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 41])
def test_every_item_has_one_result_however_many_are_left_for_the_last_lot(threads: int, count: int) -> None:
    assert list(in_order(range(count), lambda item: item, threads=threads)) == list(range(count))


def test_the_reader_is_woken_for_a_lot_of_results_with_as_much_left_to_do() -> None:
    """Two threads: the first result waits for the fourth, and neither for the fifth."""
    go_on = threading.Event()
    done: list[int] = []

    def work(item: int) -> int:
        if item >= 4:
            assert go_on.wait(10)
        done.append(item)
        return item

    results = in_order(range(20), work, threads=2)

    assert next(results) == 0 and {0, 3} <= set(done) <= {0, 1, 2, 3}
    go_on.set()
    assert list(results) == list(range(1, 20))
