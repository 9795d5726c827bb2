"""Backbones and their weights."""

from collections.abc import Sequence
from pathlib import Path

from trainer.errors import BadData, UsageError
from trainer.some_names import some


class UnknownBackbone(UsageError):
    """There is no backbone of this name, or of these names.

    Attributes:
        names: that nobody knows.
        choices: that are known.
    """

    def __init__(self, *names: str, choices: Sequence[str]) -> None:
        self.names, self.choices = names, choices
        told, one = ", ".join(map(repr, names)), len(names) == 1
        pairs = " Two side by side can be compared, with `compare`, but not trained." if "+" in "".join(names) else ""
        known = f"choose {'one ' if one else ''}of {', '.join(choices)}"
        super().__init__(f"unknown backbone{'' if one else 's'} {told}; {known}.{pairs}")


class BackboneNotRecognised(UsageError):
    """A weights file fits no backbone, and its name does not begin with one."""

    def __init__(self, path: Path, *, choices: Sequence[str]) -> None:
        super().__init__(
            f"{path}: these weights fit no backbone that Finial knows. Name the architecture with --backbone, "
            f"one of {', '.join(choices)}."
        )


class WeightsMissing(UsageError):
    """The weights of a backbone are not to be had."""

    def __init__(self, backbone: str, *, file: str, folder: Path, detail: str) -> None:
        super().__init__(
            f"{backbone}: no weights ({detail}). Put {file} into {folder} (a machine with a network gets it there with "
            f"`python -m trainer backbones fetch {backbone}`), or name any weights file that fits with --weights FILE, "
            "or take `--backbone nano`, which is embedded and needs no download."
        )


class WeightsUnreadable(UsageError):
    """A weights file cannot be read, or holds something else than weights."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"{path}: {detail}. Expected a state dict of tensors: a .pth file that torch.load reads with "
            "weights_only=True, or a .safetensors file."
        )


class WeightsDamaged(UsageError):
    """A weights file is not the one that its name, or whoever recorded it, says."""

    def __init__(self, path: Path, *, expected: str, found: str) -> None:
        super().__init__(
            f"{path}: SHA-256 starts {found[:12]}, expected {expected[:12]}. The file was probably not copied whole; "
            "remove it and fetch or copy it again (or rename it, if it is meant to be another file)."
        )


class WeightsDoNotFit(UsageError):
    """The tensors in a weights file are not those of the backbone."""

    def __init__(self, path: Path, *, backbone: str, differences: Sequence[str], fits: str | None) -> None:
        advice = f"They fit {fits}: use --backbone {fits}" if fits else "They fit no other backbone of the catalogue"
        super().__init__(f"{path}: these weights do not fit {backbone}: {some(differences, most=6)}. {advice}.")


class NoClassesFound(BadData):
    """No picture's label or name is that of a class of the weights."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"none of {count} pictures names a class of the weights. Expected labels or file names such as 'tench', "
            "'n01440764_tench' or class indices '0' to '999'."
        )
