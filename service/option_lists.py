"""Options that take several words: `a,b`, or given several times, or a list or a table of the TOML file."""

from collections.abc import Mapping
from typing import Any


def as_words(value: Any) -> Any:
    """The words of what was given; what is none of these is left for pydantic to complain of."""
    words = [value] if isinstance(value, str) else value
    if isinstance(words, Mapping):  # a table of the TOML file
        words = [f"{name}={version}" for name, version in words.items()]
    if not isinstance(words, list | tuple):
        return value
    return tuple(word.strip() for given in words for word in str(given).split(",") if word.strip())
