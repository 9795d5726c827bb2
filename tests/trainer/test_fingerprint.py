"""Whatever can change a feature changes the fingerprint, and nothing else does."""

import subprocess
import sys

import pytest

from shared.preprocess import PreprocessSpec
from trainer.fingerprint import fingerprint_of, what_features_depend_on, what_statistics_depend_on

SPEC = PreprocessSpec()


def fingerprint(graph: bytes, spec: PreprocessSpec, **options: str) -> str:
    return fingerprint_of(what_features_depend_on(graph, spec, **options))


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


def test_what_statistics_depend_on_is_how_pictures_are_decoded_and_not_the_graph() -> None:
    """Two backbones that ask for the same sizes share them."""
    usual = fingerprint_of(what_statistics_depend_on(SPEC))

    assert fingerprint_of(what_statistics_depend_on(PreprocessSpec(interpolation="bicubic"))) == usual
    assert fingerprint_of(what_statistics_depend_on(PreprocessSpec(resize=232))) != usual


def test_it_is_the_same_in_every_process() -> None:
    program = (
        "from shared.preprocess import PreprocessSpec; from tests.trainer.test_fingerprint import fingerprint\n"
        "print(fingerprint(b'graph', PreprocessSpec(), engine='onnxruntime 1.31 CPUExecutionProvider'))"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == USUAL
