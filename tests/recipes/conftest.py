"""A handful of tiny pictures, a teacher with random weights, and a training at its start."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recipes.nano.crop_set import CropSet, ask_through_torch, make_crop_set
from recipes.nano.distil import Distillation, measure_scales
from recipes.nano.identity import identify_training
from recipes.nano.network import Network
from recipes.nano.pictures import list_pictures
from recipes.nano.settings import Settings
from trainer.progress import Quiet

CPU = torch.device("cpu")
MakeTraining = Callable[[], tuple[Distillation, Callable[[int], CropSet]]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny layers gain nothing from a second thread, and wait for it on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight pictures of coloured noise."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for index in range(8):
        coarse = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((60, 50)).save(pictures / f"{index}.png")
    return pictures


@pytest.fixture
def teacher() -> Network:
    """Random weights, scaled so that the features differ from picture to picture."""
    torch.manual_seed(0)
    network = Network().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return network


@pytest.fixture
def settings(folder: Path, tmp_path: Path) -> Settings:
    """Tiny in every respect."""
    return Settings(
        pictures=(folder,),
        teacher=folder / "0.png",  # only its bytes matter: they are part of a crop set's identity
        work_dir=tmp_path / "work",
        out=tmp_path / "nano.safetensors",
        epochs=4,
        batch_size=4,
        learning_rate=0.02,
        warmup_steps=2,
        chunk_size=3,
        crop_sets=1,
        threads=1,
        student_size=32,
        teacher_size=64,
    )


@pytest.fixture
def make_training(teacher: Network, settings: Settings) -> MakeTraining:
    """A training at its start, and the crops it learns from."""

    def make() -> tuple[Distillation, Callable[[int], CropSet]]:
        pictures = list_pictures(settings.pictures)
        crops = make_crop_set(0, pictures, ask_through_torch(teacher, CPU), settings, Quiet())
        identity = identify_training(pictures, settings)
        return Distillation(teacher, measure_scales(crops), settings, CPU, identity=identity), lambda _: crops

    return make
