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
