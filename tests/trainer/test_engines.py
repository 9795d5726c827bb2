"""What computes features: both engines say who they are, because features of different engines must not mix."""

from pathlib import Path

import numpy as np
import pytest
import torch

from shared.errors import ModelRefused, ProviderUnavailable
from tests.trainer.test_featurize import write_picture
from tests.trainer.test_parity import MeanColour
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.engines import OnnxEngine, TorchEngine
from trainer.manifest import PassedOver
from trainer.parity import probe_images
from trainer.picture_rows import rows_of


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


def test_torchs_number_of_threads_is_put_back() -> None:
    """It belongs to the whole process, and the head is fitted with another."""
    before = torch.get_num_threads()
    engine = TorchEngine(lambda: MeanColour(TINY_SPEC), TINY_SPEC, provider="cpu")

    with pytest.raises(KeyboardInterrupt), engine.single_threaded():
        assert torch.get_num_threads() == 1
        raise KeyboardInterrupt

    assert torch.get_num_threads() == before


class Batching(TorchEngine):
    """The torch engine as it is on CUDA: several pictures a run."""

    def __init__(self) -> None:
        super().__init__(lambda: MeanColour(TINY_SPEC), TINY_SPEC, provider="cpu")
        self.batch_size = 4


def test_in_batches_every_row_still_belongs_to_its_picture(tmp_path: Path) -> None:
    """Unreadable pictures make batches smaller; rows must not move up into their place."""
    samples = [write_picture(tmp_path / f"{number}.png", 20 * number) for number in range(10)]
    for number in (1, 4, 5, 6, 7):
        samples[number].path.write_bytes(b"not a picture")
    alone = TorchEngine(lambda: MeanColour(TINY_SPEC), TINY_SPEC, provider="cpu")

    together = list(rows_of(samples, Batching(), TINY_SPEC, threads=2))
    one_by_one = list(rows_of(samples, alone, TINY_SPEC, threads=2))

    assert [isinstance(row, PassedOver) for row in together] == [number in (1, 4, 5, 6, 7) for number in range(10)]
    for found, expected in zip(together, one_by_one, strict=True):
        if isinstance(found, PassedOver) or isinstance(expected, PassedOver):
            assert found == expected
        else:
            assert found.features == pytest.approx(expected.features, rel=1e-5)
            assert found.statistics.grey.tobytes() == expected.statistics.grey.tobytes()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_is_not_silently_replaced() -> None:
    with pytest.raises(ProviderUnavailable, match="CUDA"):
        TorchEngine(lambda: MeanColour(TINY_SPEC), TINY_SPEC, provider="cuda")


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(ModelRefused):
        OnnxEngine(b"not a graph")
