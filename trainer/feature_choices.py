"""Which features the settings ask for, and which are worth a try where they leave it open. Pure: words in and out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product

from shared.preprocess import Fit, PreprocessSpec
from trainer.catalogue import BackboneEntry
from trainer.counting import counted
from trainer.errors.features import NoMiddleStage, SizeRefused
from trainer.feature_settings import AUTO, MIDDLE_TAP, NO_TAPS
from trainer.picture_rows import PLAIN, Rendering
from trainer.recipe import FeatureChoice
from trainer.settings import TrainSettings
from trainer.taps import Pooling, pooled, pooling_of, stage_of, worth_a_try
from trainer.taps import in_words as taps_in_words

_GROWTH = (1.0, 10 / 7)
"""Sides that are tried, as multiples of the preset's: 224 and 320 px for most. The decision 0018 has the numbers."""

_ROUNDED_TO = 32

SQUARE = (
    "Every picture is square: pad gives the pixels that stretch gives, so fits are tried once where they are equal."
)
"""What is said where `rendered_apart` leaves candidates out."""

_FITS: tuple[Fit, ...] = ("crop", "stretch", "pad")


def base_choice(entry: BackboneEntry, settings: TrainSettings) -> FeatureChoice:
    """What the settings ask for; the preset of the weights where they leave something open.

    Where it is open how the middle stage is read, it is in every way: features with less of it are their first columns.

    Raises:
        SizeRefused: the backbone cannot take pictures of that size.
        NoMiddleStage: it has none that could be read.
    """
    side = settings.image_size if isinstance(settings.image_size, int) else entry.spec.height
    fit = entry.spec.fit if settings.fit is None or settings.fit == "auto" else settings.fit
    is_open = _is_open(settings.taps, settings)
    taps = worth_a_try(entry.middle_stages)[-1] if is_open else _taps_named(entry, settings.taps or NO_TAPS)
    return FeatureChoice(prepared_for(entry, side, fit), taps, mirror=settings.mirror)


def candidate_choices(entry: BackboneEntry, settings: TrainSettings) -> tuple[FeatureChoice, ...]:
    """Everything worth a try where the settings say "auto", or leave it open in a search; the cheapest first.

    The first one is nearest to the preset. Where nothing is open it is the base choice, and the only one. None costs
    more than `--max-cost`, unless the size was given.

    Raises:
        SizeRefused, NoMiddleStage: as `base_choice`.
    """
    base = base_choice(entry, settings)
    sides = _sides(entry) if _is_open(settings.image_size, settings) else [base.spec.height]
    fits = _FITS if _is_open(settings.fit, settings) else (base.spec.fit,)
    taps = worth_a_try(entry.middle_stages) if _is_open(settings.taps, settings) else (base.taps,)
    found = [
        FeatureChoice(prepared_for(entry, side, fit), tapped, mirror=settings.mirror)
        for side, fit, tapped in product(sides, fits, taps)
    ]
    affordable = [
        choice
        for choice in found
        if choice.spec.height == base.spec.height or cost_of(choice, entry) <= settings.max_cost
    ]
    return tuple(sorted(affordable, key=lambda choice: cost_of(choice, entry)))


def rendered_apart(choices: Iterable[FeatureChoice], *, first: FeatureChoice) -> tuple[FeatureChoice, ...]:
    """Of choices that give the same pixels of square pictures one each: `first`, or else the earliest.

    A square picture that is padded is the stretched one, and so is the cropped one where the crop leaves all of it.
    """
    taken = {_of_square(first): first}
    return tuple(one for one in choices if taken.setdefault(_of_square(one), one) == one)


def _of_square(choice: FeatureChoice) -> FeatureChoice:
    """A choice that gives the same of square pictures: stretched instead of padded, or cropped to all there is."""
    spec = choice.spec
    if spec.fit == "crop" and spec.resize != spec.height:
        return choice
    return replace(choice, spec=spec.model_copy(update={"fit": "stretch", "resize": spec.height}))


def cost_of(choice: FeatureChoice, entry: BackboneEntry) -> float:
    """How many times the preset's work a picture takes: by its pixels, and twice that with its mirror image.

    It is computed and not measured, so that a choice that depends on it can be repeated. What a stage costs that is
    read beside the last one, some numbers for each of its maps, which are there anyway, is left out; so is decoding.
    """
    pixels = choice.spec.height * choice.spec.width
    return pixels / (entry.spec.height * entry.spec.width) * (2 if choice.mirror else 1)


def prepared_for(entry: BackboneEntry, side: int, fit: Fit) -> PreprocessSpec:
    """The preset of the weights with another side, in px, or fit; a crop leaves the same share of a picture as theirs.

    Raises:
        SizeRefused: the backbone cannot take pictures of that size.
    """
    preset, sizes = entry.spec, entry.sizes
    if side != preset.height and (sizes.fixed or side < sizes.smallest or side % sizes.step):
        raise SizeRefused(entry.name, side, takes=_in_words(entry))
    resize = round(side * preset.resize / preset.height) if fit == "crop" else side
    if (side, fit) == (preset.height, preset.fit):
        resize = preset.resize
    return preset.model_copy(update={"height": side, "width": side, "resize": resize, "fit": fit})


def in_words(choice: FeatureChoice) -> str:
    """What tells a choice from others, in a few words: "320 px, stretch, with features.13"."""
    parts = [f"{choice.spec.height} px", choice.spec.fit]
    if choice.taps:
        parts.append(f"with {taps_in_words(choice.taps)}")
    if choice.mirror:
        parts.append("and mirrored")
    if choice.precision != "float32":
        parts.append(choice.precision)
    return ", ".join(parts)


def _sides(entry: BackboneEntry) -> Sequence[int]:
    """Those worth a try, from small to large; the preset's alone where it takes no other."""
    preset, sizes = entry.spec.height, entry.sizes
    if sizes.fixed:
        return [preset]
    step = max(sizes.step, _ROUNDED_TO)
    grown = [round(preset * factor / step) * step for factor in _GROWTH[1:]]
    return sorted({preset, *(side for side in grown if side >= max(preset, sizes.smallest))})


def _is_open(wish: object, settings: TrainSettings) -> bool:
    """Whether an option is left to a search: by itself, or because all that is not given is."""
    return wish == AUTO or (wish is None and settings.search)


def _taps_named(entry: BackboneEntry, wish: str) -> tuple[str, ...]:
    """The stages that a given option means."""
    if wish == NO_TAPS:
        return ()
    named = (tap for wanted in wish.split(",") for tap in _taps_meant(entry, stage_of(wanted), pooling_of(wanted)))
    return tuple(dict.fromkeys(named))


def _taps_meant(entry: BackboneEntry, stage: str, pooling: Pooling) -> tuple[str, ...]:
    if stage == MIDDLE_TAP and not entry.middle_stages:
        raise NoMiddleStage(entry.name)
    return pooled(entry.middle_stages if stage == MIDDLE_TAP else (stage,), pooling)


def _in_words(entry: BackboneEntry) -> str:
    """The sides that a backbone takes."""
    sizes = entry.sizes
    if sizes.fixed:
        return f"{entry.spec.height} px and no other, because its weights belong to that size"
    return f"multiples of {sizes.step} px" if sizes.step > 1 else f"{sizes.smallest} px or more"


def renderings_in_words(missing: Mapping[str, Sequence[Rendering]]) -> str:
    """How many pictures and views: "20 pictures and 80 views", "80 views of 20 pictures"."""
    plain = sum(PLAIN in renderings for renderings in missing.values())
    views = sum(map(len, missing.values())) - plain
    if not plain:
        return f"{counted(views, 'view')} of {counted(len(missing), 'picture')}"
    return counted(plain, "picture") + (f" and {counted(views, 'view')}" if views else "")
