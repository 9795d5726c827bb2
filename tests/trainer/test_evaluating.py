"""trainer/evaluating.py: a bundle on labelled pictures, those that cannot be opened counted."""

from pathlib import Path

import pytest

from tests.trainer.tiny_bundle import paint, publish_tiny
from trainer.errors import TooManyUnusable
from trainer.evaluating import evaluate_bundle
from trainer.progress import Quiet
from trainer.settings import EvaluateSettings
from trainer.summaries import evaluation_summary


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
