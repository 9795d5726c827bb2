"""Statistics on disk. What the store under it promises (damage, interrupts, compaction) is tested with features."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from shared.files import sha256_of
from trainer.part_file import list_parts
from trainer.picture_statistics import COLUMNS, GREY_SIDE, PictureStatistics
from trainer.statistics_cache import StatisticsCache


def digest_of(number: int) -> str:
    return sha256_of(str(number).encode())


def statistics_of(number: int) -> PictureStatistics:
    return PictureStatistics(
        width=640 + number,
        height=480,
        format=("JPEG", "PNG", "WEBP", "TIFF")[number % 4],
        orientation=1 + number % 8,
        brightness=number / 3,
        contrast=number / 7,
        sharpness=1e6 / (number + 1),
        difference_hash=2**64 - 1 - number,
        grey=np.random.default_rng(number).integers(0, 256, (GREY_SIDE, GREY_SIDE), dtype=np.uint8),
    )


def cache_in(folder: Path, fingerprint: str = "f" * 64) -> StatisticsCache:
    return StatisticsCache(folder, fingerprint)


def store(cache: StatisticsCache, numbers: range) -> None:
    with cache.writer() as writer:
        for number in numbers:
            writer.add(digest_of(number), statistics_of(number))


def stored_numbers(cache: StatisticsCache, numbers: range) -> list[int]:
    """Which of the numbers the cache has; their statistics must be right in every bit."""
    table, found = cache.read([digest_of(number) for number in numbers])
    for row, number in enumerate(numbers):
        if found[row]:
            same_in_every_bit(table.row(row), statistics_of(number))
    return [number for number, is_there in zip(numbers, found, strict=True) if is_there]


def same_in_every_bit(found: PictureStatistics, wanted: PictureStatistics) -> None:
    for name in COLUMNS[:-1]:
        assert getattr(found, name) == getattr(wanted, name), name
    assert found.grey.tobytes() == wanted.grey.tobytes()


def test_what_was_written_is_read_back_in_every_bit(tmp_path: Path) -> None:
    store(cache_in(tmp_path), range(600))

    cache = cache_in(tmp_path)

    assert stored_numbers(cache, range(700)) == list(range(600))
    assert cache.known([digest_of(5), digest_of(999)]) == {digest_of(5)}
    assert (cache.warnings, len(list_parts(cache.folder))) == ([], 3)


def test_the_order_is_that_of_the_question(tmp_path: Path) -> None:
    store(cache_in(tmp_path), range(10))

    table, found = cache_in(tmp_path).read([digest_of(number) for number in (7, 99, 2)])

    assert (table.digests, found.tolist()) == ((digest_of(7), digest_of(99), digest_of(2)), [True, False, True])
    assert table.width.tolist() == [647, 0, 642]


def test_an_empty_cache_knows_nothing(tmp_path: Path) -> None:
    cache = cache_in(tmp_path / "never made")

    assert stored_numbers(cache, range(3)) == []
    cache.compact()
    assert not (tmp_path / "never made").exists()


def test_another_fingerprint_shares_nothing(tmp_path: Path) -> None:
    store(cache_in(tmp_path), range(5))

    assert stored_numbers(cache_in(tmp_path, "e" * 64), range(5)) == []


def test_the_format_is_the_documented_one(tmp_path: Path) -> None:
    """Distributed workers write the same parts."""
    cache = cache_in(tmp_path)
    store(cache, range(3))
    (part,) = list_parts(tmp_path / "statistics" / ("f" * 64))

    schema = pq.read_schema(part)

    assert part.name == f"part-{sha256_of(part.read_bytes())}.parquet"
    assert schema.names == ["digest", *COLUMNS]
    assert [str(schema.field(name).type) for name in ("width", "format", "orientation", "sharpness", "grey")] == [
        "int64",
        "string",
        "uint8",
        "double",
        "fixed_size_binary[1024]",
    ]
    assert str(schema.field("difference_hash").type) == "uint64"


def test_a_part_of_features_among_them_is_dropped_though_its_hash_is_right(tmp_path: Path) -> None:
    from trainer.feature_cache import FeatureCache

    cache = cache_in(tmp_path)
    store(cache, range(3))
    features = FeatureCache(tmp_path, "f" * 64, 4)
    with features.writer() as writer:
        writer.add(digest_of(9), "plain", np.zeros(4, np.float32))
    (part,) = list_parts(features.folder)
    part.rename(cache.folder / part.name)

    assert stored_numbers(cache, range(10)) == [0, 1, 2]
    assert len(cache.warnings) == 1 and "expected digest: string, width: int64" in cache.warnings[0]


def test_compaction_joins_parts_keeps_each_row_once_and_loses_nothing(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    for start in range(0, 50, 5):
        store(cache, range(start, start + 8))

    cache.compact()

    (part,) = list_parts(cache.folder)
    assert stored_numbers(cache, range(70)) == list(range(53))
    assert pq.read_table(part).num_rows == 53
