"""The service's options, each declared once: flag, FINIAL_* variable and TOML key at the same time."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from service.access_settings import AccessSettings
from service.connection_settings import ConnectionSettings, Seconds
from service.device_settings import DeviceSettings
from service.store_settings import ModelName, StoreSettings

Port = Annotated[int, Field(ge=0, le=65535)]
Pixels = Annotated[int, Field(ge=1, le=10**9)]
LaneCount = Annotated[int, Field(ge=1, le=1024)]
Megabytes = Annotated[int, Field(ge=0, le=1_000_000)]
Waiting = Annotated[int, Field(ge=0, le=1_000_000)]


def _valid_endpoint(address: str) -> str:
    if not re.fullmatch(r"https?://\S+", address):
        raise ValueError("expected an address such as http://localhost:4318")
    return address


class ServiceSettings(ConnectionSettings, StoreSettings, DeviceSettings, AccessSettings):
    """Serve every model of a folder over HTTP."""

    replaced_options: ClassVar[Mapping[str, str]] = {"--provider": "--device (require-gpu, prefer-gpu or cpu)"}
    variables_in_help: ClassVar[bool] = True

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: Port = Field(8000, description="Port to listen on; 0 picks a free one and says which.")
    default_model: ModelName | None = Field(None, description="What /predict serves; default: the only model.")
    lanes: Literal["auto"] | LaneCount = Field(
        "auto", description="Cores for all models together: one a request, all for one alone; auto = usable cores."
    )
    wide_lane_max_mb: Megabytes = Field(
        256, description="Largest model file, in MiB, that is held twice, for runs on many cores."
    )
    max_waiting: Waiting = Field(64, description="Requests that may queue per model.")
    request_timeout_s: Seconds = Field(
        5.0, description="A request that is not run this long after its body arrived is dropped."
    )
    max_pixels: Pixels = Field(50_000_000, description="Largest picture, width times height.")
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="Processes that serve; each has a share of the cores, and the models in memory of its own."
    )
    otlp_endpoint: Annotated[str, AfterValidator(_valid_endpoint)] | None = Field(
        None, description="Send a span of each request to this OpenTelemetry collector, e.g. http://localhost:4318."
    )
    access_log: bool = Field(
        True, description="Log no line for each request; else there is one, of probes and scrapes only when they fail."
    )
    drain_delay_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        0.0, description="Keep serving this long after SIGTERM, not ready, until balancers have noticed."
    )
    grace_s: Seconds = Field(20.0, description="Longest wait for requests in flight at shutdown.")
