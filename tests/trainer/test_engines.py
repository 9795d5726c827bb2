"""What computes features: both engines say who they are, because features of different engines must not mix."""

import numpy as np
import pytest
import torch

from shared.errors import ModelRefused, ProviderUnavailable
from tests.trainer.test_parity import MeanColour
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.engines import OnnxEngine, TorchEngine
from trainer.parity import probe_images


def test_the_onnx_engine_names_runtime_version_and_provider() -> None:
    engine = OnnxEngine(tiny_graph(), provider="cpu")

    name, version, provider = engine.identity.split()
    assert name in ("onnxruntime", "onnxruntime-gpu")
    assert version[0].isdigit() and provider == "CPUExecutionProvider"
    assert (engine.batch_size, engine.feature_size) == (1, 3)


def test_the_torch_engine_names_version_and_device() -> None:
    engine = TorchEngine(lambda: MeanColour(TINY_SPEC), TINY_SPEC, provider="cpu")

    assert engine.identity == f"torch {torch.__version__} cpu"


def test_both_give_the_same_features() -> None:
    images = probe_images(TINY_SPEC)

    onnx = OnnxEngine(tiny_graph(), provider="cpu").run(images)
    eager = TorchEngine(lambda: MeanColour(TINY_SPEC), TINY_SPEC, provider="cpu").run(images)

    assert onnx.dtype == eager.dtype == np.float32
    assert eager == pytest.approx(onnx, rel=1e-5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_is_not_silently_replaced() -> None:
    with pytest.raises(ProviderUnavailable, match="CUDA"):
        TorchEngine(lambda: MeanColour(TINY_SPEC), TINY_SPEC, provider="cuda")


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(ModelRefused):
        OnnxEngine(b"not a graph")
