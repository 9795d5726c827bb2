"""The options that say where the features of a training lie: in memory, or in a file on disk."""

from typing import Final, Literal

from pydantic import ByteSize, Field

from shared.settings import FinialSettings

DISK: Final = "disk"
MEMORY: Final = "memory"


class MemorySettings(FinialSettings):
    """Where the features of the pictures lie while a head is fitted on them."""

    features_in: Literal["auto", "memory", "disk"] = Field(
        "auto",
        description="Where features lie for the fit; auto = memory, or a file in --cache-dir where they are too large.",
    )
    feature_memory: ByteSize | None = Field(
        None, description="Most that auto holds in memory, e.g. 2GiB; default: an eighth of what the process may use."
    )
