"""The `predict` verb: labels for pictures, a few on the terminal or whole folders into a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from shared.bundle import Bundle
from shared.decode import TRAINER_FORMATS, sniff_format
from shared.files import sha256_of_file
from shared.prediction import top_k
from trainer.errors import NothingToPredict
from trainer.label_from_name import label_from_path
from trainer.prediction_table import PredictionTable
from trainer.progress import Progress
from trainer.scoring import Scored, Scorer
from trainer.settings import PredictSettings
from trainer.split_file import read_split_file

_BYTES_THAT_TELL_A_FORMAT = 16
_PICTURE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"))


@dataclass(frozen=True)
class PicturePrediction:
    """One line of the answer: the predicted label with its score, or the problem; `actual` where it is known."""

    path: Path
    label: str | None
    score: float | None
    actual: str | None
    problem: str | None

    @property
    def line(self) -> str:
        """For the terminal, with tabs: file, predicted label, score, actual label where it is known."""
        if self.problem is not None:
            return f"{self.path}\t(not predicted)\t{self.problem}"
        actual = f"\tactual: {self.actual}" if self.actual is not None else ""
        return f"{self.path}\t{self.label}\t{self.score:.4f}{actual}"

    def as_json(self) -> dict[str, str | float | None]:
        """For `--json`, one object a picture."""
        return {
            "file": str(self.path),
            "label": self.label,
            "score": self.score,
            "actual": self.actual,
            "problem": self.problem,
        }


def predict(settings: PredictSettings, progress: Progress | None = None) -> Iterator[PicturePrediction]:
    """Predict each picture under `settings.paths`, in order.

    Finished rows of an interrupted run with the same `settings.out` are taken over, not computed again.

    Raises:
        NothingToPredict: a path does not exist, or no picture is left to predict.
        BundleError, SessionError: the bundle cannot be used.
    """
    progress = progress or Progress()
    scorer = Scorer(settings.bundle, threads=settings.thread_count, provider=settings.provider, progress=progress)
    paths = select_pictures(settings, scorer.bundle)
    if settings.out is None:
        return (_prediction(scored, scorer.labels) for scored in scorer.score(paths))
    return _predict_into_table(settings.out, paths, scorer, progress)


def select_pictures(settings: PredictSettings, bundle: Bundle) -> list[Path]:
    """The pictures meant by paths, `only` and `limit`; named files come as they are, folders sorted.

    Raises:
        NothingToPredict: a path does not exist, or none is left.
    """
    pictures = (path for given in settings.paths for path in _pictures_under(given))
    if settings.only != "all":
        split_by_digest = read_split_file(bundle.path)
        pictures = (path for path in pictures if split_by_digest.get(sha256_of_file(path)) == settings.only)
    selected = list(islice(pictures, settings.limit))
    if not selected:
        where = ", ".join(str(path) for path in settings.paths)
        which = "" if settings.only == "all" else f" of the bundle's {settings.only} split"
        raise NothingToPredict(f"{where}: no picture{which} found. Name pictures or folders that hold some.")
    return selected


def _pictures_under(given: Path) -> Iterator[Path]:
    if given.is_file():
        yield given
    elif given.is_dir():
        yield from (path for path in sorted(given.rglob("*")) if path.is_file() and _looks_like_picture(path))
    else:
        raise NothingToPredict(f"{given}: no such file or folder. Name pictures or folders that hold some.")


def _looks_like_picture(path: Path) -> bool:
    """By its first bytes, or by a picture's extension, so that a damaged picture is named and not passed over."""
    if path.name.startswith("."):
        return False
    if path.suffix.lower() in _PICTURE_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return sniff_format(file.read(_BYTES_THAT_TELL_A_FORMAT)) in TRAINER_FORMATS
    except OSError:
        return False


def _prediction(scored: Scored, labels: Sequence[str]) -> PicturePrediction:
    actual = label_from_path(scored.path, labels)
    if scored.probabilities is None:
        return PicturePrediction(scored.path, None, None, actual, scored.problem)
    best = top_k(scored.probabilities, labels, 1)[0]
    return PicturePrediction(scored.path, best.label, best.score, actual, None)


def _predict_into_table(
    out: Path, paths: Sequence[Path], scorer: Scorer, progress: Progress
) -> Iterator[PicturePrediction]:
    with PredictionTable(out, content_sha256=scorer.bundle.metadata.content_sha256) as table:
        if table.done:
            progress.say(f"{out}: going on after {len(table.done)} predictions of an interrupted run.")
        rest = [path for path in paths if str(path) not in table.done]
        with progress.phase("predict", total=len(rest)) as phase:
            for scored in scorer.score(rest):
                prediction = _prediction(scored, scorer.labels)
                table.add(prediction.as_json())
                phase.advance()
                yield prediction
        table.finish(order=[str(path) for path in paths])
