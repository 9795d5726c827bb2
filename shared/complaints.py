"""What pydantic finds wrong with a value, as "expected ...": its own words are those of programmers."""

from collections.abc import Mapping
from typing import Any

_EXPECTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text",
    "literal_error": "{expected}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "int_parsing_size": "a number of fewer digits",
    "byte_size": "a size such as 10MiB",
    "byte_size_unit": "a size such as 10MiB",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "string_pattern_mismatch": "a text that matches {pattern}",
    "missing": "a value, there is none",
}
_OWN, _OF_PYDANTIC = "Value error, ", "Input should be "


def expectation(detail: Mapping[str, Any]) -> str:
    """One of a validation's errors as a sentence part: "expected at most 1"; a check of ours has its own words.

    Args:
        detail: one of `ValidationError.errors()`.
    """
    if (wanted := _EXPECTED.get(detail["type"])) is not None:
        bounds = {name: _shown(bound) for name, bound in detail.get("ctx", {}).items()}
        return f"expected {wanted.format(**bounds)}"
    said = str(detail["msg"])
    if said.startswith(_OF_PYDANTIC):
        return f"expected {said.removeprefix(_OF_PYDANTIC)}"
    return said.removeprefix(_OWN)


def _shown(bound: object) -> str:
    """A bound of 1.0 is 1, and a large one has its thousands apart."""
    if isinstance(bound, float) and bound.is_integer():
        bound = int(bound)
    return f"{bound:,}" if isinstance(bound, int | float) else str(bound)
