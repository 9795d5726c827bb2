"""Pictures that show little: dark, nearly uniform or blurred, by themselves and next to the rest of the data set.

Both conditions must hold. What is poor by itself may be what the data set is about (pictures taken at night, concrete
with little contrast), and what is poor next to the rest may still be a good picture.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.finding_words import tell
from trainer.findings import Finding, Kind, Mention
from trainer.picture_statistics import StatisticsTable
from trainer.samples import Sample

DARK, DARK_SHARE = 64.0, 1 / 3
"""Light parts (mean luma + 2 standard deviations, of 255) below this, and below this share of the median picture's."""

UNIFORM, UNIFORM_SHARE = 8.0, 1 / 4
"""Contrast (standard deviation of luma) below this, and below this share of the median picture's."""

BLURRED, BLURRED_SHARE = 100.0, 0.3
"""Sharpness (variance of the Laplacian) below this, and edges below this share of the median picture's.

Edges are the square root of the sharpness over the contrast: blurring lowers them, little contrast does not.
"""


def find_poor_pictures(samples: Sequence[Sample], statistics: StatisticsTable) -> tuple[Finding, ...]:
    """Dark, nearly uniform and blurred pictures, the poorest first; each picture is named once.

    Args:
        samples: N samples.
        statistics: a row for each.
    """
    if not samples:
        return ()
    light = statistics.brightness + 2 * statistics.contrast
    edges = np.sqrt(statistics.sharpness) / np.maximum(statistics.contrast, 1.0)
    dark = (light < DARK) & _below(light, DARK_SHARE)
    uniform = (statistics.contrast < UNIFORM) & _below(statistics.contrast, UNIFORM_SHARE) & ~dark
    blurred = (statistics.sharpness < BLURRED) & _below(edges, BLURRED_SHARE) & ~dark & ~uniform
    return (
        *tell(Kind.DARK, _mentions(samples, dark, statistics.brightness, "brightness {:.0f} of 255")),
        *tell(Kind.UNIFORM, _mentions(samples, uniform, statistics.contrast, "contrast {:.1f}")),
        *tell(Kind.BLURRED, _mentions(samples, blurred, statistics.sharpness, "sharpness {:.0f}")),
    )


def _below(values: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    below: NDArray[np.bool_] = values < share * np.median(values)
    return below


def _mentions(
    samples: Sequence[Sample], found: NDArray[np.bool_], figures: NDArray[np.float64], words: str
) -> Iterator[Mention]:
    for row in sorted(np.flatnonzero(found).tolist(), key=lambda row: (figures[row], samples[row].name)):
        figure = float(figures[row])
        yield Mention((samples[row].name,), words.format(figure), figure, (samples[row].label,))
