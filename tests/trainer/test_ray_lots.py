"""What travels between a run and its workers arrives as it was."""

from dataclasses import replace

import pyarrow as pa
import pytest

from trainer.picture_rows import PLAIN
from trainer.ray_lots import FEWEST_IN_A_LOT, MOST_IN_A_LOT, Lot, LotResult, Trouble, lot_size, lots_of, results_in
from trainer.samples import Sample

SAMPLES = [Sample(f"/data/{number}.jpg", f"{number}.jpg", "label", f"{number:064}", "train") for number in range(5)]


def test_a_lot_arrives_as_it_was_but_for_labels_and_splits() -> None:
    """Names are any bytes that a disk allows, plain pictures and views are wanted, or nothing but statistics."""
    odd = Sample("/data/\udcff.jpg", "\\xff.jpg", "label", "f" * 64, None)
    wanted = {SAMPLES[0].digest: (PLAIN, 0, 7), SAMPLES[1].digest: (3,), odd.digest: (PLAIN,)}
    lot = Lot(4, (*SAMPLES[:3], odd), wanted, frozenset({SAMPLES[1].digest}))

    found = Lot.from_table(lot.as_table())

    assert [(one.location, one.name, one.digest) for one in found.samples] == [
        (one.location, one.name, one.digest) for one in lot.samples
    ]
    assert {(one.label, one.split) for one in found.samples} == {("", None)}
    assert (found.number, found.wanted, found.measured) == (lot.number, lot.wanted, lot.measured)


def test_two_lots_that_come_as_one_are_refused() -> None:
    """Only one of them would be answered."""
    lots = [Lot(number, (SAMPLES[number],), {}, frozenset()) for number in (1, 2)]

    with pytest.raises(ValueError, match=r"lots \[1, 2\] came as one"):
        Lot.from_table(pa.concat_tables(lot.as_table() for lot in lots))


def test_a_relative_path_is_found_by_a_worker_that_was_started_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/usr")
    lot = Lot(0, (replace(SAMPLES[0], location="share/a.jpg"),), {}, frozenset())

    assert Lot.from_table(lot.as_table()).samples[0].location == "/usr/share/a.jpg"


def test_results_arrive_as_they_were_also_when_ray_joins_them() -> None:
    results = [
        LotResult(0, "node (10.0.0.1)"),
        LotResult(1, "node", {"a" * 64: "cannot be read: Ünlesbar"}, ["features/x/part-1.parquet"]),  # type: ignore[arg-type]
        LotResult(2, "node", trouble=Trouble("differs", {"pillow": ["13.0.0", "12.0.0"]})),
    ]

    found = list(results_in(pa.concat_tables(result.as_table() for result in results)))

    assert [one.number for one in found] == [0, 1, 2]
    assert (found[1].refused, list(found[1].written)) == (results[1].refused, ["features/x/part-1.parquet"])
    assert found[2].trouble == results[2].trouble and found[0].trouble is None


@pytest.mark.parametrize(
    ("count", "workers", "renderings", "size"),
    [
        (10, 2, 1, FEWEST_IN_A_LOT),
        (1_000, 2, 1, 125),
        (1_000_000, 2, 1, MOST_IN_A_LOT),
        (1_000_000, 2, 4, MOST_IN_A_LOT // 4),
        (1_000_000, 2, 65, FEWEST_IN_A_LOT),
        (1_000_000, 10_000, 1, 25),
        (1, 1, 1, FEWEST_IN_A_LOT),
    ],
)
def test_each_worker_has_several_lots_and_none_is_larger_than_a_part(
    count: int, workers: int, renderings: int, size: int
) -> None:
    assert lot_size(count, workers=workers, renderings=renderings) == size


def test_lots_hold_every_picture_once_and_know_which_are_measured() -> None:
    lots = list(lots_of(SAMPLES, 2, wanted={}, measured={SAMPLES[3].digest}))

    assert [lot.number for lot in lots] == [0, 1, 2]
    assert [one for lot in lots for one in lot.samples] == SAMPLES
    assert [lot.measured for lot in lots] == [frozenset(), frozenset({SAMPLES[3].digest}), frozenset()]
