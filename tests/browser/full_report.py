"""A report in which every section has something to say, of whatever labels are wished: made up, without a run."""

import io
from dataclasses import replace
from itertools import cycle, islice

import numpy as np
from PIL import Image

from shared.preprocess import PreprocessSpec
from tests.trainer.test_report import facts
from tests.trainer.test_report_sections import CURVE, EPOCHS, NOVELTY, POINT, SCORES, TRIED
from trainer.balance import BalanceEffect, BalanceNumbers
from trainer.compared import Compared
from trainer.cross_validation import CrossValidation
from trainer.evaluation import Evaluation, evaluate
from trainer.finding_words import WORDS
from trainer.findings import Kind, Severity
from trainer.fold_mean import FoldMean
from trainer.mistakes import MOST_MISTAKES, NEIGHBOURS, Mistake, Neighbour
from trainer.mix_ups import MOST_PICTURED, PICTURES_EACH, Example, PicturedMixUp, frequent_mix_ups
from trainer.novelty_report import LeftOut
from trainer.recipe import FeatureChoice, Recipe
from trainer.recipe_search import Tried
from trainer.report import render_report
from trainer.report_content import HeadFacts, Noticed, ReportFacts, ScoreFacts, Shown
from trainer.report_findings import MOST_SHOWN, MOST_TOGETHER

NAME = "pictures of the summer/second camera/IMG_20260301_120000_a-name-that-cameras-give.jpg"
SIZES = ((160, 120), (120, 160), (160, 90), (160, 160))
FOUND = (Kind.LABEL_ERRORS, Kind.ALIKE_TOO_MANY, Kind.OUTLIERS, Kind.EXACT_DUPLICATES, Kind.WRONG_EXTENSION)
DIGEST = "0123456789abcdef" * 4


def full_report(labels: tuple[str, ...]) -> str:
    """The page, with pictures."""
    return render_report(full_facts(labels))


def full_facts(labels: tuple[str, ...]) -> ReportFacts:
    measured = some_mixed_up(labels)
    mean = FoldMean(measured.accuracy, measured.accuracy_interval)
    folds = CrossValidation(
        labels, 5, results=(), pooled=(measured,), accuracy=mean, macro_accuracy=mean, log_loss=mean
    )
    left_out = tuple(LeftOut(label, 50, 0.93) for label in labels)
    mistakes, mix_ups = mistakes_of(measured), mix_ups_of(measured)
    return facts(
        labels,
        name="a name that somebody gave to the model of the second camera",
        test=measured,
        cross_validated=measured,
        folds=folds,
        mistakes=mistakes,
        mistake_count=len(mistakes) + 7,
        mix_ups=mix_ups,
        findings=tuple(map(finding, FOUND)),
        learning_curve=CURVE,
        scores=ScoreFacts(SCORES.calibration, SCORES.bins_before, SCORES.coverage, (POINT,) * 5, (POINT,) * 5),
        novelty=replace(NOVELTY, left_out=left_out, labels=len(labels)),
        balance=BalanceEffect(BalanceNumbers(0.91, 0.8, 0.3, 0.02), BalanceNumbers(0.9, 0.85, 0.35, 0.05), False),
        head=head_facts(),
        compared=tuple(map(compared, ("nano", "mobilenet_v2 + efficientnet_b0, mirrored", "dinov2_vits14"))),
        precision="int8: 1.9 times as fast here, and not worse by more than half a point.",
        uneven_split="The split came out as 78 / 12 / 10 % (70 / 15 / 15 % wished for): groups are not torn.",
        settings=(("seed", "0"), ("group-by", NAME), ("weights", f"https://example.org/{DIGEST}/weights.safetensors")),
        tools=(("python", "3.11"), ("onnxruntime", "1.20.1"), ("torch", "2.5.1+cpu")),
    )


def some_mixed_up(labels: tuple[str, ...]) -> Evaluation:
    """Thirty pictures a label, one in six or so taken for another, mostly for the next."""
    generator, n = np.random.default_rng(0), 30 * len(labels)
    targets = np.arange(n) % len(labels)
    logits = generator.normal(size=(n, len(labels)))
    logits[np.arange(n), targets] += 2.5 + np.log2(len(labels)) / 2
    logits[np.arange(n), (targets + 1) % len(labels)] += 1.5
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return evaluate(probabilities.astype(np.float32), targets, labels)


def mistakes_of(measured: Evaluation) -> tuple[Mistake, ...]:
    pairs = cycle(frequent_mix_ups(measured, MOST_MISTAKES))
    return tuple(
        Mistake(jpeg(number), NAME, pair.actual, pair.predicted, 0.99, 0.01, neighbours(number, pair.predicted))
        for number, pair in enumerate(islice(pairs, MOST_MISTAKES))
    )


def neighbours(number: int, label: str) -> tuple[Neighbour, ...]:
    return tuple(Neighbour(jpeg(number + k), NAME, label, 0.8) for k in range(NEIGHBOURS))


def mix_ups_of(measured: Evaluation) -> tuple[PicturedMixUp, ...]:
    examples = tuple(Example(jpeg(number), NAME, 0.9) for number in range(PICTURES_EACH))
    return tuple(PicturedMixUp(pair, examples, examples) for pair in frequent_mix_ups(measured, MOST_PICTURED))


def finding(kind: Kind) -> Noticed:
    """With pictures where a person is to look."""
    words = WORDS[kind]
    look, lines = words.severity is Severity.LOOK, (f"{NAME}: this is how it is",) * 30
    together = MOST_TOGETHER if "ets of" in words.title else 1
    shown = [Shown(tuple(map(jpeg, range(together))), (NAME,) * together, "looks like another")] * MOST_SHOWN
    return Noticed(words.title, words.meaning.format(agreement="98 %"), look, tuple(shown) if look else (), lines, 1450)


def head_facts() -> HeadFacts:
    swept = ((1.0, 0.5), (0.1, 0.4), (0.01, 0.6))
    recipe = "perceptron on 384 px, 4 views, mirrored, features.13 beside the last stage"
    costly = Tried(Recipe(FeatureChoice(PreprocessSpec())), recipe, 8, 0.9, 0.4, 0, 0.1, 90, False, "too dear")
    return HeadFacts(
        0.1, swept, 5, "Fewer folds.", refitted=True, recipe="probe", tried=(*TRIED, costly), history=EPOCHS
    )


def compared(name: str) -> Compared:
    numbers = (0.9, (0.8, 0.95), 0.31, 210.4, 4.25, 2_100_000)
    return Compared(name, (name,), "crop", "float32", 416, *numbers, np.zeros(3), on_front=True)


def jpeg(number: int) -> bytes:
    """A thumbnail, upright or not, with a rim by which it is seen that all of it is there."""
    size, written = SIZES[number % len(SIZES)], io.BytesIO()
    image = Image.new("RGB", size, (200, 60, 40))
    image.paste((40 + 17 * number % 200, 110, 150), (4, 4, size[0] - 4, size[1] - 4))
    image.save(written, "JPEG")
    return written.getvalue()
