"""What GET /models/{name} tells of a model: what is served, and how that came about."""

from datetime import UTC, datetime

from service.model_status import FailedLoad, Pin
from service.registry import Registry
from service.schemas import ModelAnswer
from tests.service.fakes import FakeClock, fake_generation


def failed(version: str | None, attempts: int = 1) -> FailedLoad:
    return FailedLoad(version, f"{version} is torn", datetime(2026, 1, 1, tzinfo=UTC), attempts)


def test_failed_loads_are_listed_newest_first_beside_what_is_served() -> None:
    registry = Registry()
    registry.expect("colours", pin=Pin("v1"))
    registry.put(fake_generation(version="v1"))
    for failure in (failed("v2"), failed("v2", 2), failed(None)):
        registry.note_failed_load("colours", failure)

    told = ModelAnswer.of("colours", registry.look_up("colours")).model_dump(mode="json")

    assert (told["ready"], told["version"], told["pinned"]) == (True, "v1", "v1")
    assert told["reloads"] == {"failed": 3, "loaded": 1}
    assert [(each["version"], each["error"], each["attempts"]) for each in told["failed_loads"]] == [
        (None, "None is torn", 1),
        ("v2", "v2 is torn", 2),
    ]
    assert told["last_reload_error"] == told["failed_loads"][0]


def test_a_model_that_nothing_was_loaded_of_says_why() -> None:
    registry = Registry()
    registry.note_failed_load("colours", failed("v2"))

    told = ModelAnswer.of("colours", registry.look_up("colours"))

    assert (told.ready, told.version, told.labels, told.reloads) == (False, None, None, {"failed": 1})
    assert told.last_reload_error is not None
    assert told.last_reload_error.error == "v2 is torn"


def test_what_differs_from_the_training_machine_is_told() -> None:
    registry, generation = Registry(), fake_generation()
    generation.warnings = ("golden picture 0: pixels differ by up to 3 from those of the training machine",)
    registry.put(generation)

    assert ModelAnswer.of("colours", registry.look_up("colours")).warnings == generation.warnings


def test_how_long_ago_it_was_looked_at_is_told() -> None:
    """The only sign of a look that hangs where nobody can break it off."""
    clock = FakeClock()
    registry = Registry(clock=clock)
    registry.put(fake_generation())
    assert ModelAnswer.of("colours", registry.look_up("colours")).look_age_s is None

    registry.note_look("colours")
    clock.advance(70.5)
    assert ModelAnswer.of("colours", registry.look_up("colours")).look_age_s == 70.5
