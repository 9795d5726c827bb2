from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.golden import Golden
from tests.trainer.blobs import make_blobs
from trainer.bundle_files import Run
from trainer.catalogue import get_entry
from trainer.evaluation import evaluate
from trainer.evidence import LearnedEvidence
from trainer.feature_tally import FeatureTally
from trainer.finding_words import tell
from trainer.findings import Kind, Mention
from trainer.head import Head, HeadFit
from trainer.learned_novelty import LearnedNovelty
from trainer.manifest import Manifest, PassedOver, Sample, Split
from trainer.mistakes import MOST_MISTAKES
from trainer.novelty import NoveltyFit
from trainer.precision import PrecisionChoice
from trainer.recipe import FeatureChoice, Recipe
from trainer.recipe_search import Searched
from trainer.report_content import MOST_LISTED, LabelCount, Shown
from trainer.report_facts import report_facts
from trainer.run_record import Timings
from trainer.settings import TrainSettings
from trainer.training import Measured, Training, measure
from trainer.weights import Weights

LABELS = ("cat", "dog")
SPLITS: tuple[Split, ...] = ("train", "validation", "test", "test", "test", "test")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Six pictures of cats and dogs in turn; of the four in the test split two are mistakes."""
    for number in range(6):
        Image.new("RGB", (320, 240), (40 * number, 90, 90)).save(tmp_path / f"{number}.png")
    samples = tuple(
        Sample(str(tmp_path / f"{n}.png"), f"{LABELS[n % 2]}/{n}.png", LABELS[n % 2], f"{n:064}", None)
        for n in range(6)
    )
    targets, test_rows = np.array([0, 1, 0, 1, 0, 1]), np.array([2, 3, 4, 5])
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.05, 0.95], [0.2, 0.8]], np.float32)
    zeros = np.zeros(4, np.float32)
    fit = HeadFit(
        Head(np.zeros((4, 2), np.float32), zeros[:2], zeros, zeros + 1),
        l2=0.1,
        swept=((1.0, 0.5), (0.1, 0.4)),
        out_of_fold_logits=np.zeros((0, 2), np.float32),
        folds=0,
        note="",
    )
    choice = FeatureChoice(get_entry("nano").spec)
    manifest = Manifest(samples, LABELS, (PassedOver("LICENSE.txt", "no picture"),), ("gone.png",), "folder names")
    return Run(
        settings=TrainSettings(data=tmp_path, name="pets", weights_url="https://me:secret@mirror.invalid"),
        manifest=manifest,
        findings=(),
        entry=get_entry("nano"),
        weights=Weights(tmp_path / "nano", "ab" * 32, "embedded"),
        backbone_reason="it is embedded",
        picked=None,
        precision=PrecisionChoice("float32", "float32", "float32, the default."),
        choice=choice,
        graph=b"graph",
        model=b"model",
        golden=Golden(np.zeros((0, 1, 1, 3), np.uint8), np.zeros((0, 2), np.float32), ()),
        training=Training(samples, LABELS, np.zeros((6, 4), np.float32), targets, ("",) * 6, SPLITS),
        measured=Measured(
            fit,
            evaluate(probabilities, targets[test_rows], LABELS),
            test_rows,
            probabilities,
            None,
            None,
            Searched(Recipe(choice), "probe", fit, ()),
        ),
        final=fit,
        novelty=LearnedNovelty(
            NoveltyFit(None, "6 training pictures", zeros[:0], targets[:0], targets[:0]), None, 0.99
        ),
        evidence=LearnedEvidence(reason="no graph was looked at"),
        tally=FeatureTally(),
        timings=Timings(),
    )


def test_samples_are_counted_by_label_and_split(run: Run) -> None:
    facts = report_facts(run)

    assert facts.counts == (LabelCount("cat", 1, 0, 2), LabelCount("dog", 0, 1, 2))
    assert [count.total for count in facts.counts] == [3, 3]


def test_the_most_confident_mistake_comes_first_with_a_thumbnail(run: Run) -> None:
    facts = report_facts(run)

    told = [(one.name, one.actual, one.predicted, round(one.score, 2)) for one in facts.mistakes]
    assert told == [("cat/4.png", "cat", "dog", 0.95), ("dog/3.png", "dog", "cat", 0.6)]
    assert facts.mistake_count == 2
    assert all(one.picture_jpeg and one.picture_jpeg.startswith(b"\xff\xd8") for one in facts.mistakes)


def test_no_pictures_keeps_names_but_not_pixels(run: Run) -> None:
    """Customers' pictures stay at home; whoever has them still learns which ones to look at."""
    facts = report_facts(replace(run, settings=run.settings.model_copy(update={"pictures": False})))

    assert [one.picture_jpeg for one in facts.mistakes] == [None, None]
    assert facts.mistakes[0].name == "cat/4.png"
    assert not facts.pictures


def test_mistakes_are_bounded_and_counted(run: Run) -> None:
    many = 2 * MOST_MISTAKES
    rows, probabilities = np.zeros(many, np.int64), np.tile(np.array([[0.1, 0.9]], np.float32), (many, 1))
    wrong = evaluate(probabilities, np.zeros(many, np.int64), LABELS)

    facts = report_facts(
        replace(run, measured=replace(run.measured, test=wrong, test_rows=rows, test_probabilities=probabilities))
    )

    assert (len(facts.mistakes), facts.mistake_count) == (MOST_MISTAKES, many)


def test_without_a_test_split_there_are_no_mistakes(run: Run) -> None:
    nothing = np.zeros((0, 2), np.float32)
    untested = replace(run.measured, test=None, test_rows=np.zeros(0, np.int64), test_probabilities=nothing)

    facts = report_facts(replace(run, measured=untested))

    assert (facts.test, facts.mistakes, facts.mistake_count) == (None, (), 0)


def test_what_was_found_is_told_with_reasons_and_bounded(run: Run) -> None:
    many = tuple(Mention((f"{number}.png",)) for number in range(MOST_LISTED + 5))
    unreadable = tell(Kind.UNREADABLE, [Mention(("broken.jpg",), "truncated")])

    findings = report_facts(replace(run, findings=(*unreadable, *tell(Kind.MISSING, many)))).findings

    assert {one.title: (one.lines[0], one.total) for one in findings} == {
        "Unreadable pictures": ("broken.jpg: truncated", 1),
        "Missing files": ("0.png", MOST_LISTED + 5),
    }
    assert max(len(one.lines) for one in findings) == MOST_LISTED


def test_what_is_worth_a_look_is_shown_with_thumbnails(run: Run) -> None:
    copies = tell(Kind.EXACT_DUPLICATES, [Mention(("cat/0.png", "cat/2.png"))])
    doubted = tell(Kind.LABEL_ERRORS, [Mention(("dog/1.png",), "looks like cat")], agreement="98 %")

    findings = report_facts(replace(run, findings=(*doubted, *copies))).findings

    assert [(one.title, one.look, len(one.shown)) for one in findings] == [
        ("Likely wrong labels", True, 1),
        ("Sets of identical pictures", False, 0),
    ]
    assert [jpeg and jpeg[:2] for jpeg in findings[0].shown[0].pictures_jpeg] == [b"\xff\xd8"]


def test_no_pictures_keeps_those_of_findings_out_as_well(run: Run) -> None:
    doubted = tell(Kind.LABEL_ERRORS, [Mention(("dog/1.png",), "looks like cat")], agreement="98 %")
    settings = run.settings.model_copy(update={"pictures": False})

    (finding,) = report_facts(replace(run, findings=doubted, settings=settings)).findings

    assert finding.shown == ()
    assert finding.lines == ("dog/1.png: looks like cat",)


def test_a_set_of_hundreds_shows_three_and_names_six(run: Run) -> None:
    names = tuple(f"cat/{2 * (number % 3)}.png" for number in range(300))

    (finding,) = report_facts(replace(run, findings=tell(Kind.ALIKE_TOO_MANY, [Mention(names)]))).findings

    assert len(finding.shown[0].pictures_jpeg) == 3
    assert finding.shown[0].names[6:] == ("and 294 more",)
    assert finding.lines[0].endswith("and 294 more")


def test_a_picture_that_is_gone_by_now_is_named_without_its_thumbnail(run: Run) -> None:
    doubted = tell(Kind.LABEL_ERRORS, [Mention(("cat/moved.png",), "looks like dog")], agreement="98 %")

    (finding,) = report_facts(replace(run, findings=doubted)).findings

    assert finding.shown == (Shown((None,), ("cat/moved.png",), "looks like dog"),)


def test_a_refitted_head_is_told_from_the_measured_one(run: Run) -> None:
    refitted = replace(run, final=replace(run.final, swept=()))

    assert report_facts(refitted).head.refitted
    assert not report_facts(run).head.refitted


def test_neither_places_nor_passwords_are_told(run: Run) -> None:
    """The report travels with the model; where it was made and from which mirror is nobody's business."""
    facts = report_facts(run)

    assert facts.data == Path(run.settings.data).name
    assert str(Path(run.settings.data).parent) not in repr(replace(facts, test=None))
    assert "secret" not in repr(facts)
    assert ("split", "0.7, 0.15, 0.15") in facts.settings


def test_the_report_measures_on_what_was_held_out(run: Run) -> None:
    """Without a test split: the answers of cross-validation, its calibration, and a curve of the same rows."""
    features, targets, groups = make_blobs(40, features=8, classes=2)
    samples = tuple(replace(run.training.samples[target], digest=f"{row:064}") for row, target in enumerate(targets))
    training = Training(samples, LABELS, features, targets, tuple(groups), ("train",) * 40)
    measured = measure(training, seed=0, threads=1)

    facts = report_facts(replace(run, training=training, measured=measured, final=measured.fit))

    assert facts.measured is not None and measured.calibration is not None
    assert facts.mistake_count == sum(facts.measured.confusion[k][1 - k] for k in range(2))
    assert len(facts.mistakes) == min(facts.mistake_count, MOST_MISTAKES)
    assert all(neighbour.picture_jpeg for one in facts.mistakes for neighbour in one.neighbours)
    assert facts.scores is not None and facts.scores.calibration == measured.calibration
    assert facts.scores.coverage[0].accuracy == pytest.approx(facts.measured.accuracy)
    assert facts.learning_curve is not None
    assert [round(point.samples) for point in facts.learning_curve.points] == [4, 8, 16, 32]
    assert sum(one.mix_up.count for one in facts.mix_ups) == facts.mistake_count


def test_settings_of_another_head_are_not_told(run: Run) -> None:
    """A probe has no learning rate to fall in stairs; whoever reads of one looks for what it did."""
    probe, sgd = (
        dict(report_facts(replace(run, settings=run.settings.model_copy(update={"head": head}))).settings)
        for head in ("auto", "sgd")
    )

    assert not {"staircase", "test-on-train"} & probe.keys()
    assert {"staircase", "test-on-train"} <= sgd.keys()
    assert probe["head"] == "auto" and probe["seed"] == "0"


def test_the_precision_is_told_where_somebody_asked_for_it(run: Run) -> None:
    asked = replace(run, precision=PrecisionChoice("auto", "float32", "float32: int8 is no faster here."))

    assert report_facts(run).precision == ""
    assert report_facts(asked).precision == "float32: int8 is no faster here."
