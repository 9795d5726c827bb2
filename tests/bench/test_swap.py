"""How mixed-up answers are told: by the labels of the version that they name."""

import json
from pathlib import Path

from bench.http_client import Answer, Asked, Ledger
from bench.swap import mixed_up, publish_twins
from shared.bundle import read_bundle
from tests.service.bundles import publish_bundle

LABELS = {"one": ("red", "green"), "two": ("rot", "gruen")}


def asked(version: str, label: str, fate: str = "200") -> Asked:
    body = json.dumps({"version": version, "label": label}).encode()
    return Asked(fate, 0.0, 0.1, Answer(200, {}, body))


def test_an_answer_with_another_versions_label_is_mixed_up() -> None:
    wrong = asked("two", "green")
    ledger = Ledger(4, [asked("one", "green"), wrong, asked("two", "rot"), asked("one", "rot", "503 queue-full")])

    assert wrong.answer
    assert mixed_up(ledger, LABELS) == [wrong.answer.body.decode()]


def test_twins_differ_in_their_labels_alone(tmp_path: Path) -> None:
    original = publish_bundle(tmp_path / "original")

    labels_of = publish_twins(original.path, tmp_path / "twins")

    first, second = (read_bundle(tmp_path / "twins" / "colours" / version) for version in labels_of)
    assert list(labels_of.values()) == [original.metadata.labels, tuple(f"{one}-b" for one in original.metadata.labels)]
    assert first.read_model() == second.read_model() == original.read_model()
    assert [first.metadata.labels, second.metadata.labels] == list(labels_of.values())
