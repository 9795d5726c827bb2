"""The watcher serves what is pinned or named, and survives a store that is slow or away."""

import shutil
import threading
from pathlib import Path

import pytest

from service.back_off import LONGEST_PAUSE_S
from service.model_errors import ModelNotChosen, ModelNotLoaded, NoModel
from service.model_status import Pin
from service.model_store import LocalStore
from service.store_errors import StoreUnreachable
from tests.service.shelf import FIRST, SECOND, Shelf
from tests.service.waiting import until


def test_a_pinned_version_is_served_whatever_current_says(models_dir: Path) -> None:
    shelf = Shelf(models_dir, pins={"cats": FIRST})
    shelf.point("cats", FIRST)
    shelf.point("cats", SECOND)
    shelf.point("dogs", SECOND)
    shelf.poll()
    shelf.point("cats", "nonsense")
    shelf.poll()

    assert shelf.served == {"cats": FIRST, "dogs": SECOND}
    status = shelf.registry.look_up("cats")
    assert (status.pin, status.failures) == (Pin(FIRST), ())


def test_a_pinned_version_that_is_missing_is_told_and_no_other_takes_its_place(models_dir: Path) -> None:
    shelf = Shelf(models_dir, pins={"cats": FIRST, "owls": FIRST})
    shelf.point("cats", SECOND)
    shelf.poll()

    assert shelf.served == {}
    failed = shelf.registry.look_up("cats").failed
    assert failed is not None
    assert (failed.version, SECOND in failed.message) == (FIRST, True)
    assert shelf.registry.look_up("owls").failed is not None

    (shelf.folder / "cats" / FIRST).mkdir()
    shelf.poll()
    assert shelf.served == {"cats": FIRST}


def test_only_the_models_that_were_named_are_served_and_those_are_waited_for(models_dir: Path) -> None:
    shelf = Shelf(models_dir, names=["cats", "owls"])
    shelf.point("cats", FIRST)
    shelf.point("dogs", FIRST)
    shelf.poll()

    assert shelf.served == {"cats": FIRST}
    failed = shelf.registry.look_up("owls").failed
    assert failed is not None
    assert "no bundle here" in failed.message


class Fetched(LocalStore):
    """A store whose every answer can be delayed or refused, and that keeps a copy of what was served."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.away = False
        self.slow: dict[str, threading.Event] = {}
        self.stuck: dict[str, threading.Event] = {}
        self.waiting: list[str] = []
        self.forgotten: list[str] = []
        self.asked = 0
        self.copies: dict[str, str] = {}

    def names(self) -> frozenset[str]:
        self._answer("")
        return super().names()

    def current(self, name: str) -> str:
        self.asked += 1
        self._answer(name)
        return super().current(name)

    def obtain(self, name: str, version: str) -> Path:
        path = super().obtain(name, version)
        if name in self.slow:
            self.waiting.append(name)
            self.slow[name].wait(30)
        return path

    def forget(self, name: str) -> None:
        self.forgotten.append(name)

    def remember(self, name: str, version: str) -> None:
        self.copies[name] = version

    def remembered(self) -> dict[str, str]:
        return self.copies

    def _answer(self, name: str) -> None:
        if name in self.stuck:
            self.waiting.append(name)
            self.stuck[name].wait(30)
        if self.away:
            raise StoreUnreachable(self.origin, "no answer")


def test_a_store_that_is_away_is_asked_less_and_less_often_and_what_is_served_stays(models_dir: Path) -> None:
    store = Fetched(models_dir)
    shelf = Shelf(models_dir, store=store, names=["cats"])
    shelf.point("cats", FIRST)
    shelf.poll()
    store.away, store.asked = True, 0
    for _ in range(300):
        shelf.poll()

    assert shelf.served == {"cats": FIRST}
    assert store.asked == 10  # after 1, 2, 4, 8, 16, 32 and then every 60 seconds
    status = shelf.registry.look_up("cats")
    assert status.failed is not None
    assert (status.failed.attempts, status.reloads["unreadable"]) == (10, 10)

    store.away = False
    shelf.point("cats", SECOND)
    shelf.poll(after_s=LONGEST_PAUSE_S)
    assert shelf.served == {"cats": SECOND}


@pytest.mark.parametrize("names", [[], ["cats"]])
def test_a_service_that_starts_while_its_store_is_away_serves_the_copy_it_has(
    names: list[str], models_dir: Path
) -> None:
    store = Fetched(models_dir)
    store.away, store.copies = True, {"cats": FIRST}
    shelf = Shelf(models_dir, store=store, names=names)
    shelf.point("cats", FIRST)
    shelf.poll()
    assert shelf.served == {"cats": FIRST}
    assert shelf.registry.look_up("cats").failed is not None

    store.away = False
    shelf.point("cats", SECOND)
    shelf.poll(after_s=LONGEST_PAUSE_S)
    assert shelf.served == {"cats": SECOND}


def test_a_model_whose_files_never_come_holds_up_no_other_and_no_end(models_dir: Path) -> None:
    store = Fetched(models_dir)
    shelf = Shelf(models_dir, store=store, interval_s=0.01)
    store.slow = {"apes": threading.Event()}
    for name in ("apes", "cats"):
        shelf.point(name, FIRST)
    with shelf.watcher:
        until(lambda: shelf.served == {"cats": FIRST})
        assert not shelf.watcher.has_looked  # who sends traffic here wants all models
        shelf.point("cats", SECOND)
        until(lambda: shelf.served == {"cats": SECOND})
        shelf.clock.advance(60)
        assert shelf.watcher.has_looked  # but will not wait for ever
        store.slow.pop("apes").set()
        until(lambda: "apes" in shelf.served)


def test_a_version_that_hangs_while_it_is_opened_holds_up_no_other_for_long(models_dir: Path) -> None:
    """A file of a stale mount, or a device that does not answer."""
    shelf = Shelf(models_dir, interval_s=0.01, patience_s=0.1)
    shelf.hanging = {"apes": threading.Event()}
    shelf.point("apes", FIRST)
    with shelf.watcher:
        until(lambda: shelf.tried == [FIRST])
        shelf.point("cats", FIRST)
        until(lambda: shelf.served == {"cats": FIRST})
        shelf.point("cats", SECOND)
        until(lambda: shelf.served == {"cats": SECOND})
        shelf.hanging.pop("apes").set()
        until(lambda: "apes" in shelf.served)


def test_a_model_that_goes_while_it_is_loaded_does_not_come_back(
    models_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And while its files are still on their way, new models are noticed."""
    store = Fetched(models_dir)
    shelf = Shelf(models_dir, store=store, interval_s=0.01)
    store.slow = {"apes": threading.Event()}
    shelf.point("apes", FIRST)
    with shelf.watcher:
        until(lambda: store.waiting == ["apes"])
        shutil.rmtree(models_dir / "apes")
        until(lambda: "model gone" in caplog.messages)
        shelf.point("bees", FIRST)
        until(lambda: shelf.served == {"bees": FIRST})
        store.slow["apes"].set()
        until(lambda: store.forgotten == ["apes"])

    assert shelf.tried == [FIRST, FIRST]
    assert shelf.registry.known() == ["bees"]


def test_copies_of_models_that_went_while_nobody_looked_are_dropped_once_it_is_sure(models_dir: Path) -> None:
    store = Fetched(models_dir)
    store.away, store.copies = True, {"apes": FIRST, "cats": FIRST, "owls": FIRST}
    shelf = Shelf(models_dir, store=store, pins={"owls": FIRST})
    shelf.point("cats", FIRST)
    shelf.poll()
    assert store.forgotten == []

    store.away = False
    shelf = Shelf(models_dir, store=store, pins={"owls": FIRST})
    for _ in range(3):
        shelf.poll()
    assert store.forgotten == ["apes"]


def test_copies_of_models_that_were_not_named_stay(models_dir: Path) -> None:
    """Another service that shares the cache may serve them."""
    store = Fetched(models_dir)
    store.copies = {"apes": FIRST, "cats": FIRST}
    shelf = Shelf(models_dir, store=store, names=["cats"])
    shelf.point("cats", FIRST)
    shelf.poll()

    assert store.forgotten == []


def test_a_look_that_hangs_is_told_of_its_model_and_of_no_other(
    models_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A `current` of a mount that went stale: what was loaded is served, for ever, and all else seems well."""
    store = Fetched(models_dir)
    shelf = Shelf(models_dir, store=store, interval_s=0.01)
    for name in ("apes", "cats"):
        shelf.point(name, FIRST)
    with shelf.watcher:
        until(lambda: shelf.served == {"apes": FIRST, "cats": FIRST})
        store.stuck = {"apes": threading.Event()}
        until(lambda: store.waiting)
        for _ in range(31):
            shelf.clock.advance(1)
            until(lambda: shelf.registry.look_ages()["cats"] == shelf.registry.listing_age_s == 0.0)
        until(lambda: shelf.registry.look_up("apes").failed)

        failed = shelf.registry.look_up("apes").failed
        assert failed is not None
        assert "the last look at apes ended 31 s ago (now: reading `current`)" in failed.message
        assert shelf.registry.look_ages()["apes"] == 31.0
        store.stuck.pop("apes").set()
        until(lambda: shelf.registry.look_ages()["apes"] == 0.0)

    assert [getattr(record, "model", None) for record in caplog.records if record.message == "look does not end"] == [
        "apes"
    ]


def test_a_model_that_was_never_looked_at_to_the_end_is_known_when_that_is_late(models_dir: Path) -> None:
    store = Fetched(models_dir)
    store.stuck = {"apes": threading.Event()}
    shelf = Shelf(models_dir, store=store, interval_s=0.01)
    shelf.point("apes", FIRST)
    with shelf.watcher:
        until(lambda: store.waiting)
        shelf.clock.advance(31)
        until(lambda: shelf.registry.known() == ["apes"])
        store.stuck["apes"].set()


def test_a_model_is_known_while_it_is_still_fetched(models_dir: Path) -> None:
    """A client that comes too early is told to come again, and no other model takes its pictures."""
    store = Fetched(models_dir)
    store.slow = {"apes": threading.Event()}
    shelf = Shelf(models_dir, store=store, interval_s=0.01)
    for name in ("apes", "cats"):
        shelf.point(name, FIRST)
    with shelf.watcher:
        until(lambda: shelf.served == {"cats": FIRST} and store.waiting)
        with pytest.raises(ModelNotLoaded, match="'apes' is not loaded yet"):
            shelf.registry.choose("apes")
        with pytest.raises(ModelNotChosen):
            shelf.registry.choose(None)
        store.slow["apes"].set()


def test_until_every_model_was_looked_at_none_is_taken_for_the_only_one(models_dir: Path) -> None:
    store = Fetched(models_dir)
    store.stuck = {"apes": threading.Event()}
    shelf = Shelf(models_dir, store=store, interval_s=0.01)
    for name in ("apes", "cats"):
        shelf.point(name, FIRST)
    with shelf.watcher:
        until(lambda: shelf.served == {"cats": FIRST} and store.waiting)
        with pytest.raises(NoModel, match="being loaded"):
            shelf.registry.choose(None)
        with pytest.raises(ModelNotLoaded, match="'apes' is not loaded yet"):
            shelf.registry.choose("apes")
        store.stuck["apes"].set()


def test_a_list_of_models_that_does_not_come_is_told_until_it_does(models_dir: Path) -> None:
    store = Fetched(models_dir)
    store.stuck = {"": threading.Event()}
    shelf = Shelf(models_dir, store=store, interval_s=0.01)
    with shelf.watcher:
        until(lambda: store.waiting)
        shelf.clock.advance(31)
        until(lambda: shelf.registry.store_error)
        assert "(now: listing them)" in str(shelf.registry.store_error)
        assert shelf.registry.listing_age_s == 31.0
        store.stuck.pop("").set()
        until(lambda: shelf.registry.store_error is None)


def test_a_model_whose_thread_could_not_be_started_is_told_and_followed_once_it_can(models_dir: Path) -> None:
    """A container's limit of processes may be reached for a while; a model must not stay away for ever after it."""
    shelf = Shelf(models_dir, interval_s=0.01)
    shelf.threads_left = 1
    for name in ("apes", "cats", "zebras"):
        shelf.point(name, FIRST)
    with shelf.watcher:
        until(lambda: shelf.served == {"apes": FIRST})
        until(lambda: shelf.registry.store_error)
        assert "2 models cannot be followed, 'cats' the first of them" in str(shelf.registry.store_error)

        shelf.threads_left = 1000
        until(lambda: shelf.served == dict.fromkeys(("apes", "cats", "zebras"), FIRST))
        until(lambda: shelf.registry.store_error is None)


def test_folders_without_a_current_cost_no_thread(models_dir: Path) -> None:
    shelf = Shelf(models_dir, interval_s=0.01)
    shelf.threads_left = 1
    for name in ("a", "b", "c"):
        (models_dir / name).mkdir()
    shelf.point("cats", FIRST)
    with shelf.watcher:
        until(lambda: shelf.served == {"cats": FIRST})
        until(lambda: shelf.watcher.has_looked)

    assert (shelf.threads_left, shelf.registry.store_error) == (0, None)
