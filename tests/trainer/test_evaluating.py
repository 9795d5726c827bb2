"""trainer/evaluating.py: a bundle on labelled pictures, those that cannot be opened counted."""

from pathlib import Path

import pytest

from shared.files import sha256_of
from tests.trainer.tiny_bundle import paint, publish_tiny
from trainer.errors.audit import TooManyUnusable
from trainer.evaluating import BundleEvaluation, evaluate_bundle
from trainer.progress import Quiet
from trainer.settings import EvaluateSettings
from trainer.split_file import SplitRow
from trainer.summaries import evaluation_summary

ROWS = {"red": 3, "blue": 2}


def settings(tmp_path: Path, max_bad: float, *, novelty: float | None = None) -> EvaluateSettings:
    for number, colour in enumerate(("red", "green", "blue")):
        paint(tmp_path / "data" / colour / "1.png", colour, size=20 + number)
    (tmp_path / "data" / "blue" / "2.png").symlink_to(tmp_path / "gone.png")
    bundle = publish_tiny(tmp_path / "models", novelty=novelty).path
    values = {"bundle": bundle, "data": tmp_path / "data", "cache_dir": tmp_path / "cache", "max_bad": max_bad}
    return EvaluateSettings.model_validate(values | {"threads": 1, "provider": "cpu"})


def test_pictures_that_cannot_be_opened_are_listed_as_unusable(tmp_path: Path) -> None:
    result = evaluate_bundle(settings(tmp_path, 0.25), Quiet())

    assert (result.evaluation.n, result.evaluation.accuracy) == (3, 1.0)
    assert [one.name for one in result.unusable] == ["blue/2.png"]


def test_pictures_that_cannot_be_opened_count_against_the_limit(tmp_path: Path) -> None:
    with pytest.raises(TooManyUnusable, match=r"1 of 4 pictures .*blue/2\.png: cannot be read"):
        evaluate_bundle(settings(tmp_path, 0.2), Quiet())


@pytest.mark.parametrize(("novelty", "count"), [(None, None), (0.5, 0), (0.995, 3)])
def test_pictures_that_the_model_has_not_seen_the_like_of_are_counted(
    tmp_path: Path, novelty: float | None, count: int | None
) -> None:
    result = evaluate_bundle(settings(tmp_path, 0.25, novelty=novelty), Quiet())

    assert result.unfamiliar == result.as_json()["unfamiliar"] == count
    assert ("unfamiliar" in evaluation_summary(result.bundle, result.as_json(), 1)) == (count is not None)


def evaluated(tmp_path: Path, group_of: dict[str, str], *, group_by: str | None = None) -> BundleEvaluation:
    """Three reds and two blues, the first blue again as a copy; `group_of` is what the training kept together."""
    files = {
        f"{c}/{i}.png": paint(tmp_path / "data" / c / f"{i}.png", c, size=20 + i) for c in ROWS for i in range(ROWS[c])
    }
    (tmp_path / "data" / "blue" / "copy.png").write_bytes(files["blue/0.png"].read_bytes())
    digests = {name: sha256_of(file.read_bytes()) for name, file in files.items()}
    rows = [SplitRow(digests[name], Path(name).parent.name, "test", digests[group]) for name, group in group_of.items()]
    values = {"bundle": publish_tiny(tmp_path / "models", rows).path, "data": tmp_path / "data", "group_by": group_by}
    values |= {"cache_dir": tmp_path / "cache", "threads": 1, "provider": "cpu"}
    return evaluate_bundle(EvaluateSettings.model_validate(values), Quiet())


def test_a_copy_is_no_second_picture_in_an_interval(tmp_path: Path) -> None:
    found = evaluated(tmp_path, {})

    assert (found.evaluation.n, found.evaluation.groups) == (6, 5)
    assert "5 groups of pictures that count as one" in evaluation_summary(found.bundle, found.as_json(), 0)


def test_what_the_training_kept_together_counts_as_one_here_too(tmp_path: Path) -> None:
    """The same head on the same pictures has the same interval as in the run's own numbers."""
    found = evaluated(tmp_path, {"red/0.png": "red/0.png", "red/1.png": "red/0.png", "red/2.png": "red/2.png"})

    apart = evaluated(tmp_path / "apart", {})
    assert (found.evaluation.n, found.evaluation.groups) == (6, 4)
    assert found.evaluation.accuracy_interval[0] < apart.evaluation.accuracy_interval[0]


def test_pictures_that_the_training_did_not_know_are_grouped_by_what_the_user_says(tmp_path: Path) -> None:
    """A group by name takes in what the training kept together with one of it; a test set may be a single group."""
    known = {"red/2.png": "red/2.png", "blue/1.png": "red/2.png"}

    assert evaluated(tmp_path / "a", {}, group_by=r"(red)/[01]").evaluation.groups == 4
    assert evaluated(tmp_path / "b", known, group_by=r"(red)/").evaluation.groups == 2
    assert evaluated(tmp_path / "c", {}, group_by="png").evaluation.groups == 1
