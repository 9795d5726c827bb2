"""Whatever can change a feature changes the fingerprint, and nothing else does."""

import subprocess
import sys

import pytest

from shared.preprocess import PreprocessSpec
from trainer.fingerprint import fingerprint

SPEC = PreprocessSpec()
USUAL = fingerprint(b"graph", SPEC, engine="onnxruntime 1.31 CPUExecutionProvider")


@pytest.mark.parametrize(
    "other",
    [
        fingerprint(b"another", SPEC, engine="onnxruntime 1.31 CPUExecutionProvider"),
        fingerprint(b"graph", PreprocessSpec(resize=232), engine="onnxruntime 1.31 CPUExecutionProvider"),
        fingerprint(b"graph", SPEC, engine="onnxruntime 1.32 CPUExecutionProvider"),
        fingerprint(b"graph", SPEC, engine="onnxruntime 1.31 CUDAExecutionProvider"),
        fingerprint(b"graph", SPEC, engine="torch 2.15 cpu"),
        fingerprint(b"graph", SPEC, engine="onnxruntime 1.31 CPUExecutionProvider", view="mirrored"),
        fingerprint(b"graph", SPEC, engine="onnxruntime 1.31 CPUExecutionProvider", precision="int8"),
    ],
    ids=["graph", "spec", "runtime version", "provider", "engine", "view", "precision"],
)
def test_a_change_of_anything_that_matters_changes_it(other: str) -> None:
    assert other != USUAL


def test_it_is_the_same_in_every_process() -> None:
    program = (
        "from shared.preprocess import PreprocessSpec; from trainer.fingerprint import fingerprint\n"
        "print(fingerprint(b'graph', PreprocessSpec(), engine='onnxruntime 1.31 CPUExecutionProvider'))"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == USUAL
