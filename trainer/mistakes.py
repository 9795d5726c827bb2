"""The pictures of the test split that were labelled wrong, the most confident first: what a person should look at."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from shared.decode import TRAINER_LIMITS, decode
from shared.errors import PictureError
from trainer.manifest import Sample
from trainer.training import Measured, Training

MOST_MISTAKES = 24
THUMBNAIL_PX = 160


@dataclass(frozen=True)
class Mistake:
    """A sample that was predicted to be of another label than its own.

    Attributes:
        picture_jpeg: a thumbnail, its longer side THUMBNAIL_PX; None where pictures are kept out or it is gone.
        name: of the sample.
        actual: its label.
        predicted: the label with the highest score.
        score: that score, in [0, 1].
    """

    picture_jpeg: bytes | None
    name: str
    actual: str
    predicted: str
    score: float


def find_mistakes(
    training: Training, measured: Measured, *, pictures: bool, most: int = MOST_MISTAKES
) -> tuple[Mistake, ...]:
    """The test split's mistakes, highest score first, at most `most`; thumbnails only with `pictures`."""
    predicted = measured.test_probabilities.argmax(axis=1) if len(measured.test_rows) else measured.test_rows
    wrong = [
        (float(measured.test_probabilities[position, predicted[position]]), int(row), int(predicted[position]))
        for position, row in enumerate(measured.test_rows)
        if predicted[position] != training.targets[row]
    ]
    chosen = sorted(wrong, key=lambda one: (-one[0], training.samples[one[1]].name))[:most]
    return tuple(
        _mistake(training.samples[row], training.labels, k, score, pictures=pictures) for score, row, k in chosen
    )


def make_thumbnail(sample: Sample, side_px: int = THUMBNAIL_PX) -> bytes | None:
    """The picture as a small JPEG without any metadata of the original; None if it can no longer be read."""
    try:
        image = decode(sample.path.read_bytes(), at_least=(side_px, side_px), limits=TRAINER_LIMITS)
    except (OSError, PictureError):
        return None
    image.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    small, written = Image.new("RGB", image.size), io.BytesIO()
    small.paste(image)  # a new image carries no EXIF, colour profile or comment along
    small.save(written, "JPEG", quality=80, optimize=True)
    return written.getvalue()


def _mistake(sample: Sample, labels: Sequence[str], predicted: int, score: float, *, pictures: bool) -> Mistake:
    thumbnail = make_thumbnail(sample) if pictures else None
    return Mistake(thumbnail, sample.name, sample.label, labels[predicted], score)
