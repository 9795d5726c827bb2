"""The `predict` verb: labels for pictures, a few on the terminal or whole folders into a table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from shared.addresses import shown
from shared.bundle import Bundle
from shared.errors import BundleInvalid
from shared.files import sha256_of_file
from shared.prediction import top_k
from trainer.counting import counted
from trainer.data_source import local_data
from trainer.errors.scoring import NothingToPredict
from trainer.label_from_name import label_from_path
from trainer.learned_from import fitted_on
from trainer.picture_files import FoundFile, find_files, readable_name
from trainer.prediction_table import PredictionTable, state_of
from trainer.progress import Progress
from trainer.scoring import Scored, Scorer
from trainer.settings import PredictSettings
from trainer.split_file import read_labels_by_digest, read_split_file
from trainer.telling import name_each
from trainer.visible import visible


@dataclass(frozen=True)
class PicturePrediction:
    """One line of the answer: the predicted label with its score, or the problem; `actual` where it is known.

    `name` is the picture's path, or where it lies in an archive or elsewhere; always valid Unicode. `novelty` is in
    [0, 1], and `unfamiliar` whether it is above the model's threshold; None where the model does not know.
    """

    name: str
    label: str | None
    score: float | None
    actual: str | None
    problem: str | None
    novelty: float | None = None
    unfamiliar: bool | None = None

    @property
    def line(self) -> str:
        """For the terminal, with tabs: file, predicted label, score, what is known of the actual label, and novelty."""
        if self.problem is not None:
            fields = [self.name, "(not predicted)", self.problem]
        else:
            actual = [f"actual: {self.actual}"] if self.actual is not None else []
            fields = [self.name, f"{self.label}", f"{self.score:.4f}", *actual]
            fields += [f"unfamiliar: novelty {self.novelty:.4f}"] if self.unfamiliar else []
        return "\t".join(map(visible, fields))

    def as_json(self) -> dict[str, str | float | bool | None]:
        """For `--json`, one object a picture."""
        return {
            "file": self.name,
            "label": self.label,
            "score": self.score,
            "novelty": self.novelty,
            "unfamiliar": self.unfamiliar,
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
    pictures = select_pictures(settings, scorer.bundle, progress)
    if settings.only in fitted_on(scorer.bundle):
        progress.warn(
            f"the published head was fitted on the {settings.only} split too, so its answers here are better than on "
            "new pictures; the report shows the mistakes of the head that had not seen it."
        )
    known = _known_labels(scorer.bundle)
    if settings.out is None:
        scores = scorer.score(picture.path for picture in pictures)
        return (
            _prediction(picture, scored, scorer.bundle, known) for picture, scored in zip(pictures, scores, strict=True)
        )
    return _predict_into_table(settings.out, pictures, scorer, known, progress)


def select_pictures(settings: PredictSettings, bundle: Bundle, progress: Progress) -> list[FoundFile]:
    """The pictures meant by paths, `only` and `limit`; named files come as they are, folders as training finds them.

    Raises:
        NothingToPredict: a path does not exist, or none is left.
        DataUnreachable, ExtraMissing, BadData: an archive, or data elsewhere, cannot be had.
    """
    pictures = (file for given in settings.paths for file in _pictures_under(given, settings.cache_dir, progress))
    if settings.only != "all":
        split_by_digest = read_split_file(bundle.path)
        pictures = (file for file in pictures if split_by_digest.get(_digest(file, progress)) == settings.only)
    selected = list(islice(pictures, settings.limit))
    if not selected:
        where = ", ".join(map(shown, settings.paths))
        which = "" if settings.only == "all" else f" of the bundle's {settings.only} split"
        raise NothingToPredict(f"{where}: no picture{which} found. Name pictures or folders that hold some.")
    return selected


def _pictures_under(given: str, cache_dir: Path, progress: Progress) -> Iterator[FoundFile]:
    path, place = local_data(given, cache_dir=cache_dir, progress=progress).path, shown(given)
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except OSError as error:
        raise NothingToPredict(f"{place}: cannot be read ({error.strerror}). Name pictures or folders.") from error
    if is_file:
        yield FoundFile(str(path), readable_name(place))
    elif is_folder:
        found = find_files(path)
        name_each(progress, f"passed over in {place}", [f"{one.name} ({one.reason})" for one in found.passed_over])
        yield from (
            FoundFile(file.location, f"{readable_name(place.rstrip('/'))}/{file.name}") for file in found.pictures
        )
    else:
        raise NothingToPredict(f"{place}: no such file or folder. Name pictures or folders that hold some.")


def _digest(file: FoundFile, progress: Progress) -> str:
    """SHA-256 of a file's bytes; "", which is in no split, when it cannot be read."""
    try:
        return sha256_of_file(file.path)
    except OSError as error:
        progress.warn(f"{file.name}: cannot be read ({error.strerror}), so its split is not known.")
        return ""


def _known_labels(bundle: Bundle) -> dict[str, str]:
    """Label by digest of what the bundle was trained and tested on; nothing where it does not tell."""
    try:
        return read_labels_by_digest(bundle.path)
    except BundleInvalid:
        return {}


def _prediction(picture: FoundFile, scored: Scored, bundle: Bundle, known: Mapping[str, str]) -> PicturePrediction:
    labels, threshold = bundle.metadata.labels, bundle.metadata.thresholds.unfamiliar
    actual = known.get(scored.digest) or label_from_path(scored.path, labels)
    if scored.probabilities is None:
        return PicturePrediction(picture.name, None, None, actual, scored.problem)
    best = top_k(scored.probabilities, labels, 1)[0]
    unfamiliar = None if scored.novelty is None or threshold is None else scored.novelty > threshold
    return PicturePrediction(picture.name, best.label, best.score, actual, None, scored.novelty, unfamiliar)


def _predict_into_table(
    out: Path, pictures: Sequence[FoundFile], scorer: Scorer, known: Mapping[str, str], progress: Progress
) -> Iterator[PicturePrediction]:
    states = [state_of(picture.path) for picture in pictures]  # before any is read
    names = [picture.name for picture in pictures]
    with PredictionTable(out, content_sha256=scorer.bundle.metadata.content_sha256) as table:
        rest = [row for row, (name, state) in enumerate(zip(names, states, strict=True)) if not table.has(name, state)]
        if done := len(pictures) - len(rest):
            progress.say(f"{out}: going on after {counted(done, 'prediction')} of an interrupted run.")
        with progress.phase("predict", total=len(rest)) as phase:
            for row, scored in zip(rest, scorer.score(pictures[row].path for row in rest), strict=True):
                prediction = _prediction(pictures[row], scored, scorer.bundle, known)
                table.add(prediction.as_json(), states[row])
                phase.advance()
                yield prediction
        table.finish(order=names)
