"""Session: says what it really obtained, refuses with a reason, and may be shared by threads."""

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from shared.errors import ModelRefused, ProviderUnavailable, RunFailed, RuntimeConflict
from shared.openvino import OPENVINO
from shared.session import CPU, CUDA, open_session, require_one_runtime
from tests.shared.fake_runtime import FakeRuntime
from tests.shared.models import HEIGHT, LABEL_COUNT, WIDTH, classifier, expected_probabilities, some_images


def test_a_model_is_opened_and_computes_what_it_should() -> None:
    session = open_session(classifier())
    images = some_images(3)

    probabilities, logits = session.run(images, ["probabilities", "logits"])

    assert np.allclose(probabilities, expected_probabilities(images), atol=1e-6)
    assert (probabilities.dtype, logits.shape) == (np.float32, (3, LABEL_COUNT))


def test_a_session_tells_names_shapes_metadata_and_the_provider_it_obtained() -> None:
    session = open_session(classifier(metadata={"labels": '["a", "b"]'}), provider="auto", threads=2)

    assert (session.provider, session.threads, session.input_name) == (CPU, 2, "images")
    assert session.output_names == ("probabilities", "logits", "features")
    assert session.metadata == {"labels": '["a", "b"]'}
    assert session.shape_of("images") == (None, HEIGHT, WIDTH, 3)
    assert session.shape_of("probabilities") == (None, LABEL_COUNT)
    with pytest.raises(KeyError):
        session.shape_of("novelty")


def test_a_file_is_opened_as_its_content_is(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(classifier())

    assert open_session(path).output_names == open_session(classifier()).output_names


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_session(tmp_path / "model.onnx")


def test_threads_share_one_session_and_get_their_own_answers() -> None:
    session = open_session(classifier())
    batches = [some_images(1, seed) for seed in range(200)]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda batch: session.run(batch, ["probabilities"])[0], batches))

    for batch, answer in zip(batches, answers, strict=True):
        assert np.allclose(answer, expected_probabilities(batch), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "outputs"),
    [
        ((1, HEIGHT + 1, WIDTH, 3), ["probabilities"]),
        ((HEIGHT, WIDTH, 3), ["probabilities"]),
        ((1, HEIGHT, WIDTH, 3), ["no"]),
    ],
)
def test_a_batch_that_does_not_fit_is_a_run_failed(shape: tuple[int, ...], outputs: Sequence[str]) -> None:
    with pytest.raises(RunFailed, match=r"cannot compute a batch of shape \("):
        open_session(classifier()).run(np.zeros(shape, np.uint8), outputs)


def test_a_model_that_uses_foreign_operators_is_refused_before_it_is_opened() -> None:
    with pytest.raises(ModelRefused, match="standard ONNX operators only"):
        open_session(classifier(head_domain="com.microsoft"))


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x12\x00\x00\x00ORTM" + bytes(64)])
def test_what_is_no_onnx_model_is_refused(content: bytes) -> None:
    with pytest.raises(ModelRefused):
        open_session(content)


def test_a_model_that_onnx_runtime_cannot_open_is_refused_with_its_words() -> None:
    node = helper.make_node("NoSuchOperator", ["x"], ["y"])
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([node], "g", [value], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    with pytest.raises(ModelRefused, match=r"ONNX Runtime does not open this model: .*NoSuchOperator"):
        open_session(model.SerializeToString())


def test_a_model_with_another_count_of_inputs_is_refused() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("a", "b", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["y"])], "g", values[:2], values[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    with pytest.raises(ModelRefused, match="2 inputs, expected 1"):
        open_session(model.SerializeToString())


def test_less_than_one_thread_is_refused() -> None:
    """0 would mean all cores to ONNX Runtime."""
    with pytest.raises(ValueError, match="threads = 0"):
        open_session(classifier(), threads=0)


def test_a_gpu_that_is_asked_for_and_not_there_is_an_error() -> None:
    with pytest.raises(ProviderUnavailable, match=f"{CUDA} was asked for"):
        open_session(classifier(), provider="cuda", runtime=FakeRuntime(gpu_build=False))


# --- machines with a GPU ---


def test_auto_takes_the_gpu_when_it_works() -> None:
    session = open_session(classifier(), runtime=FakeRuntime())

    assert (session.provider, session.without_gpu) == (CUDA, None)


def test_a_gpu_computes_what_the_head_was_fitted_on() -> None:
    """TF32 keeps 10 bits of a number's 23; and timing every algorithm for each size of batch would stall requests."""
    runtime = FakeRuntime()

    open_session(classifier(), runtime=runtime)

    assert runtime.cuda_options == {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}


NO_GPU: dict[str, FakeRuntime] = {
    "provider-missing": FakeRuntime(gpu_build=False),
    "library-not-loadable": FakeRuntime(gpu_works=False),
    "no-device": FakeRuntime(gpu_raises="CUDA failure 100: no CUDA-capable device is detected", gpu_works=False),
    "device-failed": FakeRuntime(gpu_raises="CUDA failure 2: out of memory", gpu_works=False),
}


@pytest.mark.parametrize("reason", NO_GPU)
def test_a_gpu_that_does_not_work_is_said_with_its_reason(reason: str) -> None:
    """Never silently on the CPU: `auto` reports it, `cuda` refuses."""
    session = open_session(classifier(), runtime=NO_GPU[reason])

    assert (session.provider, session.without_gpu and session.without_gpu.reason) == (CPU, reason)
    with pytest.raises(ProviderUnavailable, match=f"{CUDA} was asked for, the session obtained .*{CPU}: {reason}"):
        open_session(classifier(), provider="cuda", runtime=NO_GPU[reason])


def test_whoever_asks_for_the_cpu_misses_no_gpu() -> None:
    assert open_session(classifier(), provider="cpu", runtime=FakeRuntime(gpu_works=False)).without_gpu is None


def test_a_library_that_cannot_be_loaded_is_named_with_what_the_loader_says(tmp_path: Path) -> None:
    """ONNX Runtime prints it on stderr, in colours, and goes on; an operator needs it where the reason is asked for."""
    library = tmp_path / "capi" / "libonnxruntime_providers_cuda.so"
    library.parent.mkdir()
    library.write_bytes(b"no library")

    found = open_session(classifier(), runtime=FakeRuntime(gpu_works=False, package=tmp_path)).without_gpu

    assert f"library-not-loadable ({library}: file too short)" in str(found)
    assert "Install the CUDA and cuDNN libraries" in str(found)


def test_what_onnx_runtime_prints_about_gpus_does_not_reach_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    """Results go to stdout, for programs to read."""
    open_session(classifier(), runtime=FakeRuntime())

    assert capfd.readouterr() == ("", "Failed to load libcudnn.so\n")


def test_the_cpu_is_not_bothered_with_gpus() -> None:
    runtime = FakeRuntime(gpu_raises="CUDA failure 2: out of memory")

    assert open_session(classifier(), provider="cpu", runtime=runtime).provider == CPU
    assert len(runtime.opened) == 1


def test_threads_and_spinning_are_what_was_asked_for() -> None:
    runtime = FakeRuntime(gpu_build=False)

    open_session(classifier(), threads=3, spinning=True, runtime=runtime)
    open_session(classifier(), runtime=runtime)

    wide, narrow = runtime.opened
    assert (wide.intra_op_num_threads, narrow.intra_op_num_threads) == (3, 1)  # type: ignore[attr-defined]
    assert [options.entries["session.intra_op.allow_spinning"] for options in (wide, narrow)] == ["1", "0"]
    assert not any("session.force_spinning_stop" in options.entries for options in (wide, narrow))  # type: ignore[attr-defined]


def test_threads_that_spin_briefly_do_so_within_a_run_only() -> None:
    """Between runs, cores are for decoding, for other runs and for the neighbours."""
    runtime = FakeRuntime(gpu_build=False)

    open_session(classifier(), threads=2, spinning="briefly", runtime=runtime)

    entries = runtime.opened[0].entries  # type: ignore[attr-defined]
    assert entries["session.intra_op.allow_spinning"] == "1"
    assert entries["session.force_spinning_stop"] == "1"
    assert 0 < int(entries["session.intra_op.spin_duration_us"]) <= 1000


def test_only_the_format_that_was_looked_into_is_opened() -> None:
    """ONNX Runtime has a second one, told by four letters that a well-formed ONNX file may hold as well."""
    runtime = FakeRuntime()

    open_session(classifier(), runtime=runtime)

    assert runtime.opened[0].entries["session.load_model_format"] == "ONNX"


# --- OpenVINO ---


def test_openvino_is_taken_where_it_is_asked_for_and_never_else() -> None:
    """Its int8 kernels round elsewhere: what computes is decided, and does not follow from what is installed."""
    runtime = FakeRuntime(gpu_build=False, openvino=True)

    assert open_session(classifier(), provider="auto", runtime=runtime).provider == CPU
    assert open_session(classifier(), provider="cpu", runtime=runtime).provider == CPU
    assert open_session(classifier(), provider="openvino", runtime=runtime).provider == OPENVINO


def test_openvino_computes_in_full_precision_wholly_and_on_the_threads_it_was_given() -> None:
    runtime = FakeRuntime(gpu_build=False, openvino=True)

    open_session(classifier(), provider="openvino", threads=1, runs=3, runtime=runtime)

    assert json.loads(runtime.openvino_options["load_config"])["CPU"] == {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": 3,
        "NUM_STREAMS": 3,
        "ENABLE_CPU_PINNING": False,
    }
    assert runtime.openvino_options["reshape_input"] == "images[1,4,6,3]"
    assert runtime.opened[-1].entries["session.disable_cpu_ep_fallback"] == "1"


@pytest.mark.parametrize("shape", [(2, 4, 6, 3), (1, 4, 5, 3), (4, 6, 3)])
def test_what_openvino_would_answer_with_nonsense_it_is_not_asked(shape: tuple[int, ...]) -> None:
    """Opened for one picture, it answers a batch of two with one row, and says nothing."""
    session = open_session(classifier(), provider="openvino", runtime=FakeRuntime(gpu_build=False, openvino=True))

    with pytest.raises(RunFailed, match=r"OpenVINOExecutionProvider was opened for \(1, 4, 6, 3\) only"):
        session.run(np.zeros(shape, np.uint8), ["probabilities"])
    session.run(np.zeros((1, 4, 6, 3), np.uint8), ["probabilities"])


def test_a_model_of_any_picture_size_is_not_opened_on_openvino() -> None:
    runtime = FakeRuntime(gpu_build=False, openvino=True, shape=("N", "H", "W", 3))

    with pytest.raises(ModelRefused, match="pictures of one size only"):
        open_session(classifier(), provider="openvino", runtime=runtime)


def test_a_model_that_openvino_does_not_compute_wholly_is_refused_and_not_computed_elsewhere() -> None:
    runtime = FakeRuntime(gpu_build=False, openvino=True, openvino_raises="node 7 is assigned to the CPU")

    with pytest.raises(ModelRefused, match="OpenVINO does not compute the whole of this model: node 7"):
        open_session(classifier(), provider="openvino", runtime=runtime)


def test_a_build_without_openvino_says_which_one_has_it() -> None:
    with pytest.raises(ProviderUnavailable, match=r"provider-missing .*Install onnxruntime-openvino") as refused:
        open_session(classifier(), provider="openvino", runtime=FakeRuntime())

    assert "nvidia" not in str(refused.value)


@pytest.mark.parametrize("build", ["onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"])
def test_one_build_of_onnx_runtime_is_named(build: str) -> None:
    assert require_one_runtime(lambda name: name == build) == build


@pytest.mark.parametrize(
    ("installed", "message"),
    [
        (
            {"onnxruntime", "onnxruntime-gpu"},
            "found onnxruntime and onnxruntime-gpu, expected exactly one of .* Uninstall both",
        ),
        (
            {"onnxruntime", "onnxruntime-openvino"},
            "found onnxruntime and onnxruntime-openvino, expected exactly one of .* Uninstall both",
        ),
        (
            {"onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"},
            "found onnxruntime and onnxruntime-gpu and onnxruntime-openvino, .* Uninstall all of them",
        ),
        (set[str](), "found no ONNX Runtime, expected exactly one of .* Install the one"),
    ],
)
def test_several_builds_or_none_are_a_conflict(installed: set[str], message: str) -> None:
    """Which of them is imported would be chance."""
    with pytest.raises(RuntimeConflict, match=message):
        require_one_runtime(lambda name: name in installed)


def test_onnx_runtime_is_imported_only_when_a_model_is_opened() -> None:
    program = "import shared.session, sys; sys.exit('onnxruntime' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
