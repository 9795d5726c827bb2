"""What the value of an option may be: numbers with their bounds, and words that are checked."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from trainer.groups import valid_grouping
from trainer.model_name import valid_model_name

ModelName = Annotated[str, AfterValidator(valid_model_name)]
GroupBy = Annotated[str, AfterValidator(valid_grouping)]
Threads = Annotated[int, Field(ge=0, le=1024)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Folds = Annotated[int, Field(ge=0, le=1000)]
PicturesPerClass = Annotated[int, Field(ge=1, le=100_000)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Minutes = Annotated[float, Field(ge=0, le=1e6)]
Share = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]


def _valid_age(age: str) -> str:
    if not re.fullmatch(r"[0-9]{1,6}[hd]", age):
        raise ValueError("expected hours or days, such as 12h or 30d")
    return age


Age = Annotated[str, AfterValidator(_valid_age)]


def _without_unit(value: Any) -> Any:
    """A latency such as 20ms or 0.02s, in milliseconds."""
    found = re.fullmatch(r"([0-9.]+)(ms|s)", value) if isinstance(value, str) else None
    return float(found[1]) * (1 if found[2] == "ms" else 1000) if found else value


Milliseconds = Annotated[float, Field(gt=0), BeforeValidator(_without_unit)]


def _valid_entry(name: str) -> str:
    if not re.fullmatch(r"[0-9a-f-]{4,130}", name):
        raise ValueError("expected the first 4 characters or more of an entry's name, as `cache list` tells it")
    return name


EntryName = Annotated[str, AfterValidator(_valid_entry)]

_SECONDS = {"h": 3600.0, "d": 86400.0}


def seconds_of(age: str) -> float:
    """Of an `Age`, such as 12h or 30d."""
    return float(age[:-1]) * _SECONDS[age[-1]]
