"""What the time of a start is made of."""

from bench.startup import imports_ms

TOLD = """import time: self [us] | cumulative | imported package
import time:       500 |        500 |     json.decoder
import time:       250 |        750 |   json
import time:      1000 |       1750 | numpy.linalg
import time:      2000 |       9999 | numpy
"""


def test_each_package_has_the_time_of_its_own_modules() -> None:
    """Not what these import besides: that would count twice."""
    assert imports_ms(TOLD) == {"standard library": 0.75, "numpy": 3.0}
