"""Swaps of a model under load: requests that fail, answers that are mixed up, memory that stays, seconds until served.

    python -m bench.swap                                  100 swaps of MobileNetV2 (random weights) under 16 clients
    python -m bench.swap MODELS/NAME --swaps 1000 --clients 4 --options --lanes 1

The bundle is published twice into a folder of its own, once with other labels, so that an answer shows which version it
came from; `current` then names one and the other in turn.
"""

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import uvloop

from bench.arguments import parse, service_arguments, tell
from bench.drawn import picture_of
from bench.http_client import Ledger, asking, post
from bench.models import make_bundle
from bench.serving import Served, serving
from shared.bundle import METADATA_FILE, read_bundle
from shared.publish import publish, resolve, rollback, seal, staging_folder

WARM_UP_SWAPS = 20
SWAPPED_WITHIN_S = 30.0
SETTLES_IN_S = 2.0
OTHER = "-b"


async def swap(models_dir: Path, name: str, versions: Sequence[str], ledger: Ledger) -> list[float]:
    """Point `current` at each version; wait each time until clients have met it, and say how many seconds that took.

    Raises:
        TimeoutError: a version was not served within SWAPPED_WITHIN_S.
    """
    seconds = []
    for version in versions:
        await asyncio.to_thread(rollback, models_dir, name, version)
        begun_at, seen = time.monotonic(), len(ledger.asked)
        async with asyncio.timeout(SWAPPED_WITHIN_S):
            while not any(version.encode() in asked.answer.body for asked in ledger.asked[seen:] if asked.answer):
                await asyncio.sleep(0.005)
        seconds.append(time.monotonic() - begun_at)
    return seconds


def mixed_up(ledger: Ledger, labels_of: Mapping[str, Sequence[str]]) -> list[str]:
    """The answers whose label is none of the version that they name."""
    answers = [asked.answer for asked in ledger.by_fate("200") if asked.answer]
    return [one.body.decode() for one in answers if one.json()["label"] not in labels_of[one.json()["version"]]]


def publish_twins(path: Path, models_dir: Path) -> dict[str, tuple[str, ...]]:
    """Publish a bundle as it is and with other labels; the labels of both versions."""
    metadata = read_bundle(path).metadata
    labels_of = {}
    for suffix in ("", OTHER):
        labels = tuple(f"{label}{suffix}" for label in metadata.labels)
        with staging_folder(models_dir, metadata.name) as folder:
            shutil.copytree(path, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(METADATA_FILE))
            (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
            fields = metadata.model_dump(mode="json", exclude={"files", "content_sha256"})
            seal(folder, fields | {"labels": labels})
            labels_of[publish(folder, models_dir).version] = labels
    return labels_of


async def _measure(
    service: Served, models_dir: Path, name: str, labels_of: Mapping[str, Sequence[str]], arguments: argparse.Namespace
) -> dict[str, object]:
    turns = [*labels_of] * (max(WARM_UP_SWAPS, arguments.swaps) // 2)
    async with asking(service.port, [post(picture_of(arguments.picture))], clients=arguments.clients) as ledger:
        await swap(models_dir, name, turns[:WARM_UP_SWAPS], ledger)
        before_mb = await _settled_mb(service)
        seconds = await swap(models_dir, name, turns[: arguments.swaps], ledger)
        after_mb = await _settled_mb(service)
    return {
        "swaps": len(seconds),
        "clients": arguments.clients,
        "fates": dict(ledger.fates),
        "unanswered": ledger.begun - ledger.fates["200"],
        "mixed_up": len(mixed_up(ledger, labels_of)),
        "until_served_p50_s": round(float(np.median(seconds)), 3),
        "until_served_max_s": round(max(seconds), 3),
        "memory_before_mb": round(before_mb, 1),
        "memory_after_mb": round(after_mb, 1),
        "memory_ratio": round(after_mb / before_mb, 3),
    }


async def _settled_mb(service: Served) -> float:
    """Memory when the version before has had time to end its last requests and go."""
    await asyncio.sleep(SETTLES_IN_S)
    return service.memory_mb()


def main() -> None:
    """Print one line a figure, and one JSON object at the end."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        models_dir, bundle = Path(scratch), _bundle(arguments)
        labels_of, name = publish_twins(bundle, models_dir), read_bundle(bundle).metadata.name
        options = ["--poll-interval-s", "0.05", "--max-waiting", "64", *arguments.options]
        with serving(models_dir, *options) as service:
            service.wait_until_ready()
            figures = uvloop.run(_measure(service, models_dir, name, labels_of, arguments))
    for figure, value in figures.items():
        print(f"{figure:>20}  {value}")
    tell(figures, arguments)


def _bundle(arguments: argparse.Namespace) -> Path:
    if arguments.bundle:
        return resolve(arguments.bundle)
    backbone = "nano" if arguments.quick else "mobilenet_v2"
    return make_bundle(arguments.folder, backbone=backbone, cache_dir=arguments.cache_dir)


def _arguments() -> argparse.Namespace:
    parser = service_arguments(__doc__)
    parser.add_argument("bundle", nargs="?", type=Path, help="MODELS/NAME; default: one is made")
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--clients", type=int, default=16)
    return parse(parser, swaps=10)


if __name__ == "__main__":
    main()
