"""The embedded backbone: its weights are the released ones, fit, stay small, and export."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from trainer import nano

CARD = Path(nano.__file__).with_name("nano.card.md")


def test_the_weights_file_is_the_released_one_and_fits_the_architecture() -> None:
    """A copy cut short, or weights of another width, must not be served as nano."""
    module = nano.build_nano()

    module.load_state_dict(nano.load_nano_state(), strict=True)

    features = module(torch.zeros(2, 3, nano.NANO_SIZE, nano.NANO_SIZE))
    assert features.shape == (2, nano.NANO_FEATURE_SIZE)
    assert features.dtype == torch.float32
    assert torch.isfinite(features).all()


def test_a_damaged_weights_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to do; random features would only look like a bad data set."""
    damaged = tmp_path / "nano.safetensors"
    damaged.write_bytes(nano.NANO_FILE.read_bytes()[:-1])
    monkeypatch.setattr(nano, "NANO_FILE", damaged)

    with pytest.raises(nano.NanoWeightsDamaged, match="install Finial again"):
        nano.load_nano_state()


def test_the_weights_file_is_small_enough_for_the_package() -> None:
    """It travels in every checkout."""
    assert nano.NANO_FILE.stat().st_size <= 4_500_000


def test_the_card_states_the_terms() -> None:
    """A commercial user must be able to find out where the weights come from, and how to go without."""
    card = " ".join(CARD.read_text().split())

    for words in ("ImageNet", "commercial users", "recipes/nano", "--no-nano"):
        assert words in card


def test_the_export_agrees_with_torch_at_any_batch_size() -> None:
    """The head is trained on the graph's features, so the graph must be the network."""
    module = nano.build_nano()
    module.load_state_dict(nano.load_nano_state(), strict=True)
    example = torch.zeros(2, 3, nano.NANO_SIZE, nano.NANO_SIZE)
    program = torch.onnx.export(
        module, (example,), dynamo=True, dynamic_shapes=({0: torch.export.Dim("n")},), verbose=False
    )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())

    for count in (1, 3):
        images = torch.from_numpy(
            np.random.default_rng(count).normal(size=(count, *example.shape[1:])).astype(np.float32)
        )
        with torch.inference_mode():
            expected = module(images).numpy()
        (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
        distance = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
        assert distance.max() <= 1e-4
