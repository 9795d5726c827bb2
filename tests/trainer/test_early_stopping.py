from collections.abc import Sequence

import pytest

from trainer.early_stopping import EarlyStopping, Metric, best_epoch


def epochs_run(rule: EarlyStopping, values: Sequence[float]) -> int:
    """After how many epochs the rule stops; all of them if it does not."""
    return next((n for n in range(1, len(values) + 1) if rule.should_stop(values[:n])), len(values))


def test_it_stops_after_patience_epochs_without_a_gain() -> None:
    assert epochs_run(EarlyStopping("loss", patience=3), [1.0, 0.5, 0.6, 0.6, 0.6, 0.4]) == 5


def test_a_gain_in_time_starts_the_waiting_again() -> None:
    losses = [1.0, 1.1, 1.1, 0.9, 1.0, 1.0, 0.8, 0.8]

    assert epochs_run(EarlyStopping("loss", patience=3), losses) == len(losses)


def test_accuracy_is_to_rise_and_loss_to_fall() -> None:
    rising = [0.1, 0.2, 0.3, 0.4, 0.5]

    assert epochs_run(EarlyStopping("accuracy", patience=2), rising) == 5
    assert epochs_run(EarlyStopping("loss", patience=2), rising) == 3
    assert EarlyStopping("accuracy").check_increasing and not EarlyStopping("loss").check_increasing


def test_a_gain_below_min_delta_is_none() -> None:
    """But small gains add up: they are measured from the best value that counted, not from the last one."""
    creeping = [0.50, 0.504, 0.508, 0.512, 0.516]

    assert epochs_run(EarlyStopping("accuracy", patience=2, min_delta=0.01), creeping) == 3
    assert epochs_run(EarlyStopping("accuracy", patience=3, min_delta=0.01), creeping) == 5
    assert epochs_run(EarlyStopping("accuracy", patience=2, min_delta=0.004), creeping) == 5


def test_the_same_value_again_is_no_gain() -> None:
    assert epochs_run(EarlyStopping("accuracy", patience=4), [0.9] * 10) == 5


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_the_first_epoch_is_what_the_second_is_compared_with(metric: Metric) -> None:
    """In ML.NET the best value begins at 0, so that a loss never improves and training always stops."""
    assert not EarlyStopping(metric, patience=1).should_stop([0.7])
    assert epochs_run(EarlyStopping("loss", patience=2), [9.0, 8.0, 7.0, 6.0, 5.0]) == 5


def test_the_best_epoch_is_kept_whatever_min_delta_says() -> None:
    assert best_epoch([0.1, 0.2, 0.3], [0.50, 0.499, 0.51], "loss") == 1
    assert best_epoch([0.1, 0.2, 0.3], [0.50, 0.499, 0.51], "accuracy") == 2


def test_of_equal_epochs_the_other_metric_decides_then_the_earlier() -> None:
    assert best_epoch([0.9, 0.9, 0.9], [0.3, 0.2, 0.2], "accuracy") == 1
    assert best_epoch([0.8, 0.9, 0.9], [0.2, 0.2, 0.2], "loss") == 1
