"""trainer/not_worse.py: a new head beside the current one, on pictures that both held out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared.publish import resolve
from tests.trainer.tiny_bundle import publish_tiny
from trainer.backbones import get_entry
from trainer.errors.gates import CurrentUnreadable, NothingInCommon, WorseThanCurrent
from trainer.evaluation import evaluate
from trainer.head import Head, HeadFit
from trainer.manifest import Sample
from trainer.not_worse import Answer, at_least_by_chance, check_not_worse, compare_answers
from trainer.progress import Quiet
from trainer.recipe import FeatureChoice, Recipe
from trainer.recipe_search import Searched
from trainer.split_file import SplitRow
from trainer.training import Measured, Training

LABELS = ("red", "green", "blue")


def digest(number: int) -> str:
    return f"{number:064}"


def answers(right: list[bool], groups: list[str] | None = None) -> list[Answer]:
    """Pictures of red, taken for red or green."""
    names = groups or [digest(number) for number in range(len(right))]
    return [
        Answer(digest(number), "red", "red" if is_right else "green", names[number])
        for number, is_right in enumerate(right)
    ]


def earlier(right: list[bool]) -> dict[str, str]:
    return {one.digest: one.predicted for one in answers(right)}


def run(right: list[bool], *, label: str = "red", with_test: bool = True) -> tuple[Training, Measured]:
    """A run that held out these pictures of one label, some of which it takes for green."""
    n = len(right)
    samples = tuple(Sample(f"{i}.png", f"{i}.png", label, digest(i), None) for i in range(n))
    labels = (label, "green")
    probabilities = np.array([[0.9, 0.1] if is_right else [0.1, 0.9] for is_right in right], np.float32)
    targets = np.zeros(n, np.int64)
    training = Training(
        samples, labels, np.zeros((n, 4), np.float32), targets, tuple(map(digest, range(n))), ("test",) * n
    )
    zeros = np.zeros(4, np.float32)
    head = Head(np.zeros((4, 2), np.float32), zeros[:2], zeros, zeros + 1)
    fit = HeadFit(head, l2=0.1, swept=(), out_of_fold_logits=np.zeros((0, 2), np.float32), folds=0, note="")
    searched = Searched(Recipe(FeatureChoice(get_entry("nano").spec)), "probe", fit, ())
    test = evaluate(probabilities, targets, labels) if with_test else None
    return training, Measured(fit, test, np.arange(n), probabilities, None, None, searched)


def publish(models_dir: Path, right: list[bool]) -> Path:
    """A current version that held out the same pictures of red; returns the model's folder."""
    publish_tiny(models_dir, [SplitRow(one.digest, "red", "test", one.digest, one.predicted) for one in answers(right)])
    return models_dir / "colours"


def test_a_new_model_that_loses_more_than_chance_explains_is_refused(tmp_path: Path) -> None:
    """Six lost and none gained: 1.6 % of fair coins do so."""
    model = publish(tmp_path, [True] * 20)

    with pytest.raises(WorseThanCurrent) as refused:
        check_not_worse(*run([False] * 6 + [True] * 14), model, Quiet())

    assert refused.value.exit_code == 4
    for number in ("of 20 pictures", "14 are right, before 20", "0 only now, 6 only before", "1.6 %"):
        assert number in str(refused.value)


def test_a_loss_that_chance_explains_passes_and_is_told(tmp_path: Path) -> None:
    model, progress = publish(tmp_path, [True] * 20), Quiet()

    found = check_not_worse(*run([False] * 4 + [True] * 16), model, progress)

    assert found is not None and (found.lost, found.gained, found.chance) == (4, 0, pytest.approx(1 / 16))
    assert len(progress.said) == 1 and "16 are right, before 20" in progress.said[0]
    assert "(exact McNemar test: as bad by chance in 6.2 %)" in progress.said[0]


@pytest.mark.parametrize(
    ("right", "told"), [([True] * 20, "by chance in 100.0 %"), ([False] * 20, "by chance in less than 0.1 %")]
)
def test_the_chance_reads_as_a_per_cent_where_it_is_all_or_nothing(right: list[bool], told: str) -> None:
    """Equal answers are the commonest case; "1e+02 %" is no number for a person."""
    assert told in compare_answers(answers(right), earlier([True] * 20), known=LABELS, version="v").text


def test_a_better_model_passes_however_much_it_differs(tmp_path: Path) -> None:
    model = publish(tmp_path, [False] * 20)

    assert check_not_worse(*run([True] * 20), model, Quiet()) is not None


def test_the_first_version_of_a_model_has_nothing_to_be_worse_than(tmp_path: Path) -> None:
    progress = Quiet()

    assert check_not_worse(*run([False] * 9), tmp_path / "colours", progress) is None
    assert progress.said == ["Not worse: no version is current yet."]


def test_a_bundle_of_an_earlier_trainer_cannot_be_compared_with(tmp_path: Path) -> None:
    """It does not say what its test pictures were taken for; whoever asks for a gate is not told that all is well."""
    publish_tiny(tmp_path, [SplitRow(digest(0), "red", "test", digest(0))])

    with pytest.raises(NothingInCommon, match="does not say what its held-out pictures") as refused:
        check_not_worse(*run([True]), tmp_path / "colours", Quiet())

    assert refused.value.exit_code == 4 and "publish once without --not-worse" in str(refused.value)


def test_runs_that_held_out_other_pictures_cannot_be_compared(tmp_path: Path) -> None:
    model = publish(tmp_path, [True] * 3)
    training, measured = run([True] * 3)
    others = tuple(replace(sample, digest=f"{sample.digest[1:]}f") for sample in training.samples)

    with pytest.raises(NothingInCommon, match="none of the 3 pictures that it held out is among the 3"):
        check_not_worse(replace(training, samples=others), measured, model, Quiet())


def test_a_run_that_measured_nothing_cannot_be_compared(tmp_path: Path) -> None:
    model = publish(tmp_path, [True] * 3)

    with pytest.raises(NothingInCommon, match="neither a test split nor a cross-validation"):
        check_not_worse(*run([True] * 3, with_test=False), model, Quiet())


@pytest.mark.parametrize("n", [1, 4])
def test_a_gate_that_could_not_fail_does_not_say_that_it_passed(tmp_path: Path, n: int) -> None:
    """Were all four of four pictures lost, chance would still explain it; so nobody has looked."""
    model = publish(tmp_path, [True] * n)

    with pytest.raises(NothingInCommon, match=f"only {n} picture.*fewer than 5"):
        check_not_worse(*run([False] * n), model, Quiet())


def test_twenty_copies_are_too_few_to_compare(tmp_path: Path) -> None:
    """Pictures of one group are right together and wrong together: four groups show no more than four pictures."""
    model = publish(tmp_path, [True] * 20)
    training, measured = run([False] * 20)
    in_four = replace(training, groups=tuple(digest(row % 4) for row in range(20)))

    with pytest.raises(NothingInCommon, match="only 20 pictures in 4 groups"):
        check_not_worse(in_four, measured, model, Quiet())


def test_five_pictures_are_enough_to_refuse(tmp_path: Path) -> None:
    model = publish(tmp_path, [True] * 5)

    assert check_not_worse(*run([False] * 4 + [True]), model, Quiet()) is not None
    with pytest.raises(WorseThanCurrent, match=r"3\.1 %"):
        check_not_worse(*run([False] * 5), model, Quiet())


def test_labels_that_the_current_model_does_not_know_prove_nothing(tmp_path: Path) -> None:
    """A label that was added, or called otherwise, makes every earlier answer wrong: no merit of the new model."""
    model = publish(tmp_path, [True] * 3)

    with pytest.raises(NothingInCommon, match="knows the label of none of the 3"):
        check_not_worse(*run([True] * 3, label="crimson"), model, Quiet())


def test_a_damaged_current_version_cannot_be_compared_with(tmp_path: Path) -> None:
    model = publish(tmp_path, [True] * 3)
    (resolve(model) / "labels.txt").write_text("altered\n")

    with pytest.raises(CurrentUnreadable, match="Nothing was published"):
        check_not_worse(*run([True] * 3), model, Quiet())


def test_a_current_version_that_is_not_there_is_not_taken_for_none(tmp_path: Path) -> None:
    """A folder of models that was pruned or copied half: `current` names a version, and it is lost."""
    model = publish(tmp_path, [True] * 9)
    (model / "current").write_text("20260101T000000000Z-deadbeef\n")

    with pytest.raises(CurrentUnreadable, match="20260101T000000000Z-deadbeef: no bundle here") as refused:
        check_not_worse(*run([False] * 9), model, Quiet())

    assert refused.value.exit_code == 4


def test_a_current_that_names_no_version_is_not_taken_for_none(tmp_path: Path) -> None:
    model = publish(tmp_path, [True] * 9)
    (model / "current").write_text("")

    with pytest.raises(CurrentUnreadable, match="is not a version"):
        check_not_worse(*run([False] * 9), model, Quiet())


def test_a_picture_is_judged_by_the_label_it_has_today() -> None:
    """Whoever corrects a label corrects both models: what the earlier one called it then may be right now."""
    found = compare_answers(
        [Answer("a", "green", "green", "a")], {"a": "green"}, known=LABELS, version="20260101T000000000Z-00000000"
    )

    assert (found.right, found.right_before, found.gained, found.lost) == (1, 1, 0, 0)


def test_copies_of_a_picture_are_one_witness() -> None:
    """Ten copies that are all lost are one loss, which chance explains; ten pictures are not."""
    now, before = answers([False] * 10, groups=["one"] * 10), earlier([True] * 10)
    apart = answers([False] * 10)

    together, alone = (compare_answers(one, before, known=LABELS, version="v").chance for one in (now, apart))

    assert together == pytest.approx(0.5) and alone == pytest.approx(1 / 1024)
    assert "in groups 0 better and 1 worse" in compare_answers(now, before, known=LABELS, version="v").text


@pytest.mark.parametrize(
    ("heads", "tosses", "expected"), [(0, 0, 1.0), (0, 5, 1.0), (5, 5, 1 / 32), (8, 10, 56 / 1024), (3, 4, 5 / 16)]
)
def test_the_chance_is_that_of_fair_coins(heads: int, tosses: int, expected: float) -> None:
    assert at_least_by_chance(heads, tosses) == pytest.approx(expected, rel=1e-9)


def test_the_chance_of_many_tosses_is_near_the_normal_distributions() -> None:
    """100,000 tosses overflow no number; 1.645 deviations are passed in one of twenty."""
    assert at_least_by_chance(50_000 + 260, 100_000) == pytest.approx(0.05, abs=0.001)


def test_more_heads_than_tosses_are_refused() -> None:
    with pytest.raises(ValueError, match="6 of 5"):
        at_least_by_chance(6, 5)
