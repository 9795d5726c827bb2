"""A published bundle that tells red, green and blue apart, with a split.csv of its own: no training needed."""

import json
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from shared.bundle import MODEL_FILE, NOVELTY, PROBABILITIES, Bundle
from shared.golden import write_golden
from shared.publish import publish, seal, staging_folder
from tests.service.bundles import COLOURS, SPEC, colour_model, golden_of, metadata_fields
from trainer.samples import Split
from trainer.split_file import SPLIT_FILE, SplitRow, format_split_file

RGB = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200)}


def publish_tiny(
    models_dir: Path,
    rows: Iterable[SplitRow | tuple[str, str, Split]] = (),
    *,
    backbone: str = "none",
    novelty: float | None = None,
) -> Bundle:
    """Publish it as `colours`; `rows` are what it was trained on, each its own group unless it says.

    `backbone` is what its metadata call the one it was trained with; the weights that they name are nobody's. `novelty`
    is what it tells of every picture, if anything; above 0.99 is unfamiliar.
    """
    model = colour_model(len(COLOURS), SPEC, novelty=novelty)
    with staging_folder(models_dir, "colours") as folder:
        (folder / MODEL_FILE).write_bytes(model)
        (folder / "labels.txt").write_text("".join(f"{label}\n" for label in COLOURS), encoding="utf-8")
        (folder / "metrics.json").write_text(json.dumps({}), encoding="utf-8")
        (folder / SPLIT_FILE).write_bytes(format_split_file(_row(row) for row in rows))
        write_golden(folder, golden_of(model, SPEC))
        fields = metadata_fields("colours", COLOURS, SPEC)
        if novelty is not None:
            fields |= {"outputs": (PROBABILITIES, NOVELTY), "thresholds": {"unfamiliar": 0.99}}
        seal(folder, {**fields, "backbone": {**fields["backbone"], "name": backbone}})
        return publish(folder, models_dir)


def _row(row: SplitRow | tuple[str, str, Split]) -> SplitRow:
    return row if isinstance(row, SplitRow) else SplitRow(*row, group=row[0])


def paint(path: Path, colour: str, *, size: int = 20) -> Path:
    """A PNG of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), RGB[colour]).save(path, format="PNG")
    return path
