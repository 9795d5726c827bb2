"""What docs/http-api.md says of the answers' fields."""

import re
from pathlib import Path

from service.schemas import ModelAnswer, ModelsAnswer

PAGE = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text("utf-8")
NEW_VERSIONS = PAGE.split("## New versions\n")[1].split("\n## ")[0]


def test_the_table_of_a_model_has_its_fields() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", NEW_VERSIONS, re.MULTILINE)

    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(ModelAnswer.model_fields)


def test_what_is_told_of_all_models_is_named() -> None:
    told = NEW_VERSIONS.split("`GET /models` tells")[1]

    assert all(f"`{name}`" in told for name in ModelsAnswer.model_fields if name != "models")
