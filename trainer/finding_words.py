"""How each kind of finding is told: severity, title, what it means and what to do. One list, so that all are alike."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from trainer.findings import Finding, Kind, Mention, Severity


class Words(NamedTuple):
    """Severity, title in the plural, and the sentences, which may hold {figures}."""

    severity: Severity
    title: str
    meaning: str


WORDS: Mapping[Kind, Words] = {
    Kind.UNREADABLE: Words(
        Severity.HANDLED,
        "Unreadable pictures",
        "They cannot be read or decoded and are left out. Replace or remove the files.",
    ),
    Kind.CONFLICTING: Words(
        Severity.HANDLED,
        "The same picture under two labels",
        "The same bytes carry different labels, so at least one label is wrong; all of them are left out. Keep the one "
        "that is right.",
    ),
    Kind.MISSING: Words(
        Severity.HANDLED,
        "Missing files",
        "The table lists them, but they are not there. Copy them to where the table says, or remove the rows.",
    ),
    Kind.EXACT_DUPLICATES: Words(
        Severity.HANDLED,
        "Sets of identical pictures",
        "Copies of one picture under one label. They are used, and never straddle two splits or folds; one of each "
        "would do.",
    ),
    Kind.NEAR_DUPLICATES: Words(
        Severity.HANDLED,
        "Sets of nearly identical pictures",
        "One picture resized, re-encoded, or changed a little. They are used, and never straddle two splits or folds; "
        "one of each would do.",
    ),
    Kind.ACROSS_SPLITS: Words(
        Severity.HANDLED,
        "Groups across the given splits",
        "Copies of one picture, or pictures that --group-by joins, lie in splits that the data keeps apart; what is "
        "trained on tests nothing, so the whole group goes to the split that is held out more strictly.",
    ),
    Kind.IN_TEST_SET: Words(
        Severity.HANDLED,
        "Pictures that the named test set has too",
        "A picture of the test set, a copy of one, or one that --group-by joins with it. What is trained on tests "
        "nothing, so they are not learned from; the test set stays as it is.",
    ),
    Kind.WRONG_EXTENSION: Words(
        Severity.HANDLED,
        "Names that say another format",
        "The content is of another format than the extension says. They are read by their content; other programs may "
        "refuse them, so rename them when you can.",
    ),
    Kind.ROTATED: Words(
        Severity.HANDLED,
        "Pictures stored turned or mirrored",
        "The camera noted how to hold them (EXIF orientation). They are turned upright here and when served; programs "
        "that ignore the note see them as stored.",
    ),
    Kind.PASSED_OVER: Words(
        Severity.HANDLED, "Files passed over", "They are no samples, and nothing is done with them."
    ),
    Kind.EMPTY_FOLDERS: Words(
        Severity.LOOK,
        "Label folders without a picture",
        "Nothing is learned of such a label, and a model of these pictures never answers it. Add pictures, or remove "
        "the folder if it is no label.",
    ),
    Kind.LABEL_ERRORS: Words(
        Severity.LOOK,
        "Likely wrong labels",
        "Heads that had not seen the picture are confident of another label. Look at each, and move it or leave it. "
        "Such heads agree with {agreement} of all labels; the fewer, the more of these are hard pictures instead.",
    ),
    Kind.ALIKE_TWO_LABELS: Words(
        Severity.LOOK,
        "Nearly identical pictures under different labels",
        "They look like one picture, so at least one label is probably wrong. Correct it, or keep one of them.",
    ),
    Kind.ALIKE_TOO_MANY: Words(
        Severity.LOOK,
        "Large sets of similar pictures",
        "Each holds more than 5 % of a label, so it may be the subject itself rather than copies; they are not kept "
        "together. If they are frames of one scene, keep a few, or keep them together with --group-by.",
    ),
    Kind.OUTLIERS: Words(
        Severity.LOOK,
        "Pictures unlike all others",
        "Even their nearest neighbours are far away: often a stray file, a screenshot, or a rare case. Remove what "
        "does not belong; of rare cases, add more.",
    ),
    Kind.DARK: Words(
        Severity.LOOK,
        "Dark pictures",
        "Even their light parts are dark, by themselves and next to the typical picture here. Keep them only if "
        "pictures like these will be asked about.",
    ),
    Kind.UNIFORM: Words(
        Severity.LOOK,
        "Nearly uniform pictures",
        "There is hardly anything to see, by itself and next to the typical picture here: a blank page, fog, a covered "
        "lens. Remove those that show nothing.",
    ),
    Kind.BLURRED: Words(
        Severity.LOOK,
        "Blurred pictures",
        "Their edges are soft, by themselves and next to the typical picture here. Keep them only if pictures like "
        "these will be asked about.",
    ),
    Kind.FEW_PICTURES: Words(
        Severity.LOOK,
        "Labels with few pictures",
        "Fewer than {least}, where copies and what --group-by joins count once: the label is learned poorly, and its "
        "own numbers say little. Add more.",
    ),
    Kind.IMBALANCE: Words(
        Severity.LOOK,
        "Labels with far fewer pictures than others",
        "They have less than a tenth of the pictures of the label that has most ({most}). The head leans to frequent "
        "labels; watch the macro accuracy, and add pictures of the rare ones.",
    ),
}


def tell(kind: Kind, mentions: Iterable[Mention], **figures: str) -> tuple[Finding, ...]:
    """The finding of one kind; none where nothing is mentioned. `figures` fill in what the sentences leave open."""
    mentioned, words = tuple(mentions), WORDS[kind]
    if not mentioned:
        return ()
    return (Finding(kind, words.severity, words.title, words.meaning.format(**figures), mentioned),)
