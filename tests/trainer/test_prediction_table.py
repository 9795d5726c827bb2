"""Bulk predictions: the table appears whole, and a killed run goes on where it stopped."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from trainer.predicting import PicturePrediction
from trainer.prediction_table import COLUMNS, PredictionTable

BUNDLE = "c" * 64


def row(name: str, *, problem: str | None = None) -> dict[str, str | float | None]:
    known = problem is None
    return PicturePrediction(Path(name), "cat" if known else None, 0.5 if known else None, None, problem).as_json()


def test_rows_stand_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    with PredictionTable(out, content_sha256=BUNDLE) as table:
        table.add(row("b.jpg"))
        table.add(row("a.jpg", problem="truncated"))
        table.finish(order=["a.jpg", "b.jpg"])

    rows = list(csv.DictReader(out.open()))
    assert tuple(rows[0]) == COLUMNS
    assert [(r["file"], r["label"], r["problem"]) for r in rows] == [("a.jpg", "", "truncated"), ("b.jpg", "cat", "")]
    assert list(tmp_path.iterdir()) == [out]


def test_a_parquet_table_has_types(tmp_path: Path) -> None:
    out = tmp_path / "p.parquet"
    with PredictionTable(out, content_sha256=BUNDLE) as table:
        table.add(row("a.jpg"))
        table.finish(order=["a.jpg"])

    assert pq.read_table(out).to_pylist() == [
        {"file": "a.jpg", "label": "cat", "score": 0.5, "actual": None, "problem": None}
    ]


def test_a_run_that_was_killed_in_mid_line_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    with PredictionTable(out, content_sha256=BUNDLE) as table:
        table.add(row("a.jpg"))
    journal = tmp_path / ".p.csv.partial"
    journal.write_text(journal.read_text() + json.dumps({"file": "b.jpg"})[:-3])

    with PredictionTable(out, content_sha256=BUNDLE) as table:
        assert set(table.done) == {"a.jpg"}
        table.add(row("b.jpg"))
        table.finish(order=["a.jpg", "b.jpg"])
    assert len(out.read_text().splitlines()) == 3


def test_predictions_of_another_bundle_are_not_taken_over(tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    with PredictionTable(out, content_sha256=BUNDLE) as table:
        table.add(row("a.jpg"))

    with PredictionTable(out, content_sha256="d" * 64) as table:
        assert not table.done


def test_an_old_table_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    out.write_text("old")

    with pytest.raises(KeyError), PredictionTable(out, content_sha256=BUNDLE) as table:
        table.finish(order=["never-predicted.jpg"])

    assert out.read_text() == "old"
