import errno
import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer import rows_on_disk
from trainer.errors.caches import CacheNotWritable
from trainer.rows_on_disk import RowFile, RowsOnDisk


@pytest.fixture(autouse=True)
def blocks_of_seven_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_on_disk, "_BLOCK_BYTES", 7 * 3 * 4)


def numbers(count: int) -> NDArray[np.float32]:
    return np.arange(3 * count, dtype=np.float32).reshape(count, 3)


def on_disk(folder: Path, values: NDArray[np.float32]) -> RowsOnDisk:
    file = RowFile(folder, *values.shape)
    file.write(np.arange(len(values)), values)
    return file.rows()


def together(rows: RowsOnDisk) -> NDArray[np.float32]:
    starts, blocks = zip(*rows.blocks(), strict=True)
    assert list(starts) == np.cumsum([0, *(len(block) for block in blocks[:-1])]).tolist()
    return np.concatenate(blocks)


def test_rows_come_in_their_order_in_whatever_order_they_were_written(tmp_path: Path) -> None:
    values = numbers(40)
    file = RowFile(tmp_path, 40, 3)
    for part in np.array_split(np.random.default_rng(0).permutation(40), 5):
        file.write(part, values[part])

    assert np.array_equal(together(file.rows()), values)


def test_no_block_is_larger_than_told(tmp_path: Path) -> None:
    sizes = [len(block) for _, block in on_disk(tmp_path, numbers(40)).blocks()]

    assert sizes == [7, 7, 7, 7, 7, 5]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_some_rows_of_some_rows_are_those(tmp_path: Path, share: float) -> None:
    values = numbers(200)
    some = np.flatnonzero(np.random.default_rng(1).random(200) < share)
    fewer = np.flatnonzero(np.random.default_rng(2).random(len(some)) < 0.5)

    taken = on_disk(tmp_path, values).take(some).take(fewer)

    assert taken.shape == (len(fewer), 3)
    assert np.array_equal(together(taken), values[some][fewer])
    assert np.array_equal(taken.together(), values[some][fewer])


def test_rows_are_taken_in_any_order_some_of_them_twice(tmp_path: Path) -> None:
    """Samples come in the order of a manifest, and copies of a picture share a row."""
    values, some = numbers(200), np.random.default_rng(0).integers(0, 200, 300)

    assert np.array_equal(on_disk(tmp_path, values).take(some).together(), values[some])


def test_rows_that_one_reads_twice_come_as_often(tmp_path: Path) -> None:
    values, some = numbers(9), np.array([0, 0, 2, 3, 3, 3, 8])

    assert np.array_equal(together(on_disk(tmp_path, values).take(some)), values[some])


def test_a_selection_in_another_order_can_be_put_in_order(tmp_path: Path) -> None:
    values, order = numbers(200), np.random.default_rng(0).permutation(200)
    mixed = on_disk(tmp_path, values).take(order)

    with pytest.raises(ValueError, match="in the order of their file"):
        next(mixed.blocks())
    assert np.array_equal(together(mixed.take(np.argsort(order))), values)


def test_few_rows_of_many_are_read_without_those_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_on_disk, "_BLOCK_BYTES", 100 * 3 * 4)
    rows, read = on_disk(tmp_path, numbers(5000)), list[int]()
    preadv = os.preadv

    def counted(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        read.append(len(buffers[0]) // 12)
        return preadv(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", counted)
    some = np.arange(7, 5000, 50)

    assert np.array_equal(together(rows.take(some)), numbers(5000)[some])
    assert sum(read) == len(some)


def test_what_is_done_to_rows_is_done_when_they_are_read(tmp_path: Path) -> None:
    values = numbers(40)

    changed = on_disk(tmp_path, values).changed(lambda rows: 2 * rows).take(np.arange(3, 30)).changed(np.negative)

    assert np.array_equal(together(changed), -2 * values[3:30])


def test_no_rows_have_no_blocks(tmp_path: Path) -> None:
    assert list(on_disk(tmp_path, numbers(9)).take(np.array([], np.int64)).blocks()) == []


def test_whoever_stops_looking_leaves_no_reader(tmp_path: Path) -> None:
    rows = on_disk(tmp_path, numbers(40))
    for _ in rows.blocks():
        break
    gc.collect()

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rows")]
    assert np.array_equal(together(rows), numbers(40))


def test_nothing_is_left_in_the_folder_even_while_it_is_used(tmp_path: Path) -> None:
    rows = on_disk(tmp_path, numbers(9))

    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(together(rows), numbers(9))


def test_the_file_lives_as_long_as_a_selection_and_no_longer(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    some = on_disk(tmp_path, numbers(9)).take(np.array([3, 4]))
    gc.collect()

    assert np.array_equal(together(some), numbers(9)[3:5])
    del some
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_disk_without_room_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)

    with pytest.raises(CacheNotWritable, match=r"No space left on device.*--cache-dir"):
        RowFile(tmp_path, 10, 3)


def test_a_file_that_was_cut_is_told(tmp_path: Path) -> None:
    file = RowFile(tmp_path, 20, 3)
    os.truncate(file.rows()._file.descriptor, 10 * 12)

    with pytest.raises(OSError, match="ends before row 14"):
        list(file.rows().blocks())


def test_nothing_is_written_where_nothing_is_given(tmp_path: Path) -> None:
    """A part of the cache may hold none of the pictures that are asked for."""
    file = RowFile(tmp_path, 9, 3)

    file.write([], numbers(0))

    assert np.array_equal(together(file.rows()), np.zeros((9, 3)))


@pytest.mark.parametrize("position", [-1, 9])
def test_positions_outside_of_the_file_are_refused(tmp_path: Path, position: int) -> None:
    with pytest.raises(ValueError, match="in a file of 9 rows"):
        RowFile(tmp_path, 9, 3).write([position], numbers(1))
