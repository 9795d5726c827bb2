"""/openapi.json: valid, and with all that a client is made from."""

import re
from typing import Any

import pytest
import schemathesis

from service.app import create_app
from service.openapi_document import TAGS
from service.problem_examples import problem_examples
from service.problems import KINDS
from service.schemas import Problem
from service.settings import ServiceSettings


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return create_app(ServiceSettings(models_dir=tmp_path_factory.mktemp("models"))).openapi()


def operations_of(description: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for operations in description["paths"].values() for operation in operations.values()]


def test_it_is_well_formed_openapi(description: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(description).validate()


def test_every_operation_has_a_name_for_a_method_a_tag_that_is_explained_and_a_sentence(
    description: dict[str, Any],
) -> None:
    operations = operations_of(description)
    names = [operation["operationId"] for operation in operations]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names), names
    assert {tag for operation in operations for tag in operation["tags"]} <= {tag["name"] for tag in TAGS}
    assert all(operation["description"].rstrip().endswith(".") for operation in operations)


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    references = re.findall(r"'#/components/(\w+)/([\w-]+)'", str(description))

    assert len(references) > 50
    for kind, name in references:
        assert name in description["components"][kind]


def test_every_answer_tells_the_request_id(description: dict[str, Any]) -> None:
    for operation in operations_of(description):
        assert all("X-Request-Id" in response["headers"] for response in operation["responses"].values())


def test_a_refusal_that_passes_says_so(description: dict[str, Any]) -> None:
    headers = description["paths"]["/predict"]["post"]["responses"]["503"]["headers"]

    assert set(headers) == {"Retry-After", "X-Request-Id"}


def test_no_parameter_may_be_null(description: dict[str, Any]) -> None:
    """A header or a query has a value or is not there; a client that is told otherwise sends the word."""
    schemas = [each["schema"] for operation in operations_of(description) for each in operation.get("parameters", ())]

    assert schemas
    assert {schema["type"] for schema in schemas} <= {"integer", "number", "string", "boolean"}


def test_every_kind_of_problem_has_an_example() -> None:
    examples = dict(problem_examples())

    assert set(examples) == {kind.slug for kind in KINDS.values()}
    for example in examples.values():
        assert Problem.model_validate(example["value"]).title == example["summary"]


@pytest.mark.parametrize("path", ["/predict", "/models/{name}/predict"])
def test_problems_of_an_upload_are_shown_by_their_status(description: dict[str, Any], path: str) -> None:
    responses = description["paths"][path]["post"]["responses"]

    shown = responses["415"]["content"]["application/problem+json"]["examples"]
    assert set(shown) == {"unsupported-content-type", "unknown-format"}
    for slug in shown:
        assert description["components"]["examples"][slug]["value"]["status"] == 415
