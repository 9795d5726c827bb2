"""What differs between two runs: settings, tools, pictures, numbers, and bytes of the bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shared.bundle import CONTENT_FILES, CONTENT_FOLDER, Bundle, BundleMetadata, FileEntry
from trainer.counting import counted
from trainer.gates import GATES
from trainer.samples import Sample
from trainer.some_names import some

Pairs = Mapping[str, tuple[Any, Any]]

_GOLDEN = CONTENT_FOLDER.rstrip("/")


@dataclass(frozen=True)
class Differences:
    """An earlier run and a later one.

    Attributes:
        before, after: versions of their bundles.
        settings, tools, backbone: what is not the same, each (before, after).
        added, gone, relabelled: pictures, by name; by digest where the picture is not here any more.
        metrics: the headline numbers of both, (before, after).
        equal_bytes: by file of the content, or "golden" for all in it, whether the bytes are the same.
    """

    before: str
    after: str
    settings: Pairs
    tools: Pairs
    backbone: Pairs
    added: tuple[str, ...]
    gone: tuple[str, ...]
    relabelled: tuple[str, ...]
    metrics: Pairs
    equal_bytes: Mapping[str, bool]

    def as_json(self) -> dict[str, Any]:
        """For `train --json`."""
        return asdict(self)

    @property
    def text(self) -> str:
        """For the terminal, a line for each kind of difference."""
        lines = [f"Compared with {self.before}:"]
        lines += [_line(name, _pairs(getattr(self, name))) for name in ("settings", "tools", "backbone")]
        lines.append(_line("pictures", self._pictures()))
        lines += [_line(name.replace("_", " "), _pair(*pair)) for name, pair in self.metrics.items()]
        differing = [name for name, equal in self.equal_bytes.items() if not equal]
        lines.append(_line("bytes", f"different: {', '.join(differing)}" if differing else "all the same"))
        return "\n".join(lines)

    def _pictures(self) -> str:
        kinds = {"added": self.added, "gone": self.gone, "relabelled": self.relabelled}
        return (
            "; ".join(
                f"{counted(len(names), 'picture')} {kind} ({some(names)})" for kind, names in kinds.items() if names
            )
            or "the same"
        )


def compare(
    before: Bundle, labels_before: Mapping[str, str], after: Bundle, made: BundleMetadata, samples: Sequence[Sample]
) -> Differences:
    """Compare a run with an earlier one.

    Args:
        before, labels_before: the bundle of the earlier run, and the label of each picture that it used, by digest.
        after: what is current after the later run; its content is that of the run.
        made: the metadata that the later run made, whether or not it was published.
        samples: the pictures that it used.
    """
    names = {sample.digest: sample.name for sample in reversed(samples)}
    labels = {sample.digest: sample.label for sample in samples}
    old = before.metadata
    both = labels.keys() & labels_before.keys()
    return Differences(
        before=before.version,
        after=after.version,
        settings=_changed(_without_names(old.settings), _without_names(made.settings)),
        tools=_changed(old.tools, made.tools),
        backbone=_changed(old.backbone.model_dump(), made.backbone.model_dump()),
        added=tuple(sorted(names[digest] for digest in labels.keys() - labels_before.keys())),
        gone=tuple(
            sorted(f"{digest[:12]}... ({labels_before[digest]})" for digest in labels_before.keys() - labels.keys())
        ),
        relabelled=tuple(
            sorted(
                f"{names[digest]} ({labels_before[digest]} -> {labels[digest]})"
                for digest in both
                if labels[digest] != labels_before[digest]
            )
        ),
        metrics={name: (old.metrics.get(name), made.metrics.get(name)) for name in (*old.metrics, *made.metrics)},
        equal_bytes=_equal_bytes(old.files, made.files),
    )


def _without_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A repeated run names what the earlier one may have left to be chosen; `backbone` tells what was. Gates are not
    repeated, though earlier trainers recorded them."""
    return {name: value for name, value in settings.items() if name not in ("name", "backbone", *GATES)}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Pairs:
    names = sorted(before.keys() | after.keys())
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _equal_bytes(before: Mapping[str, FileEntry], after: Mapping[str, FileEntry]) -> dict[str, bool]:
    equal = {name: before.get(name) == after.get(name) for name in CONTENT_FILES}
    golden = (
        {name: entry for name, entry in files.items() if name.startswith(CONTENT_FOLDER)} for files in (before, after)
    )
    return equal | {_GOLDEN: next(golden) == next(golden)}


def _line(name: str, value: str) -> str:
    return f"  {name:<18}  {value}"


def _pairs(pairs: Pairs) -> str:
    return "; ".join(f"{name} {_pair(*pair)}" for name, pair in pairs.items()) or "the same"


def _pair(before: Any, after: Any) -> str:
    return f"{_value(before)} -> {_value(after)}" if before != after else f"{_value(after)}, the same"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_value(inner)}" for name, inner in value.items())
    return "none" if value is None else str(value)
