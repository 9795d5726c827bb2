"""trainer/feature_cache.py, part_store.py and part_file.py: nothing twice, nothing stale, nothing half-written."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from shared.files import sha256_of
from trainer.errors.caches import CacheNotWritable
from trainer.feature_cache import FeatureCache
from trainer.part_file import list_parts
from trainer.part_store import sole_compactor
from trainer.rows_on_disk import RowFile

SIZE = 8
ROOT = Path(__file__).resolve().parents[2]


def digest_of(number: int) -> str:
    return sha256_of(str(number).encode())


def features_of(number: int) -> NDArray[np.float32]:
    return np.full(SIZE, number / 7, dtype=np.float32)


def cache_in(folder: Path, fingerprint: str = "f" * 64, size: int = SIZE) -> FeatureCache:
    return FeatureCache(folder, fingerprint, size)


def store(cache: FeatureCache, numbers: range, view: str = "plain") -> None:
    with cache.writer() as writer:
        for number in numbers:
            writer.add(digest_of(number), view, features_of(number))


def stored_numbers(cache: FeatureCache, numbers: range) -> list[int]:
    """Which of the numbers the cache has; their features must be right."""
    values, found = cache.read([digest_of(number) for number in numbers])
    for number, row, is_there in zip(numbers, values, found, strict=True):
        np.testing.assert_array_equal(row, features_of(number) if is_there else np.zeros(SIZE))
    return [number for number, is_there in zip(numbers, found, strict=True) if is_there]


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    store(cache_in(tmp_path), range(600))

    cache = cache_in(tmp_path)

    assert stored_numbers(cache, range(700)) == list(range(600))
    assert cache.known([digest_of(5), digest_of(999)]) == {digest_of(5)}
    assert cache.warnings == []
    assert len(list_parts(cache.folder)) == 3


def test_features_are_float32_bit_for_bit(tmp_path: Path) -> None:
    row = np.array([1e-38, -0.0, 3.4e38, 1 / 3, 1e-45, 0, 1, 2], dtype=np.float32)
    with cache_in(tmp_path).writer() as writer:
        writer.add(digest_of(1), "plain", row)

    values, _ = cache_in(tmp_path).read([digest_of(1)])
    (read,) = values

    assert read.dtype == np.float32
    assert read.tobytes() == row.tobytes()


def test_an_empty_cache_knows_nothing(tmp_path: Path) -> None:
    cache = cache_in(tmp_path / "never made")

    assert stored_numbers(cache, range(3)) == []
    assert cache.known([digest_of(1)]) == set()
    cache.compact()
    assert not (tmp_path / "never made").exists()


def test_another_fingerprint_shares_nothing(tmp_path: Path) -> None:
    store(cache_in(tmp_path), range(10))

    assert stored_numbers(cache_in(tmp_path, "e" * 64), range(10)) == []


def test_views_are_kept_apart(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    store(cache, range(10), view="flipped")

    assert stored_numbers(cache, range(10)) == []
    assert cache.read([digest_of(1), digest_of(99)], "flipped")[1].tolist() == [True, False]


def test_equal_rows_twice_are_legal(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    store(cache, range(10))
    store(cache, range(5, 15))

    assert stored_numbers(cache, range(15)) == list(range(15))


def test_the_format_is_the_documented_one(tmp_path: Path) -> None:
    """Distributed workers write the same parts."""
    cache = cache_in(tmp_path)
    store(cache, range(3))
    (part,) = list_parts(tmp_path / "features" / ("f" * 64))

    schema = pq.read_schema(part)

    assert part.name == f"part-{sha256_of(part.read_bytes())}.parquet"
    assert schema.names == ["digest", "view", "features"]
    assert pa.types.is_fixed_size_list(schema.field("features").type)
    assert schema.field("features").type.list_size == SIZE
    assert schema.field("features").type.value_type == pa.float32()


def test_damage_anywhere_drops_the_part_and_only_it(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    store(cache, range(5))
    store(cache, range(5, 10))
    part = list_parts(cache.folder)[0]
    whole = part.read_bytes()
    others = set(range(10)) - set(_numbers_in(part))

    for position in sorted({0, 3, len(whole) - 1, len(whole) - 5, *range(0, len(whole), 101)}):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        part.write_bytes(damaged)
        reader = cache_in(tmp_path)

        assert set(stored_numbers(reader, range(10))) == others
        assert len(reader.warnings) == 1
        assert part.name in reader.warnings[0]
        assert not part.exists()


@pytest.mark.parametrize("kept", [0, 1, 4, 100])
def test_a_part_cut_short_is_dropped(tmp_path: Path, kept: int) -> None:
    store(cache_in(tmp_path), range(5))
    (part,) = list_parts(cache_in(tmp_path).folder)
    part.write_bytes(part.read_bytes()[:kept])

    cache = cache_in(tmp_path)

    assert stored_numbers(cache, range(5)) == []
    assert len(cache.warnings) == 1


def test_a_part_of_another_shape_is_dropped_though_its_hash_is_right(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    store(cache_in(tmp_path, size=SIZE), range(5))
    told: list[str] = []

    narrow = FeatureCache(tmp_path, "f" * 64, SIZE - 1, warn=told.append)

    assert narrow.read([digest_of(1)])[1].tolist() == [False]
    assert narrow.warnings == told
    assert "expected" in told[0]
    assert list_parts(cache.folder) == []


def test_a_file_that_is_no_parquet_is_dropped_though_its_hash_is_right(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    store(cache, range(5))
    foreign = cache.folder / f"part-{sha256_of(b'hello')}.parquet"
    foreign.write_bytes(b"hello")

    assert stored_numbers(cache, range(5)) == list(range(5))
    assert not foreign.exists()


def test_files_of_other_names_are_left_alone(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    store(cache, range(5))
    note = cache.folder / "part-of-something.parquet"
    note.write_text("mine")

    assert stored_numbers(cache, range(5)) == list(range(5))
    assert (note.read_text(), cache.warnings) == ("mine", [])


@pytest.mark.parametrize("row", [np.zeros(SIZE + 1), np.full(SIZE, np.nan), np.full(SIZE, np.inf), np.zeros((1, SIZE))])
def test_a_row_that_would_poison_the_cache_is_refused(tmp_path: Path, row: NDArray[np.float64]) -> None:
    with cache_in(tmp_path).writer() as writer, pytest.raises(ValueError, match="finite"):
        writer.add(digest_of(1), "plain", row.astype(np.float32))

    assert stored_numbers(cache_in(tmp_path), range(2)) == []


def test_a_row_is_taken_as_it_is_now(tmp_path: Path) -> None:
    """The caller may reuse its buffer for the next picture."""
    buffer = features_of(1)
    with cache_in(tmp_path).writer() as writer:
        writer.add(digest_of(1), "plain", buffer)
        buffer[:] = 99

    assert stored_numbers(cache_in(tmp_path), range(2)) == [1]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_keeps_what_was_done(tmp_path: Path, interruption: type[BaseException]) -> None:
    with pytest.raises(interruption), cache_in(tmp_path).writer() as writer:
        writer.add(digest_of(1), "plain", features_of(1))
        raise interruption

    assert stored_numbers(cache_in(tmp_path), range(3)) == [1]


def test_several_threads_may_write_through_one_writer(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    with cache.writer() as writer:

        def add(start: int) -> None:
            for number in range(start, start + 300):
                writer.add(digest_of(number), "plain", features_of(number))

        threads = [threading.Thread(target=add, args=(start,)) for start in (0, 300, 600)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert stored_numbers(cache, range(900)) == list(range(900))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "features").write_text("a file where a folder should be")

    with pytest.raises(CacheNotWritable, match="--cache-dir"), cache_in(tmp_path).writer():
        pytest.fail("wrote into a file")


def test_compaction_joins_parts_and_loses_nothing(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    for start in range(0, 50, 5):
        store(cache, range(start, start + 8))

    cache.compact()
    cache.compact()

    assert len(list_parts(cache.folder)) == 1
    assert stored_numbers(cache, range(70)) == list(range(53))
    assert len(_numbers_in(list_parts(cache.folder)[0])) == 53


def test_compaction_leaves_large_parts_alone(tmp_path: Path) -> None:
    wide = FeatureCache(tmp_path, "a" * 64, 2**20)  # 4 MiB a row, so 8 rows fill a part
    for start in (0, 5):
        with wide.writer() as writer:
            for number in range(start, start + 5):
                writer.add(digest_of(number), "plain", np.full(2**20, number, np.float32))
    before = list_parts(wide.folder)

    wide.compact()

    assert list_parts(wide.folder) == before


def test_a_compaction_that_was_killed_before_it_deleted_leaves_every_row_and_the_next_one_tidies(
    tmp_path: Path,
) -> None:
    cache = cache_in(tmp_path)
    for start in range(0, 20, 2):
        store(cache, range(start, start + 2))
    small = {path: path.read_bytes() for path in list_parts(cache.folder)}
    cache.compact()
    for path, content in small.items():
        path.write_bytes(content)

    assert stored_numbers(cache, range(20)) == list(range(20))
    cache.compact()
    assert len(list_parts(cache.folder)) == 1
    assert stored_numbers(cache, range(20)) == list(range(20))


def test_only_one_program_compacts_at_a_time(tmp_path: Path) -> None:
    """The other one goes on with its work instead of waiting or deleting what was just joined."""
    cache = cache_in(tmp_path)
    for start in range(0, 20, 2):
        store(cache, range(start, start + 2))
    before = list_parts(cache.folder)

    with sole_compactor(cache.folder) as sole:
        cache_in(tmp_path).compact()
        assert (sole, list_parts(cache.folder)) == (True, before)

    cache.compact()
    assert len(list_parts(cache.folder)) == 1


def test_a_reader_finds_everything_while_another_compacts(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    for start in range(0, 40, 2):
        store(cache, range(start, start + 2))
    compactor = threading.Thread(target=cache_in(tmp_path).compact)
    compactor.start()

    while compactor.is_alive():
        assert stored_numbers(cache, range(40)) == list(range(40))

    assert stored_numbers(cache, range(40)) == list(range(40))


def test_what_a_killed_run_left_unfinished_is_removed_when_it_is_old(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    store(cache, range(2))
    old, young = cache.folder / f".part.{'0' * 16}", cache.folder / f".part.{'1' * 16}"
    for path in (old, young):
        path.write_text("half")
    os.utime(old, (time.time() - 2 * 3600,) * 2)

    store(cache, range(2, 3))

    assert (old.exists(), young.exists()) == (False, True)
    assert stored_numbers(cache, range(4)) == [0, 1, 2]


WRITER = """
import sys
from pathlib import Path
from tests.trainer.test_feature_cache import cache_in, digest_of, features_of

with cache_in(Path(sys.argv[1])).writer() as writer:
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        writer.add(digest_of(number), "plain", features_of(number))
"""


def start_writer(folder: Path, start: int, end: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(start), str(end)], cwd=ROOT)


def test_a_killed_run_loses_at_most_one_part(tmp_path: Path) -> None:
    process = start_writer(tmp_path, 0, 10**9)
    try:
        cache = cache_in(tmp_path)
        while len(list_parts(cache.folder)) < 3:
            assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()

    present = stored_numbers(cache, range(100_000))

    assert present == list(range(len(present)))
    assert len(present) == 256 * len(list_parts(cache.folder))
    assert cache.warnings == []


def test_two_runs_may_share_a_cache(tmp_path: Path) -> None:
    processes = [start_writer(tmp_path, 0, 2000), start_writer(tmp_path, 1000, 3000)]

    assert [process.wait() for process in processes] == [0, 0]

    cache = cache_in(tmp_path)
    assert stored_numbers(cache, range(4000)) == list(range(3000))
    assert cache.warnings == []


def _numbers_in(part: Path) -> list[int]:
    digests = pq.read_table(part).column("digest").to_pylist()
    return [number for number in range(1000) if digest_of(number) in digests]


def test_features_are_copied_into_a_file_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    """A part at a time: what memory does not hold goes from the cache to the head this way."""
    cache, wanted = cache_in(tmp_path), [700, 3, 999, 256]
    store(cache, range(800))
    file = RowFile(tmp_path, len(wanted), SIZE)

    found = cache.copy([digest_of(number) for number in wanted], file)

    assert found.tolist() == [True, True, False, True]
    rows = file.rows().together()
    for row, number in zip(rows, wanted, strict=True):
        np.testing.assert_array_equal(row, np.zeros(SIZE) if number == 999 else features_of(number))
