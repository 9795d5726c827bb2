"""Which generation a name means, before, during and after a swap."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from service.model_errors import ModelNotChosen, ModelNotLoaded, NoModel, UnknownModel
from service.model_status import FailedLoad, Pin
from service.registry import Registry
from tests.service.fakes import fake_generation

FAILED = FailedLoad(version="v2", message="torn", at=datetime(2026, 1, 1, tzinfo=UTC), attempts=1)


def test_a_swap_is_seen_by_the_next_lease_and_spares_the_one_before() -> None:
    registry, old, new = Registry(), fake_generation(version="v1"), fake_generation(version="v2")
    registry.put(old)

    with registry.lease("colours") as leased:
        registry.put(new)
        assert leased is old
        assert not old.closed
        with registry.lease("colours") as next_leased:
            assert next_leased is new

    assert (old.closed, new.closed) == (True, False)


def test_swaps_under_load_never_lease_a_closed_generation() -> None:
    registry = Registry()
    registry.put(fake_generation(version="v0"))

    def lease_many() -> bool:
        closed = False
        for _ in range(2000):
            with registry.lease("colours") as generation:
                closed |= generation.closed
        return closed

    with ThreadPoolExecutor(4) as executor:
        leasing = [executor.submit(lease_many) for _ in range(3)]
        generations = [fake_generation(version=f"v{number}") for number in range(1, 200)]
        for generation in generations:
            registry.put(generation)

    assert not any(future.result() for future in leasing)
    assert [generation.closed for generation in generations] == [True] * 198 + [False]


def test_the_only_model_needs_no_name() -> None:
    registry = Registry()
    registry.put(fake_generation("cats"))

    assert registry.choose(None) == registry.choose("cats") == registry.default_model == "cats"


def test_several_models_without_a_default_must_be_named() -> None:
    registry = Registry()
    registry.put(fake_generation("cats"))
    registry.put(fake_generation("dogs"))

    with pytest.raises(ModelNotChosen, match=r"/models/cats/predict, /models/dogs/predict"):
        registry.choose(None)
    assert registry.choose("dogs") == "dogs"
    assert registry.default_model is None


def test_the_default_is_served_when_none_is_named() -> None:
    registry = Registry(default_model="dogs")
    registry.put(fake_generation("cats"))

    assert not registry.serves_default
    with pytest.raises(ModelNotLoaded):
        registry.choose(None)

    registry.put(fake_generation("dogs"))
    assert registry.serves_default
    assert registry.choose(None) == "dogs"


def test_nothing_to_serve_is_told_apart_from_an_unknown_name() -> None:
    registry = Registry()

    with pytest.raises(NoModel):
        registry.choose(None)
    with pytest.raises(UnknownModel, match="no model is served yet"):
        registry.choose("cats")

    registry.put(fake_generation("dogs"))
    with pytest.raises(UnknownModel, match="choose one of dogs"):
        registry.choose("cats")


def test_a_model_that_never_loaded_is_known_but_not_served() -> None:
    registry = Registry()
    registry.note_failed_load("cats", FAILED)

    with pytest.raises(ModelNotLoaded):
        registry.choose("cats")
    assert (registry.known(), registry.served()) == (["cats"], [])
    assert registry.look_up("cats").failed == FAILED


def test_a_bad_version_does_not_decide_who_answers_for_another_model() -> None:
    """Or a broken publish would hand a client's pictures to another model, and its repair would break the client."""
    registry = Registry()
    registry.put(fake_generation("cats"))
    registry.note_failed_load("dogs", FAILED)

    with pytest.raises(ModelNotChosen, match=r"/models/cats/predict, /models/dogs/predict"):
        registry.choose(None)
    assert registry.default_model is None


def test_a_folder_that_no_request_can_name_does_not_count_as_a_model() -> None:
    registry = Registry()
    registry.put(fake_generation("cats"))
    registry.note_failed_load("Old Cats", FAILED)

    assert registry.choose(None) == registry.default_model == "cats"


def test_why_the_only_model_is_not_loaded_is_told() -> None:
    registry = Registry()
    registry.note_failed_load("cats", FAILED)

    for name in (None, "cats"):
        with pytest.raises(ModelNotLoaded, match=r"'cats' could not be loaded \(torn\)"):
            registry.choose(name)


def test_until_all_models_were_looked_at_none_is_unknown_and_none_is_the_only_one() -> None:
    registry, settled = Registry(default_model=None), []
    registry.settle_when(lambda: bool(settled))
    with pytest.raises(NoModel, match="being loaded"):
        registry.choose(None)
    registry.put(fake_generation("cats"))
    with pytest.raises(NoModel, match="being loaded"):
        registry.choose(None)
    with pytest.raises(ModelNotLoaded, match="'dogs' is not loaded yet"):
        registry.choose("dogs")
    assert registry.choose("cats") == "cats"

    settled.append(True)
    assert registry.choose(None) == "cats"
    with pytest.raises(UnknownModel):
        registry.choose("dogs")


def test_a_default_that_is_not_there_is_told_apart_from_one_that_is_being_loaded() -> None:
    registry, settled = Registry(default_model="cats"), []
    registry.settle_when(lambda: bool(settled))
    with pytest.raises(ModelNotLoaded, match="not loaded yet"):
        registry.choose(None)

    settled.append(True)
    with pytest.raises(ModelNotLoaded, match="'cats', the default, is not there"):
        registry.choose(None)


def test_where_models_cannot_be_listed_that_is_why_none_is_served() -> None:
    registry = Registry()
    registry.note_store_error("s3://bucket: cannot be read (403).")

    with pytest.raises(NoModel, match=r"no model is served: s3://bucket: cannot be read \(403\)"):
        registry.choose(None)


def test_a_failed_load_stays_on_record_after_a_good_one() -> None:
    registry = Registry()
    registry.note_failed_load("colours", FAILED)
    good = fake_generation(version="v3")
    registry.put(good)

    assert registry.look_up("colours").generation is good
    assert registry.look_up("colours").failed == FAILED


def test_the_last_ten_failed_loads_are_kept_newest_first_and_repetitions_once() -> None:
    registry = Registry()
    for number in range(12):
        for attempts in (1, 2):
            failed = FailedLoad(f"v{number}", "torn", FAILED.at, attempts)
            registry.note_failed_load("colours", failed)

    status = registry.look_up("colours")
    assert [(failed.version, failed.attempts) for failed in status.failures] == [(f"v{n}", 2) for n in range(11, 1, -1)]
    assert status.failed == status.failures[0]


def test_looks_are_counted_by_how_they_ended() -> None:
    registry = Registry()
    registry.put(fake_generation(version="v1"))
    registry.note_failed_load("colours", FAILED)
    registry.note_failed_load("colours", FAILED)
    registry.note_failed_load("colours", FAILED, None)
    registry.note_failed_load("colours", FAILED, "altered")
    registry.put(fake_generation(version="v2"))

    assert registry.reloads() == {"colours": {"altered": 1, "failed": 2, "loaded": 2}}
    assert registry.look_up("colours").reloads == registry.reloads()["colours"]


def test_a_model_that_somebody_named_is_waited_for_and_not_unknown() -> None:
    """A client that comes while it is being fetched shall try again, and not give up."""
    registry = Registry()
    registry.expect("cats", pin=Pin("v7"))

    with pytest.raises(ModelNotLoaded):
        registry.require("cats")
    assert registry.look_up("cats").pin == Pin("v7")


def test_what_comes_after_the_end_is_closed_at_once() -> None:
    """A load that was under way when the service stopped."""
    registry, late = Registry(), fake_generation()
    registry.close()
    registry.put(late)

    assert late.closed
    assert registry.served() == []


def test_a_removed_model_drains_and_is_forgotten() -> None:
    registry, generation = Registry(), fake_generation()
    registry.put(generation)
    registry.note_failed_load("colours", FAILED)

    registry.remove("colours")

    assert generation.closed
    with pytest.raises(UnknownModel):
        registry.look_up("colours")


def test_closing_retires_everything() -> None:
    registry, generations = Registry(), [fake_generation("cats"), fake_generation("dogs")]
    for generation in generations:
        registry.put(generation)

    registry.close()

    assert all(generation.closed for generation in generations)


def test_a_default_that_is_nearly_a_models_name_is_told_with_what_may_have_been_meant() -> None:
    registry = Registry(default_model="flowrs")
    assert registry.missing_default == (
        "model 'flowrs', the default, is not there. Publish it; it is picked up by itself. "
        "Or start with another --default-model."
    )

    registry.put(fake_generation("flowers"))
    assert registry.missing_default == (
        "model 'flowrs', the default, is not there. Did you mean 'flowers'? Start with another --default-model."
    )
    registry.note_store_error("away")
    assert registry.missing_default is None, "it may be there"
    registry.note_store_error(None)
    registry.put(fake_generation("flowrs"))
    assert registry.missing_default is None
