"""Files whose name or stored form says something else than what they show: a note, for both are put right."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from trainer.finding_words import tell
from trainer.findings import Finding, Kind, Mention
from trainer.picture_statistics import StatisticsTable
from trainer.samples import Sample

_EXTENSIONS = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "PNG": {".png", ".apng"},
    "WEBP": {".webp"},
    "BMP": {".bmp", ".dib"},
    "GIF": {".gif"},
    "TIFF": {".tif", ".tiff"},
}
_KNOWN = frozenset().union(*_EXTENSIONS.values())
_STORED = {
    2: "mirrored",
    3: "upside down",
    4: "upside down and mirrored",
    5: "turned and mirrored",
    6: "turned left",
    7: "turned and mirrored",
    8: "turned right",
}


def find_odd_files(samples: Sequence[Sample], statistics: StatisticsTable) -> tuple[Finding, ...]:
    """Wrong extensions and EXIF orientations, in the order of the samples; `statistics` has a row for each sample."""
    return (
        *tell(Kind.WRONG_EXTENSION, _wrong_extensions(samples, statistics)),
        *tell(Kind.ROTATED, _rotated(samples, statistics)),
    )


def _wrong_extensions(samples: Sequence[Sample], statistics: StatisticsTable) -> Iterator[Mention]:
    for sample, found in zip(samples, statistics.format, strict=True):
        extension = PurePosixPath(sample.name).suffix.lower()
        if extension in _KNOWN and extension not in _EXTENSIONS.get(found.upper(), _KNOWN):
            yield Mention((sample.name,), f"is a {found}")


def _rotated(samples: Sequence[Sample], statistics: StatisticsTable) -> Iterator[Mention]:
    for sample, orientation in zip(samples, statistics.orientation.tolist(), strict=True):
        if orientation in _STORED:
            yield Mention((sample.name,), f"stored {_STORED[orientation]} (EXIF {orientation})", float(orientation))
