from pathlib import Path

import numpy as np
import pytest

from bench.streamed_head import Task, fit_from_disk, fit_in_memory, made_blocks


def test_made_rows_are_the_same_whoever_makes_them_and_others_with_another_seed() -> None:
    first, again, others = ([block for _, block in made_blocks(12_000, 4, 3, seed=seed)] for seed in (1, 1, 2))

    assert [len(block) for block in first] == [10_000, 2_000]
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[0], others[0])
    assert not np.array_equal(first[0][:2_000], first[1])


def test_both_ways_say_the_same_of_rows_they_have_not_seen(tmp_path: Path) -> None:
    """Else seconds and memory would be those of different work."""
    task = Task(rows=3000, size=16, classes=4, threads=1, folder=tmp_path)

    from_disk, in_memory = fit_from_disk(task), fit_in_memory(task)

    assert from_disk.accuracy == pytest.approx(in_memory.accuracy, abs=0.01)
    assert from_disk.log_loss == pytest.approx(in_memory.log_loss, abs=0.02)
    assert from_disk.accuracy > 0.4
