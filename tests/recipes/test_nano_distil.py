"""The training loop of nano's recipe."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from recipes.nano.distil import Distillation, distil, measure_scales
from recipes.nano.identity import identify_training
from recipes.nano.network import Network
from recipes.nano.pictures import list_pictures
from recipes.nano.schedule import learning_rate_at
from recipes.nano.settings import Settings
from tests.recipes.conftest import CPU, MakeTraining
from trainer.progress import Quiet


def test_the_loss_decreases(make_training: MakeTraining, settings: Settings) -> None:
    """The one thing that a training loop must do."""
    training, crop_sets = make_training()

    losses = distil(training, crop_sets, settings, Quiet())

    assert losses[-1] < 0.9 * losses[0]


def test_an_interrupted_training_ends_with_the_same_weights(make_training: MakeTraining, settings: Settings) -> None:
    """Resume means as if nothing had happened: optimiser, average, schedule and order of pictures included."""
    settings = dataclasses.replace(settings, epochs=2, batch_size=2, checkpoint_every=4)
    through, crop_sets = make_training()
    distil(through, crop_sets, settings, Quiet())

    checkpoint = _train_until(make_training, settings, step=4)
    resumed, _ = make_training()
    resumed.read_checkpoint(checkpoint)
    distil(resumed, crop_sets, settings, Quiet())

    for name, value in through.average.state_dict().items():
        assert torch.equal(value, resumed.average.state_dict()[name]), name


class _Interrupted(Exception):
    """Stands for a killed process."""


def _train_until(make_training: MakeTraining, settings: Settings, *, step: int) -> Path:
    training, crop_sets = make_training()
    take = crop_sets(0).take

    class _Breaks:
        """Crops that break off in the middle of an epoch."""

        def __len__(self) -> int:
            return 8

        def take(self, *arguments: np.ndarray) -> object:
            if training.step == step:
                raise _Interrupted
            return take(*arguments)

    with pytest.raises(_Interrupted):
        distil(training, lambda _: _Breaks(), settings, Quiet())  # type: ignore[arg-type, return-value]
    return settings.work_dir / "checkpoint.pt"


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"learning_rate": 0.5}, {"teacher": "1.png"}, {"pictures": "fewer"}, {"batch_size": 2}],
    ids=str,
)
def test_a_checkpoint_of_another_training_is_refused(
    make_training: MakeTraining, teacher: Network, settings: Settings, folder: Path, other: dict[str, object]
) -> None:
    """Its weights would come out under the new settings' name."""
    training, crop_sets = make_training()
    training.write_checkpoint(settings.work_dir / "checkpoint.pt")
    pictures = list_pictures([folder])
    if "pictures" in other:
        pictures = pictures[1:]
    elif "teacher" in other:
        settings = dataclasses.replace(settings, teacher=folder / "1.png")
    else:
        settings = dataclasses.replace(settings, **other)  # type: ignore[arg-type]
    identity = identify_training(pictures, settings)
    another = Distillation(teacher, measure_scales(crop_sets(0)), settings, CPU, identity=identity)

    with pytest.raises(ValueError, match=f"another {next(iter(other))}; name another --work-dir"):
        another.read_checkpoint(settings.work_dir / "checkpoint.pt")


def test_a_checkpoint_survives_what_does_not_decide_the_weights(folder: Path, settings: Settings) -> None:
    """Threads, how often it is written, where the result goes: all may change on the way."""
    pictures = list_pictures([folder])

    moved = dataclasses.replace(settings, threads=2, checkpoint_every=7, out=folder / "other", epochs=9)

    assert identify_training(pictures, settings) == identify_training(pictures, moved)


def test_every_tensor_that_ships_is_trained(make_training: MakeTraining, teacher: Network, settings: Settings) -> None:
    """A copy of the teacher's layers would be the teacher's file under our name; only its classifier stays."""
    training, crop_sets = make_training()

    distil(training, crop_sets, dataclasses.replace(settings, epochs=1), Quiet())

    started, ended = teacher.nano.state_dict(), training.average.nano.state_dict()
    assert [name for name, value in started.items() if torch.equal(value, ended[name])] == []
    assert torch.equal(teacher.classifier.weight, training.average.classifier.weight)


def test_a_batch_in_chunks_is_the_same_batch(make_training: MakeTraining, settings: Settings) -> None:
    """Chunks are there for the caches of the processor, not for the result."""
    losses = []
    for chunk_size in (3, 8):
        _, crop_sets = make_training()
        crops = crop_sets(0)
        chunked = dataclasses.replace(settings, chunk_size=chunk_size)
        training = Distillation(_seeded(), measure_scales(crops), chunked, CPU, identity={})
        batch = crops.take(np.arange(8), np.zeros(8, dtype=np.bool_))
        training.plan(10)
        losses.append([training.train_step(*batch) for _ in range(2)])

    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def _seeded() -> Network:
    torch.manual_seed(1)
    return Network().eval()


def test_the_end_may_be_moved_until_the_cooldown_begins(settings: Settings) -> None:
    """Whoever stops earlier than planned gets the weights of a run that was planned so."""
    settings = dataclasses.replace(settings, warmup_steps=10, cooldown_fraction=0.4)

    long, short = ([learning_rate_at(step, total, settings) for step in range(total)] for total in (200, 100))

    assert long[:60] == short[:60]
    assert long[0] < long[9] == long[119] == settings.learning_rate
    assert 0 < short[-1] < 0.01 * settings.learning_rate


@pytest.mark.parametrize("epochs", [9, 2], ids=["later", "sooner"])
def test_the_end_may_not_be_moved_after_that(make_training: MakeTraining, settings: Settings, epochs: int) -> None:
    """Later: the full rate at once, without warm-up. Sooner: an end without cooldown."""
    training, crop_sets = make_training()
    distil(training, crop_sets, settings, Quiet())
    resumed, _ = make_training()
    resumed.read_checkpoint(settings.work_dir / "checkpoint.pt")

    with pytest.raises(ValueError, match=f"another --epochs moves the end of this training from step 4 to {epochs}"):
        distil(resumed, crop_sets, dataclasses.replace(settings, epochs=epochs), Quiet())


def test_the_end_moves_while_the_rate_is_up(make_training: MakeTraining, settings: Settings) -> None:
    """Stopped before either cooldown: the weights are those of a run that was planned so from the start."""
    settings = dataclasses.replace(settings, epochs=20, checkpoint_every=1, average_decay=0.5)
    checkpoint = _train_until(make_training, settings, step=3)
    short = dataclasses.replace(settings, epochs=6)
    moved, crop_sets = make_training()
    moved.read_checkpoint(checkpoint)
    distil(moved, crop_sets, short, Quiet())

    through, _ = make_training()
    distil(through, crop_sets, short, Quiet())

    assert all(map(torch.equal, moved.average.parameters(), through.average.parameters()))


def test_each_epoch_learns_from_its_own_crops(make_training: MakeTraining, settings: Settings) -> None:
    """Epoch e uses set e modulo their number; with one set only, the others would be computed for nothing."""
    training, crop_sets = make_training()
    trained_on: list[int] = []

    class _Numbered:
        """Crops that remember when a whole batch of them was taken."""

        def __init__(self, index: int) -> None:
            self._index = index

        def __len__(self) -> int:
            return 8

        def take(self, rows: np.ndarray, flipped: np.ndarray) -> object:
            if len(rows) > 1:
                trained_on.append(self._index)
            return crop_sets(0).take(rows, flipped)

    two = dataclasses.replace(settings, crop_sets=2)
    distil(training, _Numbered, two, Quiet())  # type: ignore[arg-type]

    assert trained_on == [0, 1, 0, 1]


def test_held_out_pictures_are_not_trained_on(make_training: MakeTraining, settings: Settings) -> None:
    """Their loss would otherwise say nothing about other pictures."""
    training, crop_sets = make_training()
    taken: list[int] = []

    class _Watched:
        """Crops that remember which rows were trained on."""

        def __len__(self) -> int:
            return 8

        def take(self, rows: np.ndarray, flipped: np.ndarray) -> object:
            if len(rows) > 1:
                taken.extend(rows)
            return crop_sets(0).take(rows, flipped)

    progress = Quiet()
    distil(training, lambda _: _Watched(), dataclasses.replace(settings, epochs=2), progress)  # type: ignore[arg-type, return-value]

    assert set(taken) <= set(range(7))
    assert "held-out" in progress.said[-1]
