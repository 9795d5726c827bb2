"""Bulk predictions: the table appears whole, and a killed run goes on where it stopped."""

import csv
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from trainer.predicting import PicturePrediction
from trainer.prediction_table import COLUMNS, PredictionTable, state_of

BUNDLE = "c" * 64
STATE = "10 20 30"


def row(name: str, *, problem: str | None = None) -> dict[str, str | float | None]:
    known = problem is None
    return PicturePrediction(name, "cat" if known else None, 0.5 if known else None, None, problem).as_json()


def test_rows_stand_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    with PredictionTable(out, content_sha256=BUNDLE) as table:
        table.add(row("b.jpg"), STATE)
        table.add(row("a.jpg", problem="truncated"), STATE)
        table.finish(order=["a.jpg", "b.jpg"])

    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert [(r["file"], r["label"], r["problem"]) for r in rows] == [("a.jpg", "", "truncated"), ("b.jpg", "cat", "")]
    assert list(tmp_path.iterdir()) == [out]


def test_a_parquet_table_has_types(tmp_path: Path) -> None:
    out = tmp_path / "p.parquet"
    with PredictionTable(out, content_sha256=BUNDLE) as table:
        table.add(row("a.jpg"), STATE)
        table.finish(order=["a.jpg"])

    unknown = dict.fromkeys(("novelty", "unfamiliar", "actual", "problem"))
    assert pq.read_table(out).to_pylist() == [{"file": "a.jpg", "label": "cat", "score": 0.5, **unknown}]


def test_a_run_that_was_killed_in_mid_line_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    with PredictionTable(out, content_sha256=BUNDLE) as table:
        table.add(row("a.jpg"), STATE)
    journal = tmp_path / ".p.csv.partial"
    journal.write_text(journal.read_text() + json.dumps({"file": "b.jpg"})[:-3])

    with PredictionTable(out, content_sha256=BUNDLE) as table:
        assert (table.has("a.jpg", STATE), table.has("b.jpg", STATE)) == (True, False)
        table.add(row("b.jpg"), STATE)
        table.finish(order=["a.jpg", "b.jpg"])
    assert len(out.read_text().splitlines()) == 3


def test_a_row_of_an_interrupted_run_counts_only_for_the_file_as_it_was(tmp_path: Path) -> None:
    out, picture = tmp_path / "p.csv", tmp_path / "a.jpg"
    picture.write_bytes(b"one picture")
    before = state_of(picture)
    with PredictionTable(out, content_sha256=BUNDLE) as table:
        table.add(row("a.jpg"), before)
    picture.write_bytes(b"another one")
    after = picture.stat()
    os.utime(picture, ns=(after.st_atime_ns, after.st_mtime_ns + 1))

    with PredictionTable(out, content_sha256=BUNDLE) as table:
        assert table.has("a.jpg", before)
        assert not table.has("a.jpg", state_of(picture))
        assert not table.has("a.jpg", state_of(tmp_path / "gone.jpg"))


def test_a_row_that_tells_a_problem_is_tried_again(tmp_path: Path) -> None:
    """A disk that was away for a moment must not leave holes in the table for ever."""
    out = tmp_path / "p.csv"
    with PredictionTable(out, content_sha256=BUNDLE) as table:
        table.add(row("a.jpg", problem="cannot be read"), STATE)

    with PredictionTable(out, content_sha256=BUNDLE) as table:
        assert not table.has("a.jpg", STATE)


def test_predictions_of_another_bundle_are_not_taken_over(tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    with PredictionTable(out, content_sha256=BUNDLE) as table:
        table.add(row("a.jpg"), STATE)

    with PredictionTable(out, content_sha256="d" * 64) as table:
        assert not table.has("a.jpg", STATE)


def test_an_old_table_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    out.write_text("old")

    with pytest.raises(KeyError), PredictionTable(out, content_sha256=BUNDLE) as table:
        table.finish(order=["never-predicted.jpg"])

    assert out.read_text() == "old"
