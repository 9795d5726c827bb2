"""The options that say on which device models are computed, and how many pictures at once."""

from typing import Annotated

from pydantic import Field

from service.batching import MicroBatching
from service.device import DevicePolicy
from shared.settings import FinialSettings


class DeviceSettings(FinialSettings):
    """Options of computing."""

    device: DevicePolicy | None = Field(
        None,
        description="require-gpu serves nothing without one, prefer-gpu then takes the CPU and says why; openvino "
        "computes on the CPU by OpenVINO; default: prefer-gpu with the CUDA build of ONNX Runtime, openvino with "
        "OpenVINO's, else cpu.",
    )
    micro_batching: MicroBatching = Field(
        "auto", description="Run waiting pictures of several requests together: on, off; auto = on a GPU."
    )
    max_batch: Annotated[int, Field(ge=1, le=1024)] = Field(16, description="Most pictures run together.")
