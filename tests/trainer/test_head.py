from pathlib import Path

import numpy as np
import pytest

from tests.trainer.blobs import make_blobs
from trainer.head import Head, Hidden, read_head, write_head
from trainer.linear_probe import fit_linear_probe


def fitted() -> Head:
    features, targets, groups = make_blobs(30, features=6, classes=3)
    return fit_linear_probe(features, targets, groups, class_count=3, seed=0, threads=1).head


def with_hidden_layer() -> Head:
    random = np.random.default_rng(3)
    sizes = ((5, 3), (3,), (6,), (6,), (6, 5), (5,))
    weight, bias, mean, std, *hidden = (random.normal(size=size).astype(np.float32) for size in sizes)
    return Head(weight, bias, mean, np.abs(std), Hidden(*hidden))


def test_a_head_is_read_back_as_it_was_written_and_equal_heads_give_equal_bytes(tmp_path: Path) -> None:
    head = fitted()
    again = Head(*(np.asfortranarray(part) for part in (head.weight, head.bias, head.mean, head.std)))

    write_head(tmp_path / "one.safetensors", head)
    write_head(tmp_path / "two.safetensors", again)

    found = read_head(tmp_path / "one.safetensors")
    assert all(np.array_equal(getattr(found, name), getattr(head, name)) for name in ("weight", "bias", "mean", "std"))
    assert found.hidden is None
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()


def test_a_hidden_layer_is_read_back_and_gives_the_same_logits(tmp_path: Path) -> None:
    head, features = with_hidden_layer(), np.random.default_rng(4).normal(size=(9, 6)).astype(np.float32)

    write_head(tmp_path / "head.safetensors", head)

    assert np.array_equal(read_head(tmp_path / "head.safetensors").logits(features), head.logits(features))


@pytest.mark.parametrize("head", [fitted(), with_hidden_layer()], ids=["linear", "hidden"])
def test_logits_are_computed_in_float32(head: Head) -> None:
    assert head.logits(np.zeros((2, 6), np.float32)).dtype == np.float32
    assert {part.dtype for part in (head.weight, head.bias, head.mean, head.std)} == {np.dtype(np.float32)}
