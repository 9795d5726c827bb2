"""An admin's verbs: what they do to what is served, also while the watcher looks."""

import logging
import threading
from pathlib import Path

import pytest

from service import steered_follower
from service.admin_errors import AdminBusy, NoEarlierVersion, NoSuchVersionName, VersionNotLoadable
from service.model_errors import UnknownModel
from service.model_status import Pin
from service.model_store import LocalStore
from service.problems import kind_of
from service.steered_follower import Looked, SteeredFollower
from service.store_errors import StoreClosed, StoreUnreachable
from tests.service.shelf import FIRST, SECOND, THIRD, Shelf
from tests.service.waiting import until


@pytest.fixture
def shelf(models_dir: Path) -> Shelf:
    """The first version is served, the others are there."""
    shelf = Shelf(models_dir)
    for version in (THIRD, SECOND, FIRST):
        shelf.point("cats", version)
    shelf.poll()
    return shelf


def cats(shelf: Shelf) -> SteeredFollower:
    return shelf.watcher.follower_of("cats")


def pin_of(shelf: Shelf) -> Pin | None:
    return shelf.registry.look_up("cats").pin


def test_a_look_tells_what_came_of_it(shelf: Shelf) -> None:
    assert cats(shelf).look_now() == Looked("unchanged")

    shelf.point("cats", SECOND)
    assert cats(shelf).look_now() == Looked("loaded")

    shelf.bad = {THIRD}
    shelf.point("cats", THIRD)
    looked = cats(shelf).look_now()
    assert (looked.result, shelf.served) == ("failed", {"cats": SECOND})
    assert f"{THIRD} is torn" in str(looked.reason)


def test_a_look_does_not_wait_for_the_next_try(shelf: Shelf) -> None:
    """A version that failed is tried again less and less often; whoever mended it need not wait for that."""
    shelf.bad = {SECOND}
    shelf.point("cats", SECOND)
    for _ in range(9):
        shelf.poll()
    shelf.bad = set()

    assert cats(shelf).look_now() == Looked("loaded")


def test_a_current_that_cannot_be_read_is_told(shelf: Shelf) -> None:
    shelf.point("cats", "no version")
    looked = cats(shelf).look_now()

    assert (looked.result, shelf.served) == ("failed", {"cats": FIRST})
    assert "current" in str(looked.reason)


def test_a_pin_holds_whatever_current_says_until_it_is_taken_out(shelf: Shelf) -> None:
    assert cats(shelf).pin(SECOND) == Looked("loaded")
    shelf.point("cats", THIRD)
    shelf.poll()
    assert (shelf.served, pin_of(shelf)) == ({"cats": SECOND}, Pin(SECOND, "admin"))

    assert cats(shelf).unpin() == Looked("loaded")
    assert (shelf.served, pin_of(shelf)) == ({"cats": THIRD}, None)


def test_what_is_served_already_can_be_pinned(shelf: Shelf) -> None:
    assert cats(shelf).pin(FIRST) == Looked("unchanged")
    shelf.point("cats", SECOND)
    shelf.poll()

    assert (shelf.served, shelf.tried) == ({"cats": FIRST}, [FIRST])


@pytest.mark.parametrize("version", [SECOND, "20270101T000000000Z-0000000f"])
def test_a_pin_to_what_cannot_be_loaded_changes_nothing(version: str, shelf: Shelf) -> None:
    shelf.bad = {SECOND}
    cats(shelf).pin(THIRD)

    with pytest.raises(VersionNotLoadable, match="nothing was changed"):
        cats(shelf).pin(version)

    shelf.poll()
    status = shelf.registry.look_up("cats")
    assert (shelf.served, status.pin, status.failures) == ({"cats": THIRD}, Pin(THIRD, "admin"), ())


def test_after_an_admins_pin_that_of_the_start_counts_again(models_dir: Path) -> None:
    shelf = Shelf(models_dir, pins={"cats": FIRST})
    for version in (FIRST, SECOND, THIRD):
        shelf.point("cats", version)
    shelf.poll()
    cats(shelf).pin(SECOND)

    assert cats(shelf).unpin() == Looked("loaded")
    assert (shelf.served, pin_of(shelf)) == ({"cats": FIRST}, Pin(FIRST, "setting"))


def test_a_rollback_goes_back_one_version_at_a_time_and_never_to_where_it_came_from(shelf: Shelf) -> None:
    """Whoever rolls back twice in alarm must not land on the bad version again."""
    for version in (SECOND, THIRD):
        shelf.point("cats", version)
        shelf.poll()

    for expected in (SECOND, FIRST):
        cats(shelf).roll_back()
        shelf.poll()
        assert (shelf.served, pin_of(shelf)) == ({"cats": expected}, Pin(expected, "admin"))
    with pytest.raises(NoEarlierVersion):
        cats(shelf).roll_back()
    assert shelf.served == {"cats": FIRST}


def test_what_an_admin_pinned_outlasts_a_folder_that_is_away_for_a_moment(shelf: Shelf) -> None:
    """A share that is mounted again must not serve what somebody has just stopped."""
    cats(shelf).pin(SECOND)
    (shelf.folder / "cats").rename(shelf.folder / ".away")
    shelf.poll()
    assert shelf.served == {}

    (shelf.folder / ".away").rename(shelf.folder / "cats")
    shelf.poll()
    assert (shelf.served, pin_of(shelf)) == ({"cats": SECOND}, Pin(SECOND, "admin"))
    assert cats(shelf).unpin() == Looked("loaded")
    assert (shelf.served, pin_of(shelf)) == ({"cats": FIRST}, None)


def test_what_a_verb_tells_is_what_it_did_and_not_what_another_one_did_since(shelf: Shelf) -> None:
    looked = cats(shelf).pin(SECOND)
    cats(shelf).unpin()

    assert (looked.version, looked.pin) == (SECOND, Pin(SECOND, "admin"))


def test_a_pin_to_what_is_no_version_names_some_that_are(shelf: Shelf) -> None:
    with pytest.raises(NoSuchVersionName, match=f"{THIRD}, {SECOND}, {FIRST}"):
        cats(shelf).pin("../v2")


def test_a_rollback_after_a_pin_to_an_earlier_version_says_why_there_is_none(shelf: Shelf) -> None:
    shelf.point("cats", THIRD)
    shelf.poll()
    cats(shelf).pin(FIRST)

    with pytest.raises(NoEarlierVersion, match=f"from {FIRST}.*a pin to an earlier one"):
        cats(shelf).roll_back()


class UnreachableStore(LocalStore):
    """Answers, until it does not."""

    away: Exception | None = None

    def obtain(self, name: str, version: str) -> Path:
        if self.away is not None:
            raise self.away
        return super().obtain(name, version)


@pytest.mark.parametrize("away", [StoreUnreachable("https://models.example", "HTTP 500"), StoreClosed()])
def test_a_version_that_cannot_be_fetched_just_now_is_not_called_bad(away: Exception, models_dir: Path) -> None:
    store = UnreachableStore(models_dir)
    shelf = Shelf(models_dir, store=store)
    for version in (SECOND, FIRST):
        shelf.point("cats", version)
    shelf.poll()
    store.away = away

    with pytest.raises(type(away)) as caught:
        cats(shelf).pin(SECOND)
    assert kind_of(caught.value).status == 503
    assert (shelf.served, pin_of(shelf)) == ({"cats": FIRST}, None)


def test_a_rollback_to_a_version_that_is_gone_changes_nothing(shelf: Shelf) -> None:
    shelf.point("cats", SECOND)
    shelf.poll()
    (shelf.folder / "cats" / FIRST).rmdir()

    with pytest.raises(VersionNotLoadable):
        cats(shelf).roll_back()
    assert (shelf.served, pin_of(shelf)) == ({"cats": SECOND}, None)


def test_nobody_follows_a_model_that_is_not_there(shelf: Shelf) -> None:
    with pytest.raises(UnknownModel):
        shelf.watcher.follower_of("dogs")


def test_a_verb_waits_for_the_look_that_is_under_way_and_has_the_last_word(shelf: Shelf) -> None:
    """Else the watcher, which has read `current` before the pin, would serve that after it."""
    shelf.hanging["cats"] = threading.Event()
    shelf.point("cats", SECOND)
    watching = threading.Thread(target=shelf.poll)
    watching.start()
    until(lambda: shelf.tried[-1] == SECOND)  # the watcher is at it
    pinning = threading.Thread(target=lambda: cats(shelf).pin(THIRD))
    pinning.start()
    shelf.hanging["cats"].set()
    watching.join(30)
    pinning.join(30)

    assert (shelf.served, shelf.tried) == ({"cats": THIRD}, [FIRST, SECOND, THIRD])


def test_a_verb_does_not_wait_for_ever(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steered_follower, "ADMIN_WAIT_S", 0.01)
    shelf.hanging["cats"] = threading.Event()
    shelf.point("cats", SECOND)
    watching = threading.Thread(target=shelf.poll)
    watching.start()
    try:
        until(lambda: shelf.tried[-1] == SECOND)
        with pytest.raises(AdminBusy, match=f"opening {SECOND}"):
            cats(shelf).pin(THIRD)
    finally:
        shelf.hanging["cats"].set()
        watching.join(30)

    assert (shelf.served, pin_of(shelf)) == ({"cats": SECOND}, None)


def test_verbs_and_looks_from_many_threads_leave_what_is_pinned(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)

    def pin_and_look(version: str) -> None:
        for _ in range(30):
            cats(shelf).pin(version)
            cats(shelf).look_now()

    threads = [threading.Thread(target=pin_and_look, args=(version,)) for version in (FIRST, SECOND, THIRD)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        shelf.poll()
    for thread in threads:
        thread.join(30)

    pin = pin_of(shelf)
    assert pin is not None
    assert (shelf.served, pin.by) == ({"cats": pin.version}, "admin")


def test_a_version_beside_the_current_one_is_served_under_a_name_of_its_own(models_dir: Path) -> None:
    shelf = Shelf(models_dir, also={f"cats@{SECOND}": ("cats", SECOND)})
    for version in (SECOND, FIRST):
        shelf.point("cats", version)
    shelf.poll()

    assert shelf.served == {"cats": FIRST, f"cats@{SECOND}": SECOND}
    assert shelf.registry.choose(None) == "cats"
    assert shelf.registry.default_model == "cats"


def test_a_version_beside_is_served_also_where_only_others_are_named(models_dir: Path) -> None:
    shelf = Shelf(models_dir, names=["dogs"], also={f"cats@{SECOND}": ("cats", SECOND)})
    shelf.point("cats", SECOND)
    shelf.point("dogs", FIRST)
    shelf.poll()

    assert shelf.served == {"dogs": FIRST, f"cats@{SECOND}": SECOND}


def test_a_version_beside_that_is_missing_is_told_and_leaves_the_default_alone(models_dir: Path) -> None:
    shelf = Shelf(models_dir, also={f"cats@{SECOND}": ("cats", SECOND)})
    shelf.point("cats", FIRST)
    shelf.poll()

    failed = shelf.registry.look_up(f"cats@{SECOND}").failed
    assert failed is not None
    assert failed.version == SECOND
    assert shelf.registry.choose(None) == "cats"


def test_what_is_served_beside_does_not_make_the_service_ready(models_dir: Path) -> None:
    """Nobody who names no model would be answered."""
    shelf = Shelf(models_dir, also={f"cats@{SECOND}": ("cats", SECOND)})
    shelf.point("cats", SECOND)
    (shelf.folder / "cats" / "current").unlink()
    shelf.poll()

    assert (shelf.served, shelf.registry.serves_default) == ({f"cats@{SECOND}": SECOND}, False)


class RememberingStore(LocalStore):
    """Notes what it is to begin with where the place cannot be reached."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.noted: list[tuple[str, str]] = []

    def remember(self, name: str, version: str) -> None:
        self.noted.append((name, version))


def test_a_version_beside_is_not_what_the_model_begins_with_next_time(models_dir: Path) -> None:
    store = RememberingStore(models_dir)
    shelf = Shelf(models_dir, store=store, also={f"cats@{SECOND}": ("cats", SECOND)})
    for version in (SECOND, FIRST):
        shelf.point("cats", version)
    shelf.poll()

    assert store.noted == [("cats", FIRST)]
