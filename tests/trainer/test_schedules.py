import math

import pytest

from trainer.schedules import (
    Constant,
    ExponentialDecay,
    LinearScaling,
    PolynomialDecay,
    Schedule,
    learning_rate_at,
)


def rates(schedule: Schedule, *progress: float, batch_size: int = 10) -> list[float]:
    return [schedule.rate(one, batch_size=batch_size) for one in progress]


def test_a_constant_rate_stays() -> None:
    assert rates(Constant(0.2), 0, 7.5, 199) == [0.2, 0.2, 0.2]


def test_exponential_decay_goes_down_in_steps() -> None:
    """ML.NET's default: 0.01, times 0.94 every second epoch."""
    found = rates(ExponentialDecay(), 0, 1.99, 2, 3.5, 4, 200)

    assert found == pytest.approx([0.01, 0.01, 0.0094, 0.0094, 0.008836, 0.01 * 0.94**100])


def test_exponential_decay_is_smooth_without_stairs() -> None:
    found = rates(ExponentialDecay(1.0, decay_epochs=2, decay_rate=0.25, staircase=False), 0, 1, 2, 3)

    assert found == pytest.approx([1, 0.5, 0.25, 0.125])


def test_polynomial_decay_ends_at_its_end_rate_and_stays_there() -> None:
    linear = PolynomialDecay(1.0, decay_epochs=10, end_learning_rate=0.2)

    assert rates(linear, 0, 2.5, 5, 10, 30) == pytest.approx([1, 0.8, 0.6, 0.2, 0.2])


def test_polynomial_decay_follows_its_power() -> None:
    square = PolynomialDecay(1.0, decay_epochs=10, end_learning_rate=0.0, power=2.0)

    assert rates(square, 0, 5, 9) == pytest.approx([1, 0.25, 0.01])


def test_a_cycling_decay_begins_anew_over_longer_and_longer_stretches() -> None:
    """After 10 epochs the stretch is 20 long, after 20 it is 30: as tf.train.polynomial_decay has it."""
    cycling = PolynomialDecay(1.0, decay_epochs=10, end_learning_rate=0.0, cycle=True)

    assert rates(cycling, 5, 10, 11, 20, 21) == pytest.approx([0.5, 0.0, 1 - 11 / 20, 0.0, 1 - 21 / 30])


def test_linear_scaling_follows_batch_size_and_steps() -> None:
    """0.1 for batches of 128, so a tenth of 10 / 12.8 for batches of 10; then down at epochs 91, 136 and 182."""
    found = rates(LinearScaling(), 0, 90.9, 91, 136, 182, 500)

    assert found == pytest.approx([0.0078125 * factor for factor in (1, 1, 0.1, 0.01, 0.0001, 0.0001)])
    assert rates(LinearScaling(), 0, batch_size=256) == [0.2]


def test_the_order_of_steps_does_not_matter_and_before_the_first_the_factor_is_1() -> None:
    """ML.NET wants the largest epoch first and silently takes wrong factors otherwise."""
    steps = ((5.0, 0.5), (20.0, 0.25))

    assert rates(LinearScaling(1.28, steps), 0, 5, 20) == pytest.approx([0.1, 0.05, 0.025])
    assert rates(LinearScaling(1.28, steps[::-1]), 0, 5, 20) == pytest.approx([0.1, 0.05, 0.025])


def test_the_rate_grows_evenly_during_the_warm_up() -> None:
    """Two epochs of four batches: eighths of the schedule's rate, never 0, then the schedule itself."""

    def rate(epoch: int, batch: int) -> float:
        return learning_rate_at(Constant(0.8), epoch, batch, batches=4, batch_size=10, warmup_epochs=2.0)

    assert [rate(0, 0), rate(0, 3), rate(1, 0), rate(1, 3), rate(2, 0)] == pytest.approx([0.1, 0.4, 0.5, 0.8, 0.8])


@pytest.mark.parametrize("batches", [1, 7, 16])
@pytest.mark.parametrize("staircase", [True, False])
def test_exponential_decay_is_that_of_ml_net_which_counts_batches(*, batches: int, staircase: bool) -> None:
    """decay steps = (int)(batches an epoch * epochs a decay); power = global step / decay steps."""
    schedule = ExponentialDecay(0.01, decay_epochs=2.0, decay_rate=0.94, staircase=staircase)

    for epoch in range(6):
        for batch in range(batches):
            power = (epoch * batches + batch) / int(batches * 2.0)
            theirs = 0.01 * 0.94 ** (math.floor(power) if staircase else power)
            ours = learning_rate_at(schedule, epoch, batch, batches=batches, batch_size=10)
            assert ours == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("cycle", [True, False])
def test_polynomial_decay_is_that_of_ml_net_which_counts_batches(*, cycle: bool) -> None:
    schedule, batches = PolynomialDecay(cycle=cycle), 7

    for step in range(6 * batches):
        length = int(batches * 2.0)
        if cycle and step > length:
            theirs = 0.0099 * (1 - step / (length * math.ceil(step / length))) + 0.0001
        else:
            theirs = 0.0099 * (1 - min(step, length) / length) + 0.0001
        ours = learning_rate_at(schedule, step // batches, step % batches, batches=batches, batch_size=10)
        assert ours == pytest.approx(theirs, rel=1e-9)
