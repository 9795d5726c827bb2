"""The contest of servers: what counts as the same answer, how ratios are made, and one small round of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.contest import Figures, Point
from bench.predict_tables import tables
from bench.sides import SIDES, LeftOut, Setting, post_base64, require, same_answer
from tests.service.bundles import publish_bundle

ROOT = Path(__file__).parents[2]


def answer(*scores: float, labels: str = "ab") -> dict[str, Any]:
    predictions = [{"label": label, "score": score} for label, score in zip(labels, scores, strict=True)]
    return {"label": labels[0], "score": scores[0], "predictions": predictions}


def figures(side: str, number: int, per_s: float, *, clients: int = 8, p99_ms: float = 10.0) -> Figures:
    return Figures(side, Point("500x375", clients), number, per_s, 5.0, p99_ms, 1.0, 0.1, 100.0)


def test_answers_are_the_same_when_labels_are_and_scores_nearly() -> None:
    assert same_answer(answer(0.7, 0.3), answer(0.70001, 0.29999))
    assert not same_answer(answer(0.7, 0.3), answer(0.701, 0.299))
    assert not same_answer(answer(0.7, 0.3), answer(0.7, 0.3, labels="ac"))
    assert not same_answer(answer(0.7, 0.3), answer(0.7, labels="a"))


def test_a_ratio_is_taken_within_its_round() -> None:
    """Both sides are twice as fast in the second round: the ratio does not spread."""
    ours = [figures("finial", number, 100 * (number + 1)) for number in range(2)]
    made = tables(ours + [figures("it", number, 50 * (number + 1)) for number in range(2)])

    (ratio,) = [table for table in made if table.startswith("| finial against each")]
    assert "| it | 2.00 [2.00, 2.00] |" in ratio
    assert "| finial |" not in ratio


def test_a_side_that_was_not_measured_at_a_point_has_no_figure_there() -> None:
    made = tables([figures("finial", 0, 100), figures("finial", 0, 90, clients=64), figures("it", 0, 50)])

    assert "| answers a second (500x375, closed loop, clients) | 8 | 64 |" in made[0]
    assert "| it | 50.0 [50.0, 50.0] | - |" in made[0]


def test_higher_is_better_in_both_ratios() -> None:
    made = tables([figures("finial", 0, 100, p99_ms=10), figures("it", 0, 50, p99_ms=30)])

    assert "| it | 3.00 [3.00, 3.00] |" in made[-1]


def test_a_side_that_is_not_installed_is_left_out_with_the_reason(tmp_path: Path) -> None:
    mosec = next(side for side in SIDES if side.name == "mosec")
    nowhere = Setting(tmp_path, None, tmp_path / "bin/python", tmp_path)
    without_it = Setting(tmp_path, None, Path(sys.executable), tmp_path)

    with pytest.raises(LeftOut, match="make bench"):
        require(mosec, nowhere)
    with pytest.raises(LeftOut, match="mosec is not installed"):
        require(mosec, without_it)


def test_a_picture_in_json_is_base64() -> None:
    head, _, body = post_base64(b"\xff\xd8").partition(b"\r\n\r\n")

    assert json.loads(body) == {"image_data": "/9g="}
    assert b"Content-Type: application/json" in head


@pytest.mark.slow
def test_a_quick_round_measures_every_side(tmp_path: Path) -> None:
    bundle, found = publish_bundle(tmp_path / "models"), tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench.predict", "--quick", "--bundle", str(bundle.path), "--json", str(found)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)

    assert run.returncode == 0, run.stderr
    told = json.loads(found.read_text())
    assert told["left_out"] == {}
    measured = {each["side"] for each in told["figures"]}
    assert measured == {"finial", "bare", "bare beside client", "tutorial"}
    assert all(each["per_s"] > 0 and not each["failures"] for each in told["figures"])
    assert all(each["processor_ms"] > 0 and each["memory_mb"] > 10 for each in told["figures"])
