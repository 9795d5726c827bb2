"""trainer/sample_pictures.py, concrete.py, cracks.py: believable, repeatable, and not to be solved by counting."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from trainer.errors.sources import FolderNotEmpty
from trainer.progress import Quiet
from trainer.sample_pictures import draw_sample, write_sample_pictures

Rows = NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[2]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.jpg")}


def test_two_class_folders_of_jpegs_are_written(tmp_path: Path) -> None:
    progress = Quiet()

    written = write_sample_pictures(tmp_path / "new" / "folder", per_class=2, size=64, progress=progress)

    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "new/folder/cracked/0000.jpg",
        "new/folder/cracked/0001.jpg",
        "new/folder/uncracked/0000.jpg",
        "new/folder/uncracked/0001.jpg",
    ]
    assert progress.phases == [("draw", 4)]
    for path in written:
        with Image.open(path) as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (64, 64), "RGB")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_sample_pictures(tmp_path / name, per_class=2, seed=seed, size=64)

    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert not set(contents(tmp_path / "a").values()) & set(contents(tmp_path / "c").values())


def test_no_two_pictures_are_alike(tmp_path: Path) -> None:
    written = write_sample_pictures(tmp_path, per_class=5, size=64)

    assert len({path.read_bytes() for path in written}) == 10


def test_a_picture_of_somebodys_own_is_never_overwritten(tmp_path: Path) -> None:
    """Folders named cracked and uncracked are what people who inspect concrete have."""
    own = tmp_path / "cracked" / "0000.jpg"
    own.parent.mkdir()
    own.write_bytes(b"my own photograph")

    with pytest.raises(FolderNotEmpty, match=r"cracked/0000\.jpg"):
        write_sample_pictures(tmp_path, per_class=1, size=64)

    assert own.read_bytes() == b"my own photograph"


def test_fewer_pictures_than_lie_there_are_refused(tmp_path: Path) -> None:
    """Otherwise the folder would hold more than was asked for, and nobody would know."""
    write_sample_pictures(tmp_path, per_class=2, size=64)

    with pytest.raises(FolderNotEmpty, match=r"0001\.jpg"):
        write_sample_pictures(tmp_path, per_class=1, size=64)


def test_more_pictures_leave_the_first_ones_as_they_are(tmp_path: Path) -> None:
    """Whoever asks for more later featurises only the new ones."""
    write_sample_pictures(tmp_path, per_class=2, size=64)
    before = contents(tmp_path)

    write_sample_pictures(tmp_path, per_class=3, size=64)

    assert before.items() < contents(tmp_path).items()


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"mine")

    with pytest.raises(FolderNotEmpty, match=r"holiday\.jpg"):
        write_sample_pictures(tmp_path, per_class=1, size=64)

    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_folder_with_hidden_files_is_empty_enough(tmp_path: Path) -> None:
    (tmp_path / ".gitkeep").touch()

    assert len(write_sample_pictures(tmp_path, per_class=1, size=64)) == 2


def test_drawing_needs_neither_torch_nor_onnx() -> None:
    program = "import sys, trainer.sample_pictures; print(sorted({'torch', 'onnx', 'pyarrow'} & set(sys.modules)))"

    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert run.stdout == "[]\n"


@pytest.mark.slow
def test_counting_dark_pixels_and_edges_does_not_tell_cracked_from_uncracked() -> None:
    """What tells them apart is the shape of a crack, so that a model has something to learn."""
    per_class = 150
    rows = [
        _statistics(draw_sample(number, cracked=cracked, seed=0, size=256))
        for cracked in (False, True)
        for number in range(per_class)
    ]
    targets = np.repeat([0.0, 1.0], per_class)
    statistics = np.array(rows)

    everything = _cross_validated_accuracy(statistics, targets)
    mean_brightness_and_edges = _cross_validated_accuracy(statistics[:, :3], targets)

    assert everything < 0.70
    assert mean_brightness_and_edges < 0.62


def _statistics(jpeg: bytes) -> list[float]:
    """Of brightness: mean, deviation and percentiles; of edge strength: mean, deviation and percentiles."""
    grey = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"), dtype=np.float64)
    edges = np.hypot(*np.gradient(grey))
    return [
        *(grey.mean(), edges.mean(), grey.std(), edges.std()),
        *np.percentile(grey, [1, 5, 25, 50, 75, 95, 99]),
        *np.percentile(edges, [50, 75, 95, 99]),
    ]


def _cross_validated_accuracy(rows: Rows, targets: Rows, folds: int = 10) -> float:
    """Of a logistic regression on standardised rows, the best of several strengths of regularisation."""
    fold_of = np.random.default_rng(0).permutation(len(targets)) % folds
    accuracies = []
    for l2 in (0.01, 0.1, 1.0, 10.0):
        right = 0
        for fold in range(folds):
            train, test = fold_of != fold, fold_of == fold
            standard = (rows - rows[train].mean(axis=0)) / rows[train].std(axis=0)
            logits = _fit_logits(standard[train], targets[train], l2)(standard[test])
            right += int(((logits > 0) == (targets[test] > 0.5)).sum())
        accuracies.append(right / len(targets))
    return max(accuracies)


def _fit_logits(rows: Rows, targets: Rows, l2: float) -> Callable[[Rows], Rows]:
    """Newton's method; returns rows -> logits."""
    design = np.column_stack([rows, np.ones(len(rows))])
    penalty = np.diag([l2] * rows.shape[1] + [1e-9])
    weights = np.zeros(design.shape[1])
    for _ in range(30):
        probabilities = 1 / (1 + np.exp(-design @ weights))
        curvature = design.T @ (design * (probabilities * (1 - probabilities))[:, None]) + penalty
        weights -= np.linalg.solve(curvature, design.T @ (probabilities - targets) + penalty @ weights)
    return lambda others: np.column_stack([others, np.ones(len(others))]) @ weights
