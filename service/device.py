"""Which device computes: what was asked for, what this machine gave, and why, if the two differ."""

import base64
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared.errors import ModelRefused, ProviderUnavailable, RunFailed
from shared.openvino import OPENVINO
from shared.session import CPU, CUDA, AnyProvider, Runtime, open_session, require_one_runtime

logger = logging.getLogger(__name__)

DevicePolicy = Literal["require-gpu", "prefer-gpu", "cpu", "openvino"]
_WISH_OF_BUILD: Mapping[str, DevicePolicy] = {"onnxruntime-gpu": "prefer-gpu", "onnxruntime-openvino": "openvino"}

# A convolution of one value by 1, so that the device, its driver, cuDNN and a kernel must all work.
TRIAL_MODEL = base64.b64decode(
    "CAg6YwoPCgF4CgF3EgF5IgRDb252EgFnKhMIAQgBCAEIARABQgF3SgQAAIA/WhsKAXgSFgoUCAESEAoCCAEKAggBCgIIAQoCCAFi"
    "GwoBeRIWChQIARIQCgIIAQoCCAEKAggBCgIIAUIECgAQEQ=="
)


@dataclass(frozen=True)
class Device:
    """What was found.

    Attributes:
        policy: what was asked for.
        provider: the execution provider to compute with; None when what was required is not there.
        failure: why there is no GPU, or no OpenVINO; None when there is, or none was wanted.
    """

    policy: DevicePolicy
    provider: str | None
    failure: ProviderUnavailable | None = None

    @property
    def wanted_of_sessions(self) -> AnyProvider:
        """What to ask of `open_session`: one that fails on a GPU that works may use the CPU where that is allowed."""
        if self.policy == "require-gpu":
            return "cuda"
        if self.policy == "openvino":
            return "openvino"
        return "auto" if self.provider == CUDA else "cpu"

    def require(self) -> None:
        """Refuse to compute at all where a GPU, or OpenVINO, is required and not there.

        Raises:
            ProviderUnavailable: with the reason.
        """
        if self.provider is None and self.failure is not None:
            raise self.failure


def policy_of(setting: DevicePolicy | None) -> DevicePolicy:
    """What is asked for; who installs another build of ONNX Runtime than the CPU's, and says nothing, would use it.

    Raises:
        RuntimeConflict: not exactly one build of ONNX Runtime is installed.
    """
    return setting or _WISH_OF_BUILD.get(require_one_runtime(), "cpu")


def find_device(policy: DevicePolicy, *, runtime: Runtime | None = None) -> Device:
    """Try the GPU, or OpenVINO, if it is wanted, by computing something small on it.

    Args:
        policy: what is asked for.
        runtime: stands in for the module `onnxruntime` in tests.
    """
    if policy == "cpu":
        return Device(policy, CPU)
    if policy == "openvino":
        return _find_openvino(runtime)
    failure = _try_gpu(runtime)
    if failure is None:
        logger.info("GPU found", extra={"policy": policy, "provider": CUDA})
        return Device(policy, CUDA)
    without = "computing on the CPU" if policy == "prefer-gpu" else "serving nothing"
    logger.error(f"no GPU, {without}", extra={"policy": policy, "reason": failure.reason, "error": str(failure)})
    return Device(policy, CPU if policy == "prefer-gpu" else None, failure)


class DeviceSearch:
    """Looks for the device on a thread of its own: CUDA takes seconds to start, and health checks do not wait for it.

    Args:
        policy: what is asked for.
        find: finds the device.
    """

    def __init__(self, policy: DevicePolicy, *, find: Callable[[DevicePolicy], Device] = find_device) -> None:
        self._policy, self._find = policy, find
        self._found: Device | None = None
        self._over = threading.Event()
        threading.Thread(target=self._look, name="device", daemon=True).start()

    @property
    def found(self) -> Device | None:
        """The device; None while it is looked for."""
        return self._found

    def wait(self) -> Device:
        """The device, as soon as it is known.

        Raises:
            ProviderUnavailable: a GPU is required and there is none.
        """
        self._over.wait()
        if self._found is None:
            raise RuntimeError("looking for a GPU failed; the log says how")
        self._found.require()
        return self._found

    def _look(self) -> None:
        try:
            self._found = self._find(self._policy)
        except Exception:  # nothing may be left waiting
            logger.exception("looking for a GPU failed")
        finally:
            self._over.set()


def _find_openvino(runtime: Runtime | None) -> Device:
    """OpenVINO, or nothing: who asked for it is not to be answered by something else."""
    failure = None
    try:
        session = open_session(TRIAL_MODEL, provider="openvino", runtime=runtime)
        session.run(np.ones((1, 1, 1, 1), np.float32), session.output_names)
    except ProviderUnavailable as error:
        failure = error
    except (ModelRefused, RunFailed) as error:
        failure = ProviderUnavailable(wanted=OPENVINO, obtained=[OPENVINO], reason="device-failed", detail=str(error))
    if failure is None:
        logger.info("OpenVINO found", extra={"policy": "openvino", "provider": OPENVINO})
        return Device("openvino", OPENVINO)
    extra = {"policy": "openvino", "reason": failure.reason, "error": str(failure)}
    logger.error("no OpenVINO, serving nothing", extra=extra)
    return Device("openvino", None, failure)


def _try_gpu(runtime: Runtime | None) -> ProviderUnavailable | None:
    session = open_session(TRIAL_MODEL, provider="auto", runtime=runtime)
    if session.without_gpu is not None:
        return session.without_gpu
    try:
        session.run(np.ones((1, 1, 1, 1), np.float32), session.output_names)
    except RunFailed as error:
        return ProviderUnavailable(wanted=CUDA, obtained=[CUDA], reason="device-failed", detail=str(error))
    return None
