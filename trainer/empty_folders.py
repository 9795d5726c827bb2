"""Label folders that hold no picture: nothing is learned of such a label, so nothing will ever answer it."""

from trainer.picture_files import FoundFiles
from trainer.readings import Reading, label_by_rule


def folders_without_pictures(found: FoundFiles, reading: Reading) -> tuple[str, ...]:
    """Names, sorted, of the folders that would give a label which no picture has; none where folders give no labels.

    A folder in a folder without pictures is not named again, nor one in a folder whose pictures have a label.
    """
    if reading.rule not in ("folder", "top-folder"):
        return ()
    pictures = [picture.name for picture in found.pictures]
    filled = {around for name in pictures for around in _folders_around(name)}
    labelled = {name.rpartition("/")[0] for name in pictures if "/" in name}
    empty = [
        name
        for name in found.folders
        if name not in filled and (outer := name.rpartition("/")[0]) not in labelled and (not outer or outer in filled)
    ]
    would_be = label_by_rule(reading.rule, [*pictures, *(f"{name}/picture" for name in empty)])[len(pictures) :]
    known = {*reading.labels}
    return tuple(sorted(name for name, label in zip(empty, would_be, strict=True) if label and label not in known))


def _folders_around(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
