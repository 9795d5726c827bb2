"""Whether the features of a training lie in memory or on disk, and what that means for its other settings."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import ByteSize

from shared.memory import usable_memory
from trainer.catalogue import backbone_names, get_entry
from trainer.errors.features import FeaturesTooLarge
from trainer.memory_settings import DISK, MEMORY

if TYPE_CHECKING:
    from trainer.progress import Progress
    from trainer.settings import TrainSettings

_SHARE = 8
"""The road in memory holds them up to six times: read, in canonical order, of the selection, standardised."""

_NUMBER_BYTES = 4


def check_where_features_lie(settings: "TrainSettings") -> None:
    """Refuse features on disk beside options that need them in memory, and a limit that would be passed over.

    Raises:
        ValueError: it names the options by their flags.
    """
    if settings.feature_memory is not None and settings.features_in != "auto":
        raise ValueError(
            f"--feature-memory: it is the limit of --features-in auto, and {settings.features_in} was asked for; leave "
            "one of the two out"
        )
    if settings.features_in == DISK and (flags := ", ".join(what_needs_memory(settings))):
        raise ValueError(
            f"--features-in disk: {flags} would need the features in memory. On disk there are probes on the pictures "
            "as they are, by one choice of features; leave out what is asked for beyond that, or --features-in disk"
        )


def what_needs_memory(settings: "TrainSettings") -> Iterator[str]:
    """Flags of what is asked for and is not done with features on disk."""
    if settings.head not in ("auto", "probe"):
        yield f"--head {settings.head}"
    if settings.search:
        yield "--search"
    if settings.views not in ("auto", 0):
        yield f"--views {settings.views}"
    for name in ("backbone", "image_size", "fit", "taps"):
        if getattr(settings, name) == "auto":
            yield f"--{name.replace('_', '-')} auto"


def belong_on_disk(settings: "TrainSettings", pictures: int, feature_size: int, progress: "Progress") -> bool:
    """Whether the features of so many pictures shall lie on disk, which is said.

    Raises:
        FeaturesTooLarge: they shall, and something was asked for that needs them in memory.
    """
    renderings = 1 + (settings.views if isinstance(settings.views, int) else 0)
    needed = pictures * feature_size * renderings * _NUMBER_BYTES
    allowed = usable_memory() // _SHARE if settings.feature_memory is None else int(settings.feature_memory)
    if settings.features_in == MEMORY or (settings.features_in != DISK and needed <= allowed):
        return False
    limit = (
        "an eighth of the memory that this process may use" if settings.feature_memory is None else "--feature-memory"
    )
    because = "as asked" if settings.features_in == DISK else f"more than {_in_words(allowed)}, {limit}"
    if flags := list(what_needs_memory(settings)):
        raise FeaturesTooLarge(_in_words(needed), because, flags)
    progress.say(
        f"Features stay on disk: {pictures:,} x {feature_size:,} of them take {_in_words(needed)}, {because}. "
        "The head is a probe on the pictures as they are; the strength of its penalty is chosen on one fold.",
        features_in=DISK,
        feature_bytes=needed,
    )
    return True


def refuse_comparing_backbones(settings: "TrainSettings", pictures: int, progress: "Progress") -> None:
    """Refuse `--backbone auto`, which holds features in memory, where even the smallest of them are too large.

    Raises:
        FeaturesTooLarge: they are.
    """
    if settings.backbone == "auto":
        smallest = min(get_entry(name).feature_size for name in backbone_names())
        belong_on_disk(settings, pictures, smallest, progress)


def settled_on_disk(settings: "TrainSettings") -> "TrainSettings":
    """The settings with what features on disk mean; a run that is repeated takes them over."""
    update = {"features_in": DISK, "feature_memory": None, "head": "probe", "views": 0}
    return settings.model_copy(update=update)


def _in_words(size_bytes: int) -> str:
    return ByteSize(size_bytes).human_readable(decimal=True, separator=" ").replace("KB", "kB")
