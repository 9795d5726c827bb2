"""trainer/differences.py and replay.py: what a repeated run takes over, and what it tells."""

from dataclasses import replace
from pathlib import Path

import pytest

from shared.bundle import BackboneInfo
from tests.trainer.tiny_bundle import publish_tiny
from trainer.differences import compare
from trainer.errors.training import ReplayRefused
from trainer.replay import Earlier
from trainer.samples import Sample
from trainer.settings import TrainSettings


@pytest.fixture
def earlier(tmp_path: Path) -> Earlier:
    """A run on three pictures, with settings of its own."""
    bundle = publish_tiny(tmp_path / "models")
    settings = {"seed": 7, "split": [0.8, 0.0, 0.2], "threads": 3, "backbone": None, "name": None, "of_tomorrow": 1}
    metadata = bundle.metadata.model_copy(update={"settings": settings})
    return Earlier(type(bundle)(bundle.path, metadata), {"a" * 64: "red", "b" * 64: "red", "c" * 64: "blue"})


def sample(name: str, label: str, digest: str) -> Sample:
    return Sample(name, name, label, digest * 64, None)


def test_settings_are_taken_over_unless_they_were_given(earlier: Earlier) -> None:
    given = TrainSettings.from_command_line(["data", "--seed", "8", "--json"], program="python -m trainer train")

    settings = earlier.settings(given)

    assert (settings.seed, settings.split, settings.thread_count) == (8, (0.8, 0.0, 0.2), 3)
    assert (settings.name, settings.backbone) == ("colours", earlier.backbone)
    assert (settings.data, settings.json_) == ("data", True)


def test_weights_that_are_given_say_which_backbone_it_is(earlier: Earlier) -> None:
    given = TrainSettings.from_command_line(["data", "--weights", "x.pth"], program="python -m trainer train")

    assert earlier.settings(given).backbone is None


def given(*flags: str) -> TrainSettings:
    return TrainSettings.from_command_line(["data", "--from", "b", *flags], program="python -m trainer train")


def of_a_run_with(earlier: Earlier, **settings: object) -> Earlier:
    metadata = earlier.bundle.metadata.model_copy(update={"settings": settings})
    return replace(earlier, bundle=replace(earlier.bundle, metadata=metadata))


def test_what_goes_with_the_bundle_is_accepted_though_it_does_not_stand_alone(earlier: Earlier) -> None:
    """Whether an option is used is known once the bundle has said the rest."""
    settings = of_a_run_with(earlier, head="sgd", epochs=50).settings(given("--epochs", "9"))

    assert (settings.head, settings.epochs) == ("sgd", 9)


def test_gates_are_not_repeated_though_earlier_trainers_recorded_them(earlier: Earlier) -> None:
    """What is current has changed since, and a repeat that is to compare bytes need not be better than it."""
    found = of_a_run_with(earlier, not_worse=True, min_accuracy=0.9)
    repeated, asked = found.settings(given()), found.settings(given("--min-accuracy", "0.5", "--not-worse"))
    made = found.bundle.metadata.model_copy(update={"settings": {}})

    assert (repeated.not_worse, repeated.min_accuracy) == (False, None)
    assert (asked.not_worse, asked.min_accuracy) == (True, 0.5)
    assert compare(found.bundle, {}, found.bundle, made, []).settings == {}


def test_a_limit_that_limited_nothing_is_not_taken_over(earlier: Earlier) -> None:
    """A search of then had its limit; the same recipe given by flags has none, and repeating it is no mistake."""
    found = of_a_run_with(earlier, search=True, max_cost=2.0)

    assert found.settings(given()).max_cost == 2
    assert found.settings(given("--no-search", "--image-size", "224")).max_cost == 4


@pytest.mark.parametrize(
    ("recorded", "flags", "sentence"),
    [
        ({"precision": "int8"}, ["--engine", "torch"], r"has no int8.* From the bundle: --precision int8\."),
        ({"engine": "torch"}, ["--precision", "int8"], r"has no int8.* From the bundle: --engine torch\."),
        ({"head": "probe"}, ["--epochs", "9"], r"--epochs is an option of the SGD head.* From the bundle: --head prob"),
        ({}, ["--max-latency", "20ms"], r"add --backbone auto\. From the bundle: --backbone "),
        ({"max_bad": 9}, [], r"--max-bad: .* From the bundle: --max-bad 9\."),
    ],
)
def test_what_does_not_go_with_the_bundle_is_one_sentence_that_tells_what_came_from_it(
    earlier: Earlier, recorded: dict[str, object], flags: list[str], sentence: str
) -> None:
    with pytest.raises(ReplayRefused, match=sentence) as refused:
        of_a_run_with(earlier, **recorded).settings(given(*flags))

    assert "pydantic" not in str(refused.value) and "\n" not in str(refused.value)


def test_pictures_are_compared_by_their_bytes(earlier: Earlier) -> None:
    pictures = [sample("1.jpg", "red", "a"), sample("2.jpg", "blue", "b"), sample("4.jpg", "blue", "d")]
    bundle = earlier.bundle

    found = compare(bundle, earlier.labels, bundle, bundle.metadata, pictures)

    assert (found.added, found.gone) == (("4.jpg",), ("cccccccccccc... (blue)",))
    assert found.relabelled == ("2.jpg (red -> blue)",)
    assert "1 picture added (4.jpg); 1 picture gone (cccccccccccc... (blue))" in found.text
    assert all(found.equal_bytes.values()) and "all the same" in found.text


def test_what_made_the_model_is_compared_too(earlier: Earlier) -> None:
    old = earlier.bundle.metadata
    backbone = BackboneInfo.model_validate(old.backbone.model_dump() | {"weights_sha256": "e" * 64})
    files = {name: entry for name, entry in old.files.items() if name != "labels.txt"}
    changes = {"backbone": backbone, "files": files, "settings": {**old.settings, "seed": 9}, "tools": {"numpy": "99"}}

    found = compare(earlier.bundle, {}, earlier.bundle, old.model_copy(update=changes), [])

    assert found.settings == {"seed": (7, 9)}
    assert found.tools["numpy"][1] == "99"
    assert found.backbone["weights_sha256"][1] == "e" * 64
    assert [name for name, equal in found.equal_bytes.items() if not equal] == ["labels.txt"]
    assert "different: labels.txt" in found.text and "seed 7 -> 9" in found.text


def test_numbers_that_belong_together_are_told_as_all_others(earlier: Earlier) -> None:
    """Not as Python writes a dictionary, with all the digits there are."""
    old = earlier.bundle.metadata
    folds = {"n": 32, "accuracy_interval": [0.6469084479862404, 0.9111045531043405], "log_loss": None}
    made = old.model_copy(update={"metrics": {"cross_validated": folds}})

    found = compare(earlier.bundle, {}, earlier.bundle, made, [])

    assert "cross validated     none -> n 32, accuracy interval [0.6469, 0.9111], log loss none\n" in found.text
