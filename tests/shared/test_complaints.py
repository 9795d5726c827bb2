"""What is wrong with a value is told by what was expected, in words of ours."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ByteSize, Field, TypeAdapter, ValidationError

from shared.complaints import expectation


def never(value: str) -> str:
    raise ValueError("expected another one")


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        (int, "abc", "expected a whole number"),
        (int, "1.5", "expected a whole number"),
        (int, 1.5, "expected a whole number"),
        (int, None, "expected a whole number"),
        (int, "9" * 5_000, "expected a number of fewer digits"),
        (int, "-" + "9" * 5_000, "expected a number of fewer digits"),
        (ByteSize, "ten", "expected a size such as 10MiB"),
        (ByteSize, "9EiX", "expected a size such as 10MiB"),
        (Path, 3, "expected a path"),
        (tuple[int, int], 3, "expected a list"),
        (list[int], 3, "expected a list"),
        (Annotated[list[int], Field(min_length=1)], [], "expected a list of at least 1"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "expected a list of at most 1"),
        (set[int], 3, "expected a valid set"),
        (float, "abc", "expected a number"),
        (float, [], "expected a number"),
        (Annotated[float, Field(allow_inf_nan=False)], "nan", "expected a finite number"),
        (bool, "perhaps", "expected true or false"),
        (bool, [], "expected true or false"),
        (str, 1, "expected a text"),
        (Annotated[float, Field(le=1)], "70", "expected at most 1"),
        (Annotated[int, Field(le=1)], "70", "expected at most 1"),
        (Annotated[float, Field(le=0.5)], "70", "expected at most 0.5"),
        (Annotated[int, Field(le=2**32 - 1)], "9" * 12, "expected at most 4,294,967,295"),
        (Annotated[int, Field(lt=1)], "70", "expected less than 1"),
        (Annotated[int, Field(ge=1)], "0", "expected at least 1"),
        (Annotated[int, Field(gt=1)], "0", "expected more than 1"),
        (Literal["crop", "pad"], "zoom", "expected 'crop' or 'pad'"),
        (Annotated[str, AfterValidator(never)], "this", "expected another one"),
        (Annotated[str, Field(pattern="^a$")], "b", "expected a text that matches ^a$"),
    ],
)
def test_what_was_expected_is_told(wanted: Any, found: object, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(wanted).validate_python(found)

    assert [expectation(detail) for detail in caught.value.errors()] == [told]


def test_what_is_not_there_is_said() -> None:
    class Entry(BaseModel):
        sha256: str

    with pytest.raises(ValidationError) as caught:
        Entry.model_validate({})

    assert [expectation(detail) for detail in caught.value.errors()] == ["expected a value, there is none"]
