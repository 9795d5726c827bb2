"""Every way to share cores is made of the service's own parts, and says the same of a picture."""

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

from bench.lane_settings import MODEL, InTurn, LaneSetting, adaptive, at_work, fixed_settings, open_with
from service.pool import in_seconds
from shared.bundle import PROBABILITIES
from tests.service.bundles import publish_bundle
from tests.service.gated_session import GatedSession, tagged
from tests.service.pictures import GREEN, picture

SETTINGS = [adaptive(2), *fixed_settings(2)]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_at_work_answers_as_the_service_does(setting: LaneSetting, tmp_path: Path) -> None:
    path = publish_bundle(tmp_path).path

    with at_work(setting, path, max_waiting=4) as contender:
        asked = contender.classifier.classify(picture(GREEN), model=MODEL, count=1, deadline=in_seconds(30))
        answer = asyncio.run(asked)
        assert contender.pool.fairness().served == 1

    assert answer.predictions[0].label == "green"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_only_adaptive_lanes_widen_and_only_in_turn_takes_turns(setting: LaneSetting, tmp_path: Path) -> None:
    generation = open_with(setting, publish_bundle(tmp_path).path)

    assert generation.can_widen == (setting.threads == 0)
    assert isinstance(generation._runner, InTurn) == setting.in_turn
    generation.retire()


def test_runs_in_turn_do_not_overlap() -> None:
    """Else it would be the setting in which all run at once."""
    session = GatedSession()
    runner = InTurn(session, outputs=(PROBABILITIES,))  # type: ignore[arg-type]
    answers = list[float]()

    def run(tag: int) -> None:
        answers.append(float(runner.run(tagged(tag), wide=False).probabilities[0]))

    threads = [threading.Thread(target=run, args=(tag,)) for tag in (1, 2)]
    for thread in threads:
        thread.start()
    session.wait_until_inside()
    assert not runner._turn.acquire(timeout=0.05), "somebody else could run beside it"
    session.let_go(2)
    for thread in threads:
        thread.join(20)

    assert sorted(answers) == [1, 2]
    assert np.array(session.answered).shape == (2, 1)
