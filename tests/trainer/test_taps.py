"""Names of taps: which stage, which pooling, and the sets that a search compares."""

from trainer.taps import has_quarters, in_words, pooled, pooling_of, stage_of, worth_a_try


def test_a_tap_without_a_pooling_is_averaged() -> None:
    assert (stage_of("features.13"), pooling_of("features.13")) == ("features.13", "average")
    assert (stage_of("features.13:peaks"), pooling_of("features.13:peaks")) == ("features.13", "peaks")


def test_averaged_taps_are_called_by_the_stage_alone() -> None:
    assert pooled(["a", "b"], "average") == ("a", "b")
    assert pooled(["a", "b"], "quarters") == ("a:quarters", "b:quarters")


def test_each_set_that_is_tried_begins_with_the_one_before() -> None:
    tried = worth_a_try(["a", "b"])

    assert tried == ((), ("a", "b", "a:peaks", "b:peaks"), ("a", "b", "a:peaks", "b:peaks", "a:quarters", "b:quarters"))
    assert [has_quarters(taps) for taps in tried] == [False, False, True]


def test_without_a_middle_stage_there_is_nothing_to_try() -> None:
    assert worth_a_try(()) == ((),)


def test_stages_are_named_once_however_they_are_pooled() -> None:
    assert in_words(("a", "b")) == "a and b"
    assert in_words(worth_a_try(["a", "b"])[-1]) == "a and b, their peaks, their quarters"
    assert in_words(("a", "b:peaks")) == "a, b in peaks"
    assert in_words(("b:quarters",)) == "b in quarters"
