"""What `bench.novelty` calls unfamiliar."""

import numpy as np
import pytest

from bench.novelty import shares_above


def test_shares_are_of_the_pictures_above_each_threshold_that_the_docs_name() -> None:
    novelty = np.array([0.2, 0.95, 0.96, 0.985, 0.999], np.float32)

    assert shares_above(novelty) == pytest.approx({"above 0.99": 0.2, "above 0.98": 0.4, "above 0.95": 0.6})
