"""One load at a time, unless one hangs."""

import threading

from service.turns import Turns


def test_turns_are_taken_one_after_the_other() -> None:
    turns, inside, most = Turns(patience_s=60), [], []

    def work() -> None:
        with turns.take():
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1, 1, 1, 1]


def test_whoever_hangs_is_overtaken_and_its_end_ends_no_turn_but_its_own() -> None:
    turns, done = Turns(patience_s=0.05), threading.Event()
    overtaken = turns.take()
    overtaken.__enter__()

    with turns.take():  # after 0.05 s
        overtaken.__exit__(None, None, None)
        turns.patience_s = 60.0

        def work() -> None:
            with turns.take():
                done.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert not done.wait(0.05)
    thread.join()

    assert done.is_set()
