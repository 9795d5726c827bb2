"""What docs/http-api.md says of the answers' fields, and an answer that is written in two ways."""

import math
import re
from pathlib import Path

import pytest

from service.answers import Answer
from service.schemas import ModelAnswer, ModelsAnswer, PredictAnswer, predict_json
from shared.prediction import Prediction

PAGE = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text("utf-8")
NEW_VERSIONS = PAGE.split("## New versions\n")[1].split("\n## ")[0]


def test_the_table_of_a_model_has_its_fields() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", NEW_VERSIONS, re.MULTILINE)

    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(ModelAnswer.model_fields)


def test_what_is_told_of_all_models_is_named() -> None:
    told = NEW_VERSIONS.split("`GET /models` tells")[1]

    assert all(f"`{name}`" in told for name in ModelsAnswer.model_fields if name != "models")


@pytest.mark.parametrize("score", [0.75, 1.0, 0.1 + 0.2, 1e-7, 5e-324, 0.0, math.nan])
@pytest.mark.parametrize("label", ["red", 'a "quoted" \\ one', "größer\u2028\x7f\n", "\U0001f339"])
@pytest.mark.parametrize(("novelty", "unfamiliar"), [(None, None), (0.25, False), (1.0, True)])
def test_an_answer_written_quickly_is_byte_for_byte_the_same(
    score: float, label: str, *, novelty: float | None, unfamiliar: bool | None
) -> None:
    answer = Answer([Prediction(label, score), Prediction("other", 0.0)], novelty, unfamiliar, "colours", "v1")
    assert predict_json(answer, request_id="it").decode() == PredictAnswer.of(answer, request_id="it").model_dump_json()
