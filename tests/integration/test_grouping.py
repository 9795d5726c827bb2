"""`train` with groups: what the user says and what looks alike stays together, in the bundle and in every number."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from shared.files import sha256_of
from tests.integration.pictures_on_disk import LABELS, draw
from trainer.errors.splits import GroupColumnMissing
from trainer.pipeline import train
from trainer.progress import Quiet
from trainer.settings import TrainSettings

SITES = 8


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grouping")


@pytest.fixture(scope="module")
def pictures(work: Path) -> Path:
    """Two pictures of each label from each of eight sites, the site in the name; and a table that says the same."""
    with (work / "table.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", "taken at"])
        for label in LABELS:
            (work / "pictures" / label).mkdir(parents=True)
            for number in range(2 * SITES):
                name = f"pictures/{label}/site{number % SITES}_{number // SITES}.png"
                draw(label, number).save(work / name)
                table.writerow([name, label, f"site {number % SITES}"])
    return work / "pictures"


def trained(data: Path, work: Path, **options: object) -> tuple[list[dict[str, str]], Quiet]:
    """The rows of split.csv of a training, and what it said."""
    progress = Quiet()
    values = {
        "data": data,
        "models_dir": work / "models",
        "cache_dir": work / "cache",
        "backbone": "nano",
        "threads": 1,
    }
    result = train(TrainSettings.model_validate(values | {"name": "sites"} | options), progress)
    with (result.bundle.path / "split.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)), progress


def site_by_digest(pictures: Path) -> dict[str, str]:
    return {sha256_of(path.read_bytes()): path.name.partition("_")[0] for path in pictures.rglob("*.png")}


@pytest.mark.slow
def test_a_pattern_and_a_column_keep_the_same_pictures_together(work: Path, pictures: Path) -> None:
    """And nobody reads in the bundle what the sites are called."""
    by_pattern, _ = trained(pictures, work, group_by=r"/(site\d)_")
    by_column, _ = trained(work / "table.csv", work, group_by="column:Taken at")

    site_of, splits = site_by_digest(pictures), defaultdict(set)
    for row in by_pattern:
        splits[site_of[row["digest"]]].add((row["split"], row["group"]))
    assert len(splits) == SITES
    assert all(len(found) == 1 for found in splits.values())
    assert {row["split"] for row in by_pattern} == {"train", "validation", "test"}
    assert by_column == by_pattern
    assert "site" not in str(by_pattern)


def test_a_column_that_is_not_there_is_named_before_any_picture_is_read(work: Path, pictures: Path) -> None:
    assert pictures.is_dir()

    with pytest.raises(GroupColumnMissing, match="choose one of file, label, taken at"):
        trained(work / "table.csv", work, group_by="column:site")


def test_a_near_duplicate_of_a_test_picture_is_tested_and_named(tmp_path: Path, work: Path) -> None:
    """A copy that was resized, brightened and encoded again would be learned by heart and tested."""
    for label in LABELS:
        for number in range(10):
            path = tmp_path / "pictures" / ("test" if number < 3 else "train") / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            scene(label, number).save(path)
    copy = ImageEnhance.Brightness(scene("dots", 0).resize((90, 90))).enhance(1.2)
    copy.save(tmp_path / "pictures" / "train" / "dots" / "copy.jpg", quality=50)

    rows, progress = trained(tmp_path / "pictures", work)

    together = [row for row in rows if [other["group"] for other in rows].count(row["group"]) > 1]
    assert [row["split"] for row in together] == ["test", "test"]
    warnings = "\n".join(progress.warnings)
    assert "1 group of near duplicates across the given splits: test/dots/0.png = train/dots/copy.jpg" in warnings
    assert (
        "held out more strictly than given, because a copy of them, or their group, is: train/dots/copy.jpg" in warnings
    )
    assert any(
        "2 pictures are near duplicates of others; they are kept together in 1 group" in sentence
        for sentence in progress.said
    )


def scene(label: str, number: int) -> Image.Image:
    """A picture with something in it that is larger than a stripe, so that it can be recognised."""
    random = np.random.default_rng([LABELS.index(label), number])
    ground = Image.fromarray(random.integers(0, 255, (6, 6, 3), dtype=np.uint8)).resize((160, 160))
    return Image.blend(ground, draw(label, number, size=160), 0.3)
