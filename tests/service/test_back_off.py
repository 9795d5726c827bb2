"""service/back_off.py: what failed is tried again less and less often, and not by everybody at once."""

import pytest

from service.back_off import LONGEST_PAUSE_S, BackOff
from tests.service.fakes import FakeClock


def pauses_of(back_off: BackOff, clock: FakeClock, count: int) -> list[float]:
    found = []
    for _ in range(count):
        back_off.note_failure("v1")
        failed_at = clock.now
        while not back_off.is_due("v1"):
            clock.advance(0.125)
        found.append(clock.now - failed_at)
    return found


@pytest.mark.parametrize(("chance", "factor"), [(0.0, 1.0), (0.5, 1.125), (0.999, 1.25)])
def test_pauses_double_up_to_a_minute_and_are_spread_by_a_quarter(chance: float, factor: float) -> None:
    clock = FakeClock()
    back_off = BackOff(1.0, clock=clock, random=lambda: chance)

    expected = [min(LONGEST_PAUSE_S, 2.0**number) * factor for number in range(8)]
    assert pauses_of(back_off, clock, 8) == pytest.approx(expected, abs=0.13)


def test_another_thing_is_tried_at_once() -> None:
    back_off = BackOff(1.0, clock=FakeClock(), random=lambda: 0.0)
    assert [back_off.note_failure("v1"), back_off.note_failure("v1")] == [1, 2]

    assert not back_off.is_due("v1")
    assert back_off.is_due("v2")
    assert back_off.note_failure("v2") == 1


def test_after_a_success_it_starts_over() -> None:
    back_off = BackOff(1.0, clock=FakeClock(), random=lambda: 0.0)
    back_off.note_failure("v1")
    back_off.clear()

    assert back_off.is_due("v1")
    assert back_off.note_failure("v1") == 1


def test_a_clock_that_jumps_ahead_leads_to_one_try_and_not_to_a_storm() -> None:
    """A machine that slept for a day."""
    clock = FakeClock()
    back_off = BackOff(1.0, clock=clock, random=lambda: 0.0)
    for _ in range(10):
        back_off.note_failure("v1")
    clock.advance(86_400)

    assert back_off.is_due("v1")
    back_off.note_failure("v1")
    assert not back_off.is_due("v1")
