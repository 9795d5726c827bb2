"""What was asked for is what computes, or it is said what does instead, and why."""

import logging
import threading

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from service.device import TRIAL_MODEL, Device, DevicePolicy, DeviceSearch, find_device, policy_of
from shared.errors import ProviderUnavailable
from shared.openvino import OPENVINO
from shared.session import CPU, CUDA, open_session
from tests.shared.fake_runtime import FakeRuntime

NO_GPU = {
    "provider-missing": FakeRuntime(gpu_build=False),
    "library-not-loadable": FakeRuntime(gpu_works=False),
    "no-device": FakeRuntime(gpu_raises="CUDA failure 100: no CUDA-capable device is detected", gpu_works=False),
    "device-failed": FakeRuntime(run_raises="CUDA failure 209: no kernel image is available for execution"),
}
"""Machines on which CUDA does not compute; on the last one everything opens, and the first run fails."""


@pytest.mark.parametrize("policy", ["require-gpu", "prefer-gpu"])
def test_a_gpu_that_works_is_taken(policy: DevicePolicy) -> None:
    found = find_device(policy, runtime=FakeRuntime())

    assert (found.provider, found.failure) == (CUDA, None)
    found.require()


@pytest.mark.parametrize("reason", NO_GPU)
def test_where_a_gpu_is_required_and_none_works_nothing_computes(reason: str) -> None:
    """Never silently on the CPU, a hundred times slower."""
    found = find_device("require-gpu", runtime=NO_GPU[reason])

    assert found.provider is None
    assert found.failure is not None
    assert found.failure.reason == reason
    with pytest.raises(ProviderUnavailable, match=reason):
        found.require()


@pytest.mark.parametrize("reason", NO_GPU)
def test_where_a_gpu_is_preferred_and_none_works_the_cpu_computes_and_that_is_said(
    reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        found = find_device("prefer-gpu", runtime=NO_GPU[reason])

    assert (found.provider, found.wanted_of_sessions) == (CPU, "cpu")
    found.require()
    (record,) = caplog.records
    assert record.getMessage() == "no GPU, computing on the CPU"
    assert (vars(record)["reason"], vars(record)["policy"]) == (reason, "prefer-gpu")


def test_openvino_is_tried_and_then_asked_of_every_session() -> None:
    found = find_device("openvino", runtime=FakeRuntime(gpu_build=False, openvino=True, shape=(1, 1, 1, 1)))

    assert (found.provider, found.failure, found.wanted_of_sessions) == (OPENVINO, None, "openvino")


@pytest.mark.parametrize(
    ("runtime", "reason"),
    [
        (FakeRuntime(), "provider-missing"),
        (FakeRuntime(openvino=True, openvino_raises="no plugin", shape=(1, 1, 1, 1)), "device-failed"),
        (FakeRuntime(openvino=True, run_raises="illegal instruction", shape=(1, 1, 1, 1)), "device-failed"),
    ],
)
def test_without_openvino_nothing_else_answers_in_its_place(
    runtime: FakeRuntime, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        found = find_device("openvino", runtime=runtime)

    assert (found.provider, found.failure and found.failure.reason) == (None, reason)
    assert caplog.messages == ["no OpenVINO, serving nothing"]
    with pytest.raises(ProviderUnavailable, match=reason):
        found.require()


@pytest.mark.parametrize("fails", ["openvino_raises", "run_raises"])
def test_who_has_openvino_that_fails_is_not_told_to_install_it(fails: str) -> None:
    runtime = FakeRuntime(openvino=True, shape=(1, 1, 1, 1), **{fails: "illegal instruction"})  # type: ignore[arg-type]
    failure, missing = (
        find_device("openvino", runtime=runtime).failure,
        find_device("openvino", runtime=FakeRuntime()).failure,
    )

    assert f"the session obtained {OPENVINO}: device-failed" in str(failure)
    assert "illegal instruction" in str(failure)
    assert ("Install" in str(failure), "Install onnxruntime-openvino" in str(missing)) == (False, True)


def test_whoever_wants_the_cpu_is_not_told_of_gpus(caplog: pytest.LogCaptureFixture) -> None:
    runtime = FakeRuntime()

    assert find_device("cpu", runtime=runtime) == Device("cpu", CPU)
    assert (runtime.opened, caplog.records) == ([], [])


def test_sessions_insist_on_the_gpu_where_it_is_required() -> None:
    assert Device("require-gpu", CUDA).wanted_of_sessions == "cuda"
    assert Device("prefer-gpu", CUDA).wanted_of_sessions == "auto"
    assert Device("cpu", CPU).wanted_of_sessions == "cpu"


def test_without_a_word_the_installed_build_says_what_is_wanted() -> None:
    assert policy_of(None) == "cpu"  # these tests run with the build for CPUs
    assert policy_of("prefer-gpu") == "prefer-gpu"


def test_the_search_does_not_keep_health_checks_waiting() -> None:
    """CUDA takes seconds to start."""
    go = threading.Event()

    def find(policy: DevicePolicy) -> Device:
        go.wait(20)
        return Device(policy, CPU)

    search = DeviceSearch("prefer-gpu", find=find)
    assert search.found is None
    go.set()
    assert search.wait() == search.found == Device("prefer-gpu", CPU)


def test_whoever_waits_for_a_gpu_that_is_not_there_is_refused() -> None:
    search = DeviceSearch("require-gpu", find=lambda policy: find_device(policy, runtime=FakeRuntime(gpu_build=False)))

    with pytest.raises(ProviderUnavailable):
        search.wait()


def test_a_search_that_fails_leaves_nobody_waiting() -> None:
    def fail(_policy: DevicePolicy) -> Device:
        raise OSError("broken installation")

    with pytest.raises(RuntimeError, match="looking for a GPU failed"):
        DeviceSearch("require-gpu", find=fail).wait()


def test_the_trial_is_a_convolution() -> None:
    """It is kept as bytes, because the service has no package that writes ONNX; this is how they were made."""
    weight = numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "w")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 1, 1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    assert model.SerializeToString() == TRIAL_MODEL
    assert open_session(TRIAL_MODEL, provider="cpu").run(np.full((1, 1, 1, 1), 3, np.float32), ["y"]) == [[[[[3.0]]]]]  # type: ignore[arg-type, comparison-overlap]
