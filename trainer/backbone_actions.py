"""The `backbones` verb: list the catalogue, fetch weights ahead of time, check real weights on labelled pictures."""

from typing import Any

from trainer.action_result import ActionResult, columns
from trainer.catalogue import NANO, BackboneEntry, backbone_names, get_entry
from trainer.counting import counted
from trainer.errors import UsageError
from trainer.progress import Progress
from trainer.settings import BackbonesSettings
from trainer.weights import fetch_weights, find_weights, is_cached


def list_all(_settings: BackbonesSettings, _progress: Progress) -> ActionResult:
    """Every backbone: features, input size, whether its weights are here, licence, what it is good for."""
    rows = [_row(get_entry(name)) for name in backbone_names()]
    heads = ("name", "features", "input", "weights", "note")
    table = [heads, *((row["name"], str(row["features"]), row["input"], row["state"], row["note"]) for row in rows)]
    return ActionResult(columns(table), {"backbones": rows})


def fetch(settings: BackbonesSettings, progress: Progress) -> ActionResult:
    """Download one backbone's weights into torchvision's cache, hash-checked."""
    (name,) = _arguments(settings, "NAME")
    weights = fetch_weights(name, weights_url=settings.weights_url)
    progress.say(f"Weights of {name}: {weights.source}.")
    return ActionResult(str(weights.path), {"path": str(weights.path), "sha256": weights.sha256})


def verify(settings: BackbonesSettings, progress: Progress) -> ActionResult:
    """Classify labelled ImageNet pictures with a backbone's own classifier and report top-1 and top-5."""
    name, data = _arguments(settings, "NAME", "DATA")
    from trainer.backbones import choose_backbone
    from trainer.manifest import read_manifest
    from trainer.verification import verify_backbone

    entry, reason = choose_backbone(name, settings.weights)
    progress.say(reason)
    weights = find_weights(entry, settings.weights, download=True, weights_url=settings.weights_url)
    manifest = read_manifest(data, labels=settings.labels, cache_dir=settings.cache_dir, progress=progress)
    found = verify_backbone(entry, weights, manifest, threads=settings.thread_count)
    text = f"{name} on {counted(found['n'], 'picture')}: top-1 {found['top_1']:.3f}, top-5 {found['top_5']:.3f}"
    return ActionResult(text, found)


def _row(entry: BackboneEntry) -> dict[str, Any]:
    state = "embedded" if entry.name == NANO else "cached" if is_cached(entry) else "download"
    return {
        "name": entry.name,
        "features": entry.feature_size,
        "input": f"{entry.spec.height} x {entry.spec.width}",
        "state": state,
        "weights": entry.weights_name,
        "licence": entry.licence,
        "note": entry.note,
    }


def _arguments(settings: BackbonesSettings, *names: str) -> list[str]:
    example = " ".join(["mobilenet_v2", "pictures"][: len(names)])
    if len(settings.arguments) != len(names):
        raise UsageError(
            f"backbones {settings.action} takes {' '.join(names)}, found {len(settings.arguments)} arguments. "
            f"Example: python -m trainer backbones {settings.action} {example}"
        )
    return settings.arguments
