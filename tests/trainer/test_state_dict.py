"""Weights files come from anywhere: wrapped, prefixed, halved or hostile."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from trainer.errors.backbones import WeightsUnreadable
from trainer.state_dict import read_state_dict

STATE = {"conv.weight": torch.ones(2, 3), "norm.num_batches_tracked": torch.tensor(7)}


def assert_is_state(found: dict[str, torch.Tensor]) -> None:
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize(
    "saved",
    [
        STATE,
        {"state_dict": STATE, "epoch": 90},
        {"model": STATE, "args": {"lr": 0.1}},
        {f"module.{name}": value for name, value in STATE.items()},
        {"state_dict": {f"module._orig_mod.{name}": value for name, value in STATE.items()}},
        {f"_orig_mod.module.{name}": value for name, value in STATE.items()},
        {name: value.half() if value.is_floating_point() else value for name, value in STATE.items()},
    ],
    ids=["plain", "wrapped", "wrapped as model", "data parallel", "both, wrapped", "compiled first", "half precision"],
)
def test_the_usual_wrappings_are_taken_off(saved: dict[str, object], tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "weights.pth")

    assert_is_state(read_state_dict(tmp_path / "weights.pth"))


def test_safetensors_files_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "weights.safetensors")

    assert_is_state(read_state_dict(tmp_path / "weights.safetensors"))


class Hostile:
    """Runs a command where pickle is trusted."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> object:
        return (Path.touch, (self.mark,))


def test_a_file_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": Hostile(tmp_path / "pwned")}, tmp_path / "weights.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Hostile(tmp_path / "pwned")))

    for name in ("weights.pth", "plain.pth"):
        with pytest.raises(WeightsUnreadable, match=r"weights_only=True"):
            read_state_dict(tmp_path / name)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("weights.pth", b""),
        ("weights.pth", b"<html>not found</html>"),
        ("weights.pth", b"PK\x03\x04 not really a zip"),
        ("weights.safetensors", b"\xff" * 40),
        ("weights.safetensors", b""),
    ],
)
def test_what_is_no_weights_file_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(WeightsUnreadable, match=name):
        read_state_dict(tmp_path / name)


@pytest.mark.parametrize("saved", [{}, [torch.ones(1)], torch.ones(1), {"weight": 3}], ids=repr)
def test_what_holds_no_state_dict_is_refused(saved: object, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "weights.pth")

    with pytest.raises(WeightsUnreadable):
        read_state_dict(tmp_path / "weights.pth")


def test_values_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    """Some published files fill the layers that they do not mean with NaN."""
    torch.save({"good": torch.ones(1), "bad": torch.tensor([1.0, float("nan")])}, tmp_path / "weights.pth")

    with pytest.raises(WeightsUnreadable, match="'bad' holds values that are not numbers"):
        read_state_dict(tmp_path / "weights.pth")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1000)}, tmp_path / "weights.pth")
    whole = (tmp_path / "weights.pth").read_bytes()
    (tmp_path / "weights.pth").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(WeightsUnreadable):
        read_state_dict(tmp_path / "weights.pth")
