"""trainer/novelty_report.py and learned_novelty.py: what novelty is worth on the data at hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.bundle import Thresholds
from trainer.learned_novelty import LearnedNovelty, learn_novelty
from trainer.novelty import fit_novelty
from trainer.novelty_report import NoveltyReport, report_novelty
from trainer.samples import Sample, Split
from trainer.training import Training


def clusters(n: int, *, classes: int = 3, apart: float = 1.0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(0)
    targets = np.arange(n) % classes
    return (5 + apart * random.normal(size=(classes, 30))[targets] + random.normal(size=(n, 30))).astype(
        np.float32
    ), targets


def reported(n: int, *, classes: int = 3, apart: float = 1.0) -> NoveltyReport:
    features, targets = clusters(n, classes=classes, apart=apart)
    groups, labels = [str(row) for row in range(n)], [f"label {k}" for k in range(classes)]
    fit = fit_novelty(features, targets, groups, seed=0)
    report = report_novelty(fit, features, targets, labels, unfamiliar=0.99)
    assert report is not None
    return report


def test_a_class_far_from_the_others_is_noticed_when_it_is_left_out() -> None:
    report = reported(300, apart=3.0)

    assert report.auroc is not None
    assert report.auroc > 0.95
    assert [(one.label, one.n) for one in report.left_out] == [("label 0", 100), ("label 1", 100), ("label 2", 100)]
    assert report.auroc == pytest.approx(np.mean([one.auroc for one in report.left_out]))


def test_a_class_like_the_others_is_not() -> None:
    report = reported(300, apart=0.0)

    assert report.auroc == pytest.approx(0.5, abs=0.1)


def test_few_familiar_pictures_are_called_unfamiliar() -> None:
    assert reported(2000).share < 0.02


def test_the_histogram_has_every_picture() -> None:
    report = reported(300, apart=3.0)

    assert sum(report.familiar) == 300
    assert sum(report.foreign) == 300
    assert len(report.edges) == len(report.familiar) + 1
    beyond = np.array(report.edges[:-1]) >= 1
    assert np.array(report.familiar)[beyond].sum() / 300 == pytest.approx(0.05, abs=0.02)
    assert np.array(report.foreign)[beyond].sum() > 200


def test_the_share_of_left_out_pictures_above_the_threshold_is_told() -> None:
    """A high AUROC alone says nothing of what is called unfamiliar in the end."""
    far, alike = reported(300, apart=3.0), reported(300, apart=0.0)

    assert far.noticed is not None and far.noticed > 0.9
    assert alike.noticed == pytest.approx(alike.share, abs=0.05)
    assert far.as_json()["noticed"] == far.noticed


def test_fewer_rows_in_the_fit_without_a_class_do_not_make_its_pictures_look_noticed() -> None:
    """Half of 120 pictures know a poorer spread: every distance grows, that of familiar ones as well."""
    report = reported(120, classes=2, apart=0.0)

    assert report.noticed is not None and report.noticed < 0.06


def test_of_many_classes_six_are_left_out() -> None:
    """A hundred fits would take longer than the training."""
    report = reported(800, classes=40)

    assert (len(report.left_out), report.labels) == (6, 40)
    assert report.left_out[0].label == "label 0"
    assert report.left_out[-1].label == "label 39"


def trained_on(n: int) -> LearnedNovelty:
    features, targets = clusters(n)
    labels = ("a", "b", "c")
    samples = tuple(Sample(f"{row}.png", f"{row}.png", labels[row % 3], f"{row:064}", None) for row in range(n))
    splits: list[Split] = ["train"] * n
    training = Training(samples, labels, features, targets, tuple(map(str, range(n))), tuple(splits))
    return learn_novelty(training, np.arange(n), unfamiliar=0.97, seed=0)


def test_a_model_with_novelty_says_so_in_its_outputs_and_thresholds() -> None:
    learned = trained_on(120)

    assert learned.outputs == ("probabilities", "logits", "features", "novelty")
    assert learned.thresholds == Thresholds(unfamiliar=0.97)
    assert learned.as_json()["unfamiliar"] == 0.97


def test_a_model_without_says_why() -> None:
    learned = trained_on(99)

    assert learned.outputs == ("probabilities", "logits", "features")
    assert learned.thresholds.unfamiliar is None
    assert learned.thresholds.novelty_reason == "99 training pictures; novelty needs 100 to tell what is familiar"
    assert learned.as_json() == {"reason": learned.thresholds.novelty_reason}
