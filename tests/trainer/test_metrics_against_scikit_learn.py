"""The definitions of metrics.py, ranking.py and two_classes.py, compared with scikit-learn on whatever may come."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as reference  # type: ignore[import-untyped]

from trainer import metrics
from trainer.evaluation import evaluate
from trainer.ranking import average_precision, roc_auc

Scored = tuple[NDArray[np.float64], NDArray[np.int64]]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Scikit-learn warns of classes without samples or predictions; here they are the point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@st.composite
def scored(draw: st.DrawFn, least_classes: int = 2, most_classes: int = 5) -> Scored:
    """Probabilities and targets; some classes may have no sample or no prediction, and scores may be tied."""
    classes, rows = draw(st.integers(least_classes, most_classes)), draw(st.integers(1, 40))
    cell = st.integers(-3, 3).map(float) | st.floats(-8, 8)
    logits = draw(st.lists(st.lists(cell, min_size=classes, max_size=classes), min_size=rows, max_size=rows))
    targets = draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows))
    return metrics.softmax(np.array(logits)), np.array(targets, dtype=np.int64)


@settings(deadline=None)  # the first case pays for loading the reference
@given(scored())
def test_accuracies_and_confusion(case: Scored) -> None:
    probabilities, targets = case
    predicted, labels = probabilities.argmax(axis=1), list(range(probabilities.shape[1]))

    assert metrics.accuracy(*case) == pytest.approx(reference.accuracy_score(targets, predicted))
    assert metrics.macro_accuracy(*case) == pytest.approx(reference.balanced_accuracy_score(targets, predicted))
    assert (metrics.confusion_matrix(*case) == reference.confusion_matrix(targets, predicted, labels=labels)).all()


@settings(deadline=None)  # the first case pays for loading the reference
@given(scored())
def test_precision_recall_and_f1_of_each_class(case: Scored) -> None:
    """Where scikit-learn counts a class that has nothing as 0, Finial says None."""
    probabilities, targets = case
    names = [f"label {k}" for k in range(probabilities.shape[1])]
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        targets, probabilities.argmax(axis=1), labels=range(len(names)), zero_division=0
    )

    found = evaluate(probabilities, targets, names).per_class

    assert [one.precision or 0 for one in found] == pytest.approx(precision)
    assert [one.accuracy or 0 for one in found] == pytest.approx(recall)
    assert [one.f1 or 0 for one in found] == pytest.approx(f1)
    assert [one.n for one in found] == support.tolist()


@settings(deadline=None)  # the first case pays for loading the reference
@given(scored())
def test_means_of_f1(case: Scored) -> None:
    """Over the classes that are there or are predicted, as scikit-learn does when no labels are named."""
    probabilities, targets = case
    predicted = probabilities.argmax(axis=1)

    assert metrics.macro_f1(*case) == pytest.approx(reference.f1_score(targets, predicted, average="macro"))
    assert metrics.weighted_f1(*case) == pytest.approx(reference.f1_score(targets, predicted, average="weighted"))


@settings(deadline=None)  # the first case pays for loading the reference
@given(scored())
def test_log_loss(case: Scored) -> None:
    probabilities, targets = case
    labels = range(probabilities.shape[1])

    assert metrics.log_loss(*case) == pytest.approx(reference.log_loss(targets, probabilities, labels=labels), rel=1e-6)


@settings(deadline=None)  # the first case pays for loading the reference
@given(scored(least_classes=3), st.integers(1, 5))
def test_top_k_accuracy_where_no_scores_are_tied(case: Scored, k: int) -> None:
    probabilities, targets = case
    untied = probabilities + np.arange(probabilities.shape[1]) * 1e-6
    k = min(k, probabilities.shape[1] - 1)
    expected = reference.top_k_accuracy_score(targets, untied, k=k, labels=range(probabilities.shape[1]))

    assert metrics.top_k_accuracy(untied, targets, k) == pytest.approx(expected)


@settings(deadline=None)  # the first case pays for loading the reference
@given(scored(most_classes=2))
def test_areas_under_the_curves_of_two_classes(case: Scored) -> None:
    probabilities, targets = case
    score, positive = probabilities[:, 1], targets == 1

    if positive.any() and not positive.all():
        assert roc_auc(score, positive) == pytest.approx(reference.roc_auc_score(targets, score))
    if positive.any():
        assert average_precision(score, positive) == pytest.approx(reference.average_precision_score(targets, score))


@settings(deadline=None)  # the first case pays for loading the reference
@given(scored(most_classes=2))
def test_what_is_asked_of_two_classes(case: Scored) -> None:
    """Neither label is the positive one: each has its own area under the precision-recall curve."""
    probabilities, targets = case

    binary = evaluate(probabilities, targets, ("no", "yes")).binary

    assert binary is not None
    for k, area in enumerate(binary.area_under_precision_recall.values()):
        if (targets == k).any():
            assert area == pytest.approx(reference.average_precision_score(targets == k, probabilities[:, k]))
        else:
            assert area is None
    if len(set(targets.tolist())) == 2:
        assert binary.area_under_roc == pytest.approx(reference.roc_auc_score(targets, probabilities[:, 1]))
    else:
        assert binary.area_under_roc is None
