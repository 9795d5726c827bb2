"""The options that say where models come from, which of them are served, and in which version."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from service.connection_settings import Seconds
from service.option_lists import as_words
from shared.addresses import is_address, local_path, names_a_machine
from shared.bundle import NAME_PATTERN, VERSION_PATTERN
from shared.errors import AddressError
from shared.settings import FinialSettings

POLL_FOLDER_S, POLL_ADDRESS_S = 1.0, 10.0


def _as_place(value: Any) -> Any:
    """A path, or an address as it was written: a Path would make one slash of its two."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        return value
    if names_a_machine(text):
        raise ValueError("it names a machine; expected file:/// and a path from the root")
    path = local_path(text)
    return text if path is None else path


def _usable_place(place: Path | str) -> Path | str:
    if isinstance(place, str):
        return _usable_address(place)
    if not place.is_dir():
        raise ValueError("no such folder; create it, or publish a model into it with `python -m trainer train DATA`")
    return place


def _usable_address(address: str) -> str:
    from shared.remote import open_place

    try:
        open_place(address, patience_s=1.0)
    except AddressError as error:
        raise ValueError(str(error).rstrip(".")) from error
    return address


def _model_name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(f"{name!r} is no model name; use small letters, digits, '.', '_' and '-'")
    return name


def _version_of(text: str) -> str:
    name, equals, version = text.partition("=")
    if not equals or not re.fullmatch(VERSION_PATTERN, version):
        raise ValueError(f"{text!r} is no NAME=VERSION; a version looks like 20260102T030405678Z-0a1b2c3d")
    _model_name(name)
    return text


Place = Annotated[Path | str, BeforeValidator(_as_place), AfterValidator(_usable_place)]
ModelName = Annotated[str, AfterValidator(_model_name)]
Names = Annotated[tuple[ModelName, ...], NoDecode, BeforeValidator(as_words)]
Versions = Annotated[tuple[Annotated[str, AfterValidator(_version_of)], ...], NoDecode, BeforeValidator(as_words)]
Kept = Annotated[int, Field(ge=2, le=1000)]


class StoreSettings(FinialSettings):
    """Where models come from."""

    models_dir: Place = Field(
        Path("models"),
        description="Folder that bundles are published to, or its address: s3://bucket/models, https://host/models.",
        validate_default=True,
    )
    models: Names = Field(
        (), description="Serve only these, a,b; an https:// address lists nothing, so they must be named."
    )
    pin: Versions = Field((), description="NAME=VERSION: serve this version whatever `current` says; may be repeated.")
    also: Versions = Field(
        (), description="NAME=VERSION: serve this version too, under NAME@VERSION, to compare; may be repeated."
    )
    poll_interval_s: Literal["auto"] | Seconds = Field(
        "auto", description="How often models are looked at for new versions; auto = 1, or 10 at an address."
    )
    store_timeout_s: Seconds = Field(10.0, description="How long an address may take to answer.")
    cache_dir: Path = Field(Path("cache"), description="Models from an address are kept here.")
    keep_cached: Kept = Field(3, description="How many versions of a model from an address are kept.")

    @property
    def is_remote(self) -> bool:
        """Whether models come from an address."""
        return isinstance(self.models_dir, str)

    @property
    def poll_every_s(self) -> float:
        """Seconds between two looks."""
        if self.poll_interval_s == "auto":
            return POLL_ADDRESS_S if self.is_remote else POLL_FOLDER_S
        return self.poll_interval_s

    @property
    def pins(self) -> Mapping[str, str]:
        """Version by model."""
        return {name: version for name, _, version in (text.partition("=") for text in self.pin)}

    @property
    def beside(self) -> Mapping[str, tuple[str, str]]:
        """Model and version by the name that a version beside the current one is served under."""
        found = ((name, version) for name, _, version in (text.partition("=") for text in self.also))
        return {f"{name}@{version}": (name, version) for name, version in found}

    @property
    def only(self) -> frozenset[str]:
        """Models to serve and no others; empty for all that are listed. Where nothing can be, those that are pinned."""
        if isinstance(self.models_dir, str) and _lists_nothing(self.models_dir):
            return frozenset(self.models) | self.pins.keys()
        return frozenset(self.models)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.pins) < len(self.pin):
            raise ValueError(f"--pin names a model twice: {', '.join(self.pin)}. Pin each to one version")
        if len(self.beside) < len(self.also):
            raise ValueError(f"--also names a version twice: {', '.join(self.also)}. Name each once")
        if isinstance(self.models_dir, str):
            if _lists_nothing(self.models_dir) and not self.models and not self.pin:
                raise ValueError("a web server does not list its models; name those to serve: --models a,b")
            _require_writable(self.cache_dir)
        return self


def _lists_nothing(address: str) -> bool:
    from shared.remote import is_http

    return is_address(address) and is_http(address)


def _require_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        raise ValueError(
            f"--cache-dir {folder} cannot be written to; models from an address are kept there. Name another"
        )
