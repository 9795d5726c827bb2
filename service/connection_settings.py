"""The options that bound connections: their number, their time, their heads and their bodies."""

from typing import Annotated

from pydantic import ByteSize, Field

from shared.settings import FinialSettings

Seconds = Annotated[float, Field(gt=0, le=3600)]
UploadSize = Annotated[ByteSize, Field(ge=1024, le=4 * 1024**3)]


class ConnectionSettings(FinialSettings):
    """Bounds on what clients may take of the service before it has begun to work for them."""

    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        1000, description="Connections at once; above it health is answered and the rest refused."
    )
    max_headers: Annotated[ByteSize, Field(ge=1024, le=1024**2)] = Field(
        ByteSize(32 * 1024), description="Largest request line and headers together, e.g. 32KiB."
    )
    headers_timeout_s: Seconds = Field(10.0, description="Longest time for the headers of a request to arrive.")
    keep_alive_s: Seconds = Field(75.0, description="A connection without a request for this long is closed.")
    max_upload: UploadSize = Field(ByteSize(10 * 1024**2), description="Largest request body, e.g. 10MiB.")
    max_uploads: UploadSize = Field(
        ByteSize(256 * 1024**2), description="All request bodies that are held at once; at least --max-upload."
    )
    upload_idle_s: Seconds = Field(10.0, description="Longest pause while a request's body arrives.")
    upload_timeout_s: Seconds = Field(30.0, description="Longest time that a request's body may take to arrive.")
    send_timeout_s: Seconds = Field(30.0, description="Longest time that a client may take none of its answer.")
