"""What a version holds in memory: two copies of its weights at most, and nothing once it is closed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from shared.bundle import INPUT_NAME, PROBABILITIES, Bundle
from tests.service.bundles import SPEC, publish_bundle
from tests.service.running import ROOT

WEIGHTS_MIB = 32


def large_model() -> bytes:
    """Means of the channels -> 2896 -> 2896 -> softmax: the middle one is 32 MiB of weights that do not compress."""
    side = 2896
    rng = np.random.default_rng(0)
    weights = {
        "first": rng.standard_normal((3, side)).astype(np.float32),
        "middle": rng.standard_normal((side, side)).astype(np.float32) / side,
        "last": rng.standard_normal((side, 3)).astype(np.float32) / side,
        "sides": np.array([1, 2]),
    }
    nodes = [
        helper.make_node("Cast", [INPUT_NAME], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "sides"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "first"], ["one"]),
        helper.make_node("MatMul", ["one", "middle"], ["two"]),
        helper.make_node("MatMul", ["two", "last"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [PROBABILITIES], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, ["N", SPEC.height, SPEC.width, 3])],
        [helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString(deterministic=True)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Bundle]:
    models_dir = tmp_path_factory.mktemp("models")
    return publish_bundle(models_dir, "large", model=large_model(), outputs=(PROBABILITIES,)), publish_bundle(
        models_dir, "small"
    )


def measure(bundles: tuple[Bundle, Bundle], *, lanes: int, wide_lane_max_mb: int) -> dict[str, float]:
    paths = [str(bundle.path) for bundle in bundles]
    command = [sys.executable, "-m", "tests.integration.resident_memory", *paths, str(lanes), str(wide_lane_max_mb)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from Linux's /proc")
@pytest.mark.parametrize(("wide_lane_max_mb", "copies"), [(256, 2), (0, 1)])
def test_however_many_lanes_there_are_weights_are_held_twice_at_most_and_not_at_all_once_closed(
    wide_lane_max_mb: int, copies: int, bundles: tuple[Bundle, Bundle]
) -> None:
    """A copy for each lane, as pools of engines have it, would be 512 MiB here."""
    mib = measure(bundles, lanes=16, wide_lane_max_mb=wide_lane_max_mb)

    assert mib["serving"] == pytest.approx(copies * WEIGHTS_MIB, abs=0.4 * WEIGHTS_MIB)
    assert mib["closed"] < 0.2 * WEIGHTS_MIB
