"""The options that say who may ask: keys, and pages of other origins."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from service.cors import ANY
from service.option_lists import as_words
from shared.settings import FinialSettings

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
MAX_PORT = 65535
_LEFT_OUT = {"http": ":80", "https": ":443"}


def _origin(text: str) -> str:
    """An origin as browsers write it, or `*`: it is compared letter by letter."""
    if text == ANY:
        return text
    if not _ORIGIN.fullmatch(text):
        raise ValueError(
            f"{text[:200]!r} is no origin; expected scheme, host and perhaps port as browsers write them, in small "
            "letters and without a path or a slash at the end: https://a.example, http://localhost:5173; or *"
        )
    port = re.search(r":([0-9]+)$", text)
    if port and int(port[1]) > MAX_PORT:
        raise ValueError(f"{text!r}: there is no port above {MAX_PORT}")
    usual = _LEFT_OUT.get(text.partition("://")[0], "")
    if usual and text.endswith(usual):
        raise ValueError(f"{text!r}: browsers leave {usual} out; write {text.removesuffix(usual)}")
    return text


Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(as_words)]


class KeyFileSettings(FinialSettings):
    """Where keys are kept."""

    api_keys: Path | None = Field(
        None, description="File of API keys, made by `python -m service.keys new`; without, nobody needs one."
    )


class AccessSettings(KeyFileSettings):
    """Who may ask."""

    allow_origin: Origins = Field(
        (), description="Web pages of this origin (https://a.example) may read answers; * for all; may be repeated."
    )

    @model_validator(mode="after")
    def _all_or_some(self) -> Self:
        if ANY in self.allow_origin and len(self.allow_origin) > 1:
            raise ValueError(
                f"--allow-origin {','.join(self.allow_origin)}: * means all; name it alone, or leave it out"
            )
        return self
