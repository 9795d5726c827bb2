"""Versions that must not be served, each broken in another way, ready to be put beside a good one."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from shared.bundle import CURRENT_FILE, MODEL_FILE, Bundle
from shared.files import write_atomically
from tests.service.bundles import colour_model, golden_of, publish_bundle


def truncated(models_dir: Path) -> Bundle:
    bundle = publish_bundle(models_dir)
    bundle.model_path.write_bytes(bundle.model_path.read_bytes()[:-10])
    return bundle


def of_wrong_hash(models_dir: Path) -> Bundle:
    bundle = publish_bundle(models_dir)
    data = bytearray(bundle.model_path.read_bytes())
    data[-1] ^= 1
    bundle.model_path.write_bytes(data)
    return bundle


def of_wrong_shape(models_dir: Path) -> Bundle:
    model = colour_model()
    return publish_bundle(models_dir, model=model, golden=golden_of(model), labels=("red", "green", "blue", "grey"))


def not_a_number(models_dir: Path) -> Bundle:
    model = onnx.load_from_string(colour_model())
    for tensor in model.graph.initializer:
        if tensor.name == "weight":
            tensor.CopyFrom(numpy_helper.from_array(np.full((3, 3), np.nan, np.float32), "weight"))
    return publish_bundle(models_dir, model=model.SerializeToString())


def unreadable(models_dir: Path) -> Bundle:
    """A folder that leads to itself: unlike one without rights, not even root can read it."""
    bundle = publish_bundle(models_dir)
    shutil.rmtree(bundle.path)
    bundle.path.symlink_to(bundle.path.name)
    return bundle


BROKEN: Mapping[str, tuple[Callable[[Path], Bundle], str]] = {
    "truncated": (truncated, f"{MODEL_FILE}: 437 bytes, bundle.json says 447"),
    "wrong hash": (of_wrong_hash, f"{MODEL_FILE}: SHA-256 starts"),
    "wrong shape": (of_wrong_shape, "'probabilities' has shape"),
    "NaN": (not_a_number, "values that are not numbers"),
    "unreadable": (unreadable, "cannot be read (Too many levels of symbolic links)"),
}
"""By what is wrong: how to publish such a version, and what is to be told of it."""


def put_in(bundle: Bundle, models_dir: Path) -> str:
    """Move a version that was published elsewhere beside the others, and make it current. Returns the version."""
    parent = models_dir / bundle.metadata.name
    bundle.path.rename(parent / bundle.version)
    write_atomically(parent / CURRENT_FILE, f"{bundle.version}\n".encode())
    return bundle.version


def events_of(log: Path, event: str) -> list[dict[str, object]]:
    """What a service has logged under one name."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [line for line in lines if line["event"] == event]
