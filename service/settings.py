"""The service's options, each declared once: flag, FINIAL_* variable and TOML key at the same time."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ByteSize, Field

from shared.session import Provider
from shared.settings import FinialSettings


def _existing_folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError("no such folder; create it, or publish a model into it with `python -m trainer train DATA`")
    return path


Folder = Annotated[Path, AfterValidator(_existing_folder)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
UploadSize = Annotated[ByteSize, Field(ge=1024, le=4 * 1024**3)]
Pixels = Annotated[int, Field(ge=1, le=10**9)]
LaneCount = Annotated[int, Field(ge=1, le=1024)]
Megabytes = Annotated[int, Field(ge=0, le=1_000_000)]
Waiting = Annotated[int, Field(ge=0, le=1_000_000)]


class ServiceSettings(FinialSettings):
    """Serve every model of a folder over HTTP."""

    variables_in_help: ClassVar[bool] = True

    models_dir: Folder = Field(
        Path("models"), description="Folder that bundles are published to.", validate_default=True
    )
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: Port = Field(8000, description="Port to listen on; 0 picks a free one and says which.")
    default_model: str | None = Field(None, description="What /predict serves; default: the only model.")
    lanes: Literal["auto"] | LaneCount = Field(
        "auto", description="Cores for all models together, one a request, or all for one alone; auto = usable cores."
    )
    wide_lane_max_mb: Megabytes = Field(
        256, description="Largest model file, in MiB, that is held twice, to use all cores for a request alone."
    )
    max_waiting: Waiting = Field(64, description="Requests that may queue per model.")
    request_timeout_s: Seconds = Field(5.0, description="A request that has waited this long for a lane is refused.")
    upload_timeout_s: Seconds = Field(30.0, description="Longest time that a request's body may take to arrive.")
    max_upload: UploadSize = Field(ByteSize(10 * 1024**2), description="Largest request body, e.g. 10MiB.")
    max_pixels: Pixels = Field(50_000_000, description="Largest picture, width times height.")
    provider: Provider = Field("auto", description="Where ONNX Runtime computes: auto, cpu, cuda.")
    poll_interval_s: Seconds = Field(1.0, description="How often models are looked at for new versions.")
    drain_delay_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        0.0, description="Keep serving this long after SIGTERM, not ready, until balancers have noticed."
    )
    grace_s: Seconds = Field(20.0, description="Longest wait for requests in flight at shutdown.")
