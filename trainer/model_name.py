"""Names of models, as options take them."""

import re

from shared.bundle import NAME_PATTERN


def valid_model_name(name: str) -> str:
    """A name that a bundle may have; ValueError, in words, for any other."""
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise ValueError(
            "expected small letters, digits, '.', '_' and '-', such as my-flowers, at most 63, without a folder before"
        )
    return name
