"""The contest of servers: what counts as the same answer, how ratios are made, and small rounds of it."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench.contest import Figures, Point
from bench.predict import other_versions
from bench.predict_tables import limits, main
from bench.predict_tables import tables as tables_of
from bench.sides import SIDES, LeftOut, Running, Setting, Side, command_of, require, same_answer
from shared.cores import usable_cores
from tests.bench.processes import state_of
from tests.service.bundles import publish_bundle
from tests.service.waiting import until

ROOT = Path(__file__).parents[2]
WHERE = "FINIAL_PEERS_PYTHON"
PEERS = [side.name for side in SIDES if side.of_peers]


def answer(*scores: float, labels: str = "ab") -> dict[str, Any]:
    predictions = [{"label": label, "score": score} for label, score in zip(labels, scores, strict=True)]
    return {"label": labels[0], "score": scores[0], "predictions": predictions}


def figures(side: str, number: int, per_s: float, *, clients: int = 8, p99_ms: float = 10.0) -> Figures:
    return Figures(side, Point("500x375", clients), number, per_s, 5.0, p99_ms, 1.0, 0.1, 100.0)


def tables(found: Sequence[Figures]) -> list[str]:
    return tables_of(found, cores=2)


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


def test_a_round_that_one_side_has_not_is_in_no_ratio() -> None:
    ours = [figures("finial", number, 100 * (number + 1)) for number in range(3)]
    made = tables([*ours, figures("it", 0, 50), figures("it", 2, 100)])

    (ratio,) = [table for table in made if table.startswith("| finial against each")]
    assert "| it | 2.50 [2.00, 3.00] |" in ratio


def test_the_limit_is_the_bare_loop_that_is_faster_at_that_point_by_the_median_of_its_rounds() -> None:
    """A single round in which the other one was faster does not make it the limit of that round."""
    threads = [figures("bare", number, per_s) for number, per_s in enumerate((90, 100, 300))]
    processes = [figures("bare-processes", number, per_s) for number, per_s in enumerate((110, 120, 130))]
    alone = [figures("bare", 0, 80, clients=1), figures("bare-processes", 0, 70, clients=1)]
    ours = [figures("finial", number, 100) for number in range(3)] + [figures("finial", 0, 60, clients=1)]

    found = limits([*threads, *processes, *alone, *ours])

    assert {each.side for each in found} == {"the limit"}
    assert sorted((each.point.clients, each.per_s) for each in found) == [(1, 80), (8, 110), (8, 120), (8, 130)]
    (ratio,) = [table for table in tables([*threads, *processes, *ours]) if table.startswith("| finial against each")]
    assert "| the limit | 0.83 [0.77, 0.91] |" in ratio


def test_a_side_that_was_not_measured_at_a_point_has_no_figure_there() -> None:
    made = tables([figures("finial", 0, 100), figures("finial", 0, 90, clients=64), figures("it", 0, 50)])

    assert "| answers a second (500x375, closed loop, clients) | 8 | 64 |" in made[0]
    assert "| it | 50.0 | - |" in made[0]


def test_where_nothing_was_answered_there_is_no_percentile() -> None:
    silent = Figures("it", Point("500x375", 8), 0, 0.0, None, None, 0.0, 0.0, 100.0, failures={"late": 8})
    made = tables([figures("finial", 0, 100), silent])

    (latency,) = [table for table in made if table.startswith("| 99th percentile")]
    assert "| it |" not in latency
    (failed,) = [table for table in made if table.startswith("| requests that failed")]
    assert "| it | 8 |" in failed


def test_spread_is_from_the_least_to_the_most() -> None:
    """Of two or three rounds a quartile would be made up between two numbers."""
    made = tables([figures("finial", number, per_s) for number, per_s in enumerate((100, 50, 90))])

    assert "| finial | 90.0 [50.0, 100] |" in made[0]


def test_higher_is_better_in_both_ratios() -> None:
    made = tables([figures("finial", 0, 100, p99_ms=10), figures("it", 0, 50, p99_ms=30)])

    (ratio,) = [table for table in made if table.startswith("| each against finial, 99th percentile")]
    assert "| it | 3.00 |" in ratio


def test_who_gets_forms_is_compared_with_the_service_that_gets_forms() -> None:
    """A form costs a server more than a body does; the others are compared with bodies alone."""
    made = tables([figures("finial-form", 0, 80), figures("tutorial", 0, 40), figures("mosec", 0, 100)])

    (ratio,) = [table for table in made if table.startswith("| finial-form against each, answers")]
    assert "| tutorial | 2.00 |" in ratio
    assert "mosec" not in ratio


def test_over_all_rounds_is_told_what_is_shared_by_several_clients() -> None:
    ours = [figures("finial", number, 100, clients=clients) for number in range(2) for clients in (1, 8)]
    theirs = [figures("it", 0, 10, clients=1), figures("it", 0, 50), figures("it", 1, 200)]

    (overall,) = [table for table in tables([*ours, *theirs]) if "geometric mean" in table]
    assert "| it | 1.00 of 2 |" in overall, "twice as many, then half as many; one client is left out"


def test_where_the_time_of_a_request_goes_adds_up() -> None:
    """Of two cores: what its threads take, the client, and the rest."""
    one = replace(figures("finial", 0, 100), processor_ms=15.0, client_ms=1.0, threads_ms={"main": 2.0, "lane": 13.0})

    made = tables([one, replace(figures("bare", 0, 125), processor_ms=15.5)])

    rows = dict(line.strip("| ").split(" | ") for line in made[-1].splitlines())
    assert rows["finial: all"] == "20.00"
    assert rows["finial: threads but the event loop"] == "13.00"
    assert rows["finial: the event loop"] == "2.00"
    assert rows["finial: the client"] == "1.00"
    assert rows["finial: idle, or others"] == "4.00"
    assert (rows["the limit: all"], rows["the limit: threads but the event loop"]) == ("16.00", "15.50")


def test_figures_that_were_written_give_their_tables_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [figures("finial", 0, 100), replace(figures("it", 0, 50), point=Point("500x375", 64, 0.5))]
    told = {"machine": {"cores": 2}, "figures": [asdict(each) for each in found]}
    (tmp_path / "figures.json").write_text(json.dumps(told))
    monkeypatch.setattr("sys.argv", ["predict_tables", str(tmp_path / "figures.json")])
    said = io.StringIO()

    with contextlib.redirect_stdout(said):
        main()

    assert said.getvalue().strip() == "\n\n".join(tables(found))


def test_a_side_that_is_not_installed_is_left_out_with_the_reason(tmp_path: Path) -> None:
    mosec = next(side for side in SIDES if side.name == "mosec")
    nowhere = Setting(tmp_path, None, tmp_path / "bin/python", tmp_path)
    without_it = Setting(tmp_path, None, Path(sys.executable), tmp_path)

    with pytest.raises(LeftOut, match="make bench"):
        require(mosec, nowhere)
    with pytest.raises(LeftOut, match="mosec is not installed"):
        require(mosec, without_it)


def test_a_side_is_started_with_the_bundle_and_its_own_options(tmp_path: Path) -> None:
    setting = Setting(tmp_path / "models/colours/1", tmp_path / "w.pth", tmp_path / "peers/python", tmp_path)
    of = {side.name: command_of(side, setting, 8001)[1:] for side in SIDES}

    folder, models = str(setting.bundle), str(tmp_path / "models")
    quiet = ["-m", "service", "--models-dir", models, "--models", "colours", "--port", "8001", "--no-access-log"]
    assert of["finial-quiet"] == quiet
    assert of["bare-processes"] == ["-m", "bench.peers.bare", folder, "--port", "8001", "--processes"]
    weights = ["--weights", str(tmp_path / "w.pth")]
    assert of["torch"] == ["-m", "bench.peers.tutorial_torch", folder, "--port", "8001", *weights]
    mosec = next(side for side in SIDES if side.name == "mosec")
    assert command_of(mosec, setting, 1)[0] == str(setting.peers_python)


@pytest.mark.parametrize(("freezes", "state"), [(True, "T"), (False, "S")])
def test_a_side_rests_between_its_turns_if_it_bears_that(freezes: bool, state: str) -> None:  # noqa: FBT001
    with subprocess.Popen(["sleep", "60"], text=True) as process:
        try:
            side = Running(Side("it", "it", freezes=freezes), process, port=0)
            with side.turn() as pids:
                assert pids == [process.pid]
                until(lambda: state_of(process.pid) == "S")
            until(lambda: state_of(process.pid) == state)
        finally:
            process.kill()


def test_other_versions_of_what_computes_are_named() -> None:
    ours = {"onnxruntime": "1.31.1", "numpy": "2.4.6", "pillow": "13.0.0"}

    assert other_versions(ours, ours | {"ray": "2.60.0"}) == []
    assert other_versions(ours, {}) == []
    assert other_versions(ours, ours | {"numpy": "2.4.5"}) == ["the peers have numpy 2.4.5, we 2.4.6"]


@pytest.mark.slow
def test_a_quick_round_measures_every_side(tmp_path: Path) -> None:
    run, told = predict(tmp_path, "--quick", "--open", "0.3")

    assert run.returncode == 0, run.stderr
    assert told["left_out"] == {}
    assert told["troubles"] == []
    closed = [each for each in told["figures"] if each["point"]["share"] is None]
    assert {each["side"] for each in closed} == {"finial", "bare", "bare-processes", "tutorial"}
    in_time = [each for each in told["figures"] if each["point"]["share"] is not None]
    assert {each["side"] for each in in_time} == {"finial", "tutorial"}
    for each in told["figures"]:
        assert each["answers"] > 0
        assert not each["failures"]
        assert 0 < each["processor_ms"] * each["per_s"] / 1000 < usable_cores() * 1.5
        assert each["memory_mb"] > 10
    ours = [each for each in told["figures"] if each["side"] == "finial"]
    assert all(0 < each["threads_ms"]["main"] < each["processor_ms"] for each in ours)


@pytest.mark.slow
def test_a_peer_that_does_not_start_is_told_by_the_exit_code(tmp_path: Path) -> None:
    """The others are measured all the same; but a contest without peers must not look like one."""
    few = ["--clients", "1", "--rounds", "1", "--seconds", "0.2", "--peers-python", str(tmp_path / "none")]
    run, told = predict(tmp_path, "--sides", "finial,mosec", *few)

    assert run.returncode == 1
    assert list(told["left_out"]) == ["mosec"]
    assert {each["side"] for each in told["figures"]} == {"finial"}


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_a_peer_is_started_asked_and_gives_the_same_answer(name: str, tmp_path: Path) -> None:
    if not (python := os.environ.get(WHERE)):
        pytest.skip(f"{WHERE} names no environment with requirements/core, onnxruntime and bench")
    few = ["--clients", "1,4", "--sizes", "500x375,4000x3000", "--rounds", "1", "--seconds", "1.5", "--warm-s", "0.2"]
    run, told = predict(tmp_path, "--sides", f"finial,{name}", *few, "--peers-python", python)

    assert run.returncode == 0, run.stdout
    assert {each["side"] for each in told["figures"]} == {"finial", name}
    assert all(each["answers"] and not each["failures"] for each in told["figures"])


def predict(tmp_path: Path, *arguments: str) -> tuple["subprocess.CompletedProcess[str]", dict[str, Any]]:
    """A contest on a tiny model, and what it has written."""
    bundle, found = publish_bundle(tmp_path / "models"), tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench.predict", "--bundle", str(bundle.path), "--json", str(found), *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    return run, json.loads(found.read_text()) if found.exists() else {}
