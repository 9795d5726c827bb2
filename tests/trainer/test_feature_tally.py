"""What a run featurised is counted once, whatever it asked for how often."""

from trainer.feature_tally import FeatureTally

PICTURES = {"a", "b", "c"}


def counts(tally: FeatureTally) -> tuple[int, int, int, int]:
    featurized, from_cache, rendered, there = tally.as_json().values()
    return featurized, from_cache, rendered, there


def test_pictures_and_their_renderings_are_counted_apart() -> None:
    tally = FeatureTally()

    tally.note("plain", PICTURES, renderings=1, computed={"a"}, rendered=1)
    tally.note("larger", PICTURES, renderings=3, computed={"a", "b"}, rendered=4)

    assert counts(tally) == (2, 1, 5, 7)


def test_what_was_computed_in_this_run_is_not_from_the_cache_when_it_is_asked_for_again() -> None:
    tally = FeatureTally()

    for computed, rendered in ((PICTURES, 3), (set(), 0), (set(), 0)):
        tally.note("plain", PICTURES, renderings=1, computed=computed, rendered=rendered)

    assert counts(tally) == (3, 0, 3, 0)
    assert not tally.went_beyond_pictures


def test_views_of_known_pictures_make_them_featurised() -> None:
    """Nothing twice is promised for every rendering, not only for the plain ones."""
    tally = FeatureTally()

    tally.note("plain", PICTURES, renderings=1, computed=set(), rendered=0)
    tally.note("plain", PICTURES, renderings=2, computed=PICTURES, rendered=3)

    assert counts(tally) == (3, 0, 3, 3)
    assert tally.went_beyond_pictures
