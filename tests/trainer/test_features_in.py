"""Features lie in memory or on disk: by a limit that depends on the machine alone, and what needs memory is refused."""

from typing import Any

import pytest

from trainer import features_in
from trainer.errors.features import FeaturesTooLarge
from trainer.features_in import belong_on_disk, refuse_comparing_backbones, settled_on_disk
from trainer.progress import Quiet
from trainer.settings import TrainSettings

MEMORY = 8 * 1024**3


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features_in, "usable_memory", lambda: MEMORY)


def settings(**given: Any) -> TrainSettings:
    return TrainSettings.model_validate({"data": "pictures"} | given)


@pytest.mark.parametrize(
    ("given", "pictures", "on_disk"),
    [
        ({}, MEMORY // 8 // 4000, False),
        ({}, MEMORY // 8 // 4000 + 1, True),
        ({"features_in": "memory"}, 10**9, False),
        ({"features_in": "disk"}, 1, True),
        ({"feature_memory": "1kB"}, 1, True),
        ({"feature_memory": "4kB"}, 1, False),
        ({"feature_memory": "1TB"}, 10**7, False),
        ({"feature_memory": "36kB", "views": 8}, 1, False),
    ],
)
def test_an_eighth_of_the_memory_is_for_features(given: dict[str, Any], pictures: int, *, on_disk: bool) -> None:
    assert belong_on_disk(settings(**given), pictures, 1000, Quiet()) is on_disk


def test_what_lies_on_disk_is_said_with_its_reason() -> None:
    progress = Quiet()

    belong_on_disk(settings(feature_memory="1MB"), 1_000_000, 1280, progress)

    (sentence,) = progress.said
    assert sentence.startswith("Features stay on disk: 1,000,000 x 1,280 of them take 5.1 GB, more than 1.0 MB")
    assert "--feature-memory" in sentence and "one fold" in sentence


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"head": "mlp"}, "--head mlp"),
        ({"head": "sgd"}, "--head sgd"),
        ({"search": True}, "--search"),
        ({"views": 2}, "--views 2"),
        ({"image_size": "auto"}, "--image-size auto"),
        ({"fit": "auto"}, "--fit auto"),
        ({"taps": "auto"}, "--taps auto"),
    ],
)
def test_what_needs_them_in_memory_is_refused_by_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=rf"--features-in disk: {named} would"):
        settings(features_in="disk", **given)
    with pytest.raises(FeaturesTooLarge, match=rf"{named} cannot be done.*--features-in memory"):
        belong_on_disk(settings(feature_memory="1kB", **given), 1000, 1000, Quiet())


def test_views_are_held_in_memory_too() -> None:
    with pytest.raises(FeaturesTooLarge, match=r"take 36\.0 kB.*--views 8 cannot"):
        belong_on_disk(settings(feature_memory="35kB", views=8), 1, 1000, Quiet())


def test_backbones_are_compared_only_where_memory_holds_their_features() -> None:
    few, many = 1000, 10**9

    refuse_comparing_backbones(settings(backbone="auto"), few, Quiet())
    refuse_comparing_backbones(settings(backbone="nano"), many, Quiet())
    with pytest.raises(FeaturesTooLarge, match="--backbone auto cannot be done"):
        refuse_comparing_backbones(settings(backbone="auto"), many, Quiet())


def test_backbones_are_not_compared_on_disk() -> None:
    with pytest.raises(ValueError, match="--backbone auto would"):
        settings(features_in="disk", backbone="auto")


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_limit_that_would_be_passed_over_is_refused(where: str) -> None:
    with pytest.raises(ValueError, match="leave one of the two out"):
        settings(features_in=where, feature_memory="1GiB")


def test_what_is_settled_can_be_asked_for_again() -> None:
    """The bundle keeps it, and `--from` takes it over."""
    settled = settled_on_disk(settings(feature_memory="1kB"))

    assert (settled.features_in, settled.head, settled.views) == ("disk", "probe", 0)
    settled.check_together()
