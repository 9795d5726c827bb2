"""What a run depends on, so that nothing kept in its work folder is taken for another run's."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from recipes.nano.pictures import Picture
from recipes.nano.settings import Settings
from shared.files import sha256_of, sha256_of_file

Identity = dict[str, str]

_PATHS = ("pictures", "teacher", "work_dir", "out", "judges")
_FREE = (*_PATHS, "epochs", "threads", "checkpoint_every", "teacher_share")


def identify_pictures(pictures: Sequence[Picture]) -> str:
    """A digest of names, contents and order, however the pictures are packed."""
    return sha256_of(repr([(picture.name, picture.size, picture.crc) for picture in pictures]).encode())


def identify_training(pictures: Sequence[Picture], settings: Settings) -> Identity:
    """By name, everything that decides the weights.

    Left out are where files lie, what may change on the way (epochs, threads, how often a checkpoint is written) and
    what comes after training.
    """
    told = {name: str(value) for name, value in vars(settings).items() if name not in _FREE}
    return {**told, "pictures": identify_pictures(pictures), "teacher": sha256_of_file(settings.teacher)}


def refuse_another(path: Path, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Nothing if both are the same run.

    Raises:
        ValueError: the file at `path` belongs to another run; names what differs.
    """
    differing = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if differing:
        raise ValueError(
            f"{path} is of a training with another {', '.join(differing)}; "
            "name another --work-dir for this one, or repeat the settings of that one to go on with it"
        )
