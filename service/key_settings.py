"""The options of `python -m service.keys`: each verb's, declared once."""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from service.access_settings import KeyFileSettings
from service.key_file import KeyName, PerMinute


def _not_over(day: date) -> date:
    today = datetime.now(UTC).date()
    if day < today:
        raise ValueError(f"{day} is over (it is {today}, UTC), so the key would be valid for nobody; name a later day")
    return day


class KeysListSettings(KeyFileSettings):
    """List the keys of a file: names, rights, limits; the keys themselves are nowhere."""


class KeysNewSettings(KeyFileSettings):
    """Make a key, print it once, and add its hash to the file."""

    name: KeyName | None = Field(None, description="What logs call it: letters, digits, - and _.")
    admin: bool = Field(False, description="It may also reload, pin and roll back models.")
    per_minute: PerMinute | None = Field(None, description="Most requests a minute; without, as many as it likes.")
    expires: Annotated[date, AfterValidator(_not_over)] | None = Field(
        None, description="Last day, UTC, on which it is valid: 2027-01-31."
    )


class KeysRemoveSettings(KeyFileSettings):
    """Take a key out of the file; services notice within a second."""

    name: KeyName | None = Field(None, description="Which one.")
