import pytest

from bench.spread import ratios, spread, turns


def test_a_spread_is_the_median_between_the_quartiles() -> None:
    assert spread([5.0, 1.0, 4.0, 2.0, 3.0]) == (3.0, 2.0, 4.0)


def test_one_figure_spreads_over_nothing() -> None:
    assert spread([2.5]) == (2.5, 2.5, 2.5)


def test_no_figure_has_no_median() -> None:
    with pytest.raises(ValueError, match="no figure"):
        spread([])


def test_ratios_pair_the_rounds_so_that_a_slow_round_does_not_count() -> None:
    assert ratios([2.0, 20.0, 200.0], [1.0, 10.0, 100.0]) == (2.0, 2.0, 2.0)


def test_rounds_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        ratios([1.0, 2.0], [1.0])


def test_a_spread_is_printed_with_its_quartiles() -> None:
    assert f"{spread([1.0, 2.0, 3.0]):.1f}" == "2.0 [1.5, 2.5]"


def test_every_contender_has_one_turn_in_every_round_and_the_order_changes() -> None:
    order = turns(["a", "b", "c", "d"], 20)

    assert all(sorted(turn) == ["a", "b", "c", "d"] for turn in order)
    assert len({tuple(turn) for turn in order}) > 1
    assert order == turns(["a", "b", "c", "d"], 20)
